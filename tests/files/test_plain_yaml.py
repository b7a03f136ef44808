"""Run files and option values are plain data, whatever YAML would allow besides."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from paddleprune.errors import ConfigError
from paddleprune.plain_yaml import parse_yaml, read_yaml

LAUGHS = "a: &a0 [1, 1]\n" + "".join(f"b{i}: &a{i + 1} [*a{i}, *a{i}, *a{i}]\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: 2020-13-45", {"a": "2020-13-45"}),
        ("{1: x, 2: null}", {1: "x", 2: None}),
        ("x: &x [1, 2]\ny: *x", {"x": [1, 2], "y": [1, 2]}),
        ("x: &x {a: 1, b: 1}\ny: {<<: *x, b: 2}", {"x": {"a": 1, "b": 1}, "y": {"a": 1, "b": 2}}),
        ('{"a": [1, 0.5, "t", null, true]}', {"a": [1, 0.5, "t", None, True]}),
        ("", None),
        ("8GB", "8GB"),
        ("x" * 5000, "x" * 5000),
    ],
)
def test_plain_values_are_read(text: str, value: Any) -> None:
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\nb: 2\na: 3", "line 3 has the key 'a' again"),
        ('{"a": 1, "a": 1}', "line 1 has the key 'a' again"),
        (LAUGHS, "stands for more than 100,000 values"),
        ("a: &a [*a]", "holds itself"),
        ("[" * 100_000, "nested too deeply"),
        ("{a: " * 50_000, "nested too deeply"),
        ("a: !!int abc", "line 1 has 'abc', which is no int"),
        ("a: !!float abc", "which is no float"),
        ("a: !!bool abc", "which is no bool"),
        ("a: " + "9" * 5000, "a number of 5000 characters"),
        ("a: !!timestamp 5", "the tag !!timestamp"),
        ("a: !!binary x", "the tag !!binary"),
        ("a: !!set {b}", "the tag !!set"),
        ("a: !!python/object/apply:os.system [ls]", "the tag !!python/object/apply:os.system"),
        ("!!python/name:os.system", "the tag"),
        ("? [a, b]\n: 1", "a list or a mapping as a key"),
        ("a: \x00", "characters that aren't text"),
        ("a: [1", "expected"),
        ("a: *nothing", "undefined alias"),
        ("--- 1\n--- 2", "expected a single document"),
    ],
)
def test_anything_else_is_refused_at_once_in_one_line(text: str, why: str) -> None:
    start = time.monotonic()
    with pytest.raises(ValueError, match=why) as error:
        parse_yaml(text)
    assert time.monotonic() - start < 3
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_files_that_are_no_text_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b"a: \xe4")
    (tmp_path / "large").write_bytes(b" " * 200_001)
    for name, why in (
        ("pipe", "a pipe or a device"),
        ("latin", "not UTF-8 text"),
        ("large", "at most 200,000"),
        ("none", "does not exist"),
        (".", "it is a folder"),
    ):
        with pytest.raises(ConfigError, match=why):
            read_yaml(tmp_path / name, "run file", ConfigError)
