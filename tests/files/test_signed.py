"""Files that carry a digest: what is accepted, and what is said of the rest."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from paddleprune.errors import PlanError, TableError
from paddleprune.files import read_bytes
from paddleprune.sensitivity import Identity, Point, SensitivityTable
from paddleprune.signed import Signed, digest_of, read_signed, write_signed


class Note(Signed):
    """A file."""

    signed_since: ClassVar[int] = 2
    way_out: ClassVar[str] = "write it again"

    schema_version: int = 2
    text: str = ""
    numbers: tuple[float, ...] = ()


@pytest.fixture
def note(tmp_path: Path) -> Path:
    write_signed(tmp_path / "note.json", Note(text="ü\n\0", numbers=(0.1, 1e-300, 3.0)))
    return tmp_path / "note.json"


def test_what_was_written_is_read_however_it_is_laid_out(note: Path) -> None:
    expected = Note(text="ü\n\0", numbers=(0.1, 1e-300, 3.0))
    assert read_signed(note, Note, PlanError) == expected
    content = json.loads(note.read_text())
    note.write_text(json.dumps(content, indent=7, ensure_ascii=False))
    assert read_signed(note, Note, PlanError) == expected


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c: c.update(text="other"), "its digest differs, so that it is damaged or was edited; write it again"),
        (lambda c: c.update(numbers=[3.0, 1e-300, 0.1]), "its digest differs"),
        (lambda c: c.pop("sha256"), "lacks the digest of its content"),
        (lambda c: c.update(sha256=1), "its digest differs"),
        (lambda c: c.update(schema_version=1), "its digest differs"),
        (lambda c: c.update(schema_version="1"), "its digest differs"),
        (lambda c: c.update(schema_version=3), "has format 3; this version reads up to 2"),
    ],
)
def test_what_was_changed_is_refused(note: Path, change: Any, why: str) -> None:
    content = json.loads(note.read_text())
    change(content)
    note.write_text(json.dumps(content))
    with pytest.raises(PlanError, match=why) as error:
        read_signed(note, Note, PlanError)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"text": "a", "text": "b"}', "it has the key 'text' twice"),
        ('{"schema_version": 1, "numbers": {"a": 1, "a": 1}}', "it has the key 'a' twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "no JSON object"),
        ("", "not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "4300 digits"),
        ('{"schema_version": 1, "numbers": [[1]]}', "numbers, entry 1"),
        ('{"schema_version": 1, "novelty": 1}', "novelty"),
    ],
)
@pytest.mark.parametrize("edited", [False, True])
def test_what_is_no_such_file_is_named(tmp_path: Path, content: str, why: str, edited: bool) -> None:
    (tmp_path / "note.json").write_text(content)
    start = time.monotonic()
    with pytest.raises(PlanError, match=why) as error:
        read_signed(tmp_path / "note.json", Note, PlanError, edited=edited)
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 2


def test_an_edited_file_is_taken_where_that_is_said(note: Path) -> None:
    content = {**json.loads(note.read_text()), "text": "mine"}
    note.write_text(json.dumps(content))
    assert read_signed(note, Note, PlanError, edited=True).text == "mine"
    note.write_text(json.dumps({**content, "sha256": digest_of(content)}))
    assert read_signed(note, Note, PlanError).text == "mine"


def test_a_table_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    identity = Identity(model="m", data="d", samples=9, metric="acc1", higher_is_better=True, criterion="l1")
    groups = {"a": (Point(ratio=0.5, metric=0.5, loss=0.5),)}
    SensitivityTable(identity=identity, baseline=1.0, groups=groups).save(tmp_path / "table.json")
    text = (tmp_path / "table.json").read_text()
    (tmp_path / "table.json").write_text(text.replace('"loss": 0.5', '"loss": 0.0'))
    with pytest.raises(TableError, match=r"table\.json isn't what was saved.*use another copy, or analyze again"):
        SensitivityTable.load(tmp_path / "table.json")


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, why in (
        ("pipe", "it is a pipe or a device"),
        ("/dev/zero", "it is a pipe or a device"),
        (".", "it is a folder"),
        ("none", "does not exist"),
        ("a\0b", "null"),
        ("a" * 5000, "cannot read"),
    ):
        with pytest.raises(PlanError, match=why) as error:
            read_bytes(tmp_path / name, PlanError)
        assert len(str(error.value)) < 2000
