"""The versions that the README's two commands install: all of them named, and within the project's own bounds."""

from __future__ import annotations

import re
import sys
from importlib import import_module, metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
ROOT = Path(__file__).parents[2]
LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PROJECT = toml.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = [*PROJECT["dependencies"], *chain.from_iterable(PROJECT["optional-dependencies"].values())]


def pins(python: str) -> dict[str, str]:
    """Package -> the version that some Python gets."""
    found = dict[str, str]()
    for line in LINES:
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate({"python_version": python}):
            assert canonicalize_name(pin.name) not in found, f"{pin.name} is pinned twice for Python {python}"
            (only,) = pin.specifier
            assert (only.operator, pin.url) == ("==", None)
            found[canonicalize_name(pin.name)] = only.version
    return found


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_every_dependency_is_pinned_within_its_bounds(python: str) -> None:
    pinned = pins(python)
    for each in map(Requirement, ASKED):
        assert canonicalize_name(each.name) in pinned, f"constraints.txt lacks {each.name}"
        assert each.specifier.contains(pinned[canonicalize_name(each.name)]), f"{each} isn't what is pinned"


def test_what_they_need_is_pinned_too() -> None:
    pinned = pins(".".join(map(str, sys.version_info[:2])))
    for name, version in pinned.items():
        if any(version == found.version for found in metadata.distributions(name=name)):
            for need in map(Requirement, metadata.requires(name) or ()):
                if need.marker is None or need.marker.evaluate({"extra": ""}):
                    assert canonicalize_name(need.name) in pinned, f"constraints.txt lacks {need.name}, for {name}"


def test_the_commands_install_what_is_pinned() -> None:
    for name in ("README.md", "Makefile"):
        for line in (ROOT / name).read_text().splitlines():
            for command in re.findall(r"install [^&|]*-e '\.\[[^&|]*", line):
                assert "constraints.txt" in command, f"{name}: {command}"
    assert not any(mark in line for line in LINES for mark in ("/", "@"))
