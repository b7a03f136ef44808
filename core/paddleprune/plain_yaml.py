"""YAML (and so JSON) that people write, read as plain values: text, numbers, lists and mappings."""

from __future__ import annotations

import re
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from paddleprune.errors import PaddlePruneError
from paddleprune.files import read_bytes

_LARGEST = 200_000
_MOST_VALUES = 100_000
"""Values that a file may stand for: an alias counts as what it repeats."""
_DEEPEST = 100
_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(_TAG + name for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge"))


class _Loader(yaml.SafeLoader):
    """Knows no dates (they stay text) and nothing else that JSON lacks."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in known if tag in _PLAIN]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(path: Path, what: str, error: type[PaddlePruneError]) -> Any:
    """The values in a YAML or JSON file of at most 200 kB; `what` it is, for the message.

    Raises:
        error: it can't be read, or isn't plain YAML: see `parse_yaml`.
    """
    content = read_bytes(path, error, what, most=_LARGEST)
    try:
        return parse_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as cause:
        raise error(f"{what} {path} is not UTF-8 text (byte {cause.start})") from cause
    except ValueError as cause:
        raise error(f"{what} {path} is not YAML or JSON that can be read: {cause}") from cause


def parse_yaml(text: str) -> Any:
    """The values in a YAML text.

    Raises:
        ValueError: it isn't YAML; a key occurs twice; it is nested too deeply, or its aliases stand for too much; or
            a tag asks for something else than text, numbers, lists and mappings. The message is one line.
    """
    if _deepest(text) > _DEEPEST:  # PyYAML needs a while to find out
        raise ValueError("it is nested too deeply")
    try:
        loader = _Loader(text)
    except yaml.YAMLError as cause:
        raise ValueError("it holds characters that aren't text") from cause
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node, {})
        return loader.construct_document(node)
    except yaml.YAMLError as cause:
        raise ValueError(" ".join(str(cause).split())[:300]) from cause
    except RecursionError as cause:
        raise ValueError("it is nested too deeply") from cause
    finally:
        loader.dispose()


def _deepest(text: str) -> int:
    """How many brackets are open at once, at most; those in quoted text count, too."""
    steps = (1 if found[0] in "[{" else -1 for found in re.finditer(r"[\[\]{}]", text))
    return max(accumulate(steps), default=0)


def _check(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values a node stands for; what can't be meant is refused."""
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise ValueError(f"line {_line(node)} holds itself")
        return sizes[id(node)]
    sizes[id(node)] = 0
    if node.tag not in _PLAIN:
        raise ValueError(f"line {_line(node)} has the tag {node.tag.replace(_TAG, '!!')[:40]}, which isn't read")
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        parts = [part for pair in node.value for part in pair]
    else:
        parts = node.value if isinstance(node, yaml.SequenceNode) else []
        _check_scalar(node)
    size = 1 + sum(_check(part, sizes) for part in parts)
    if size > _MOST_VALUES:
        raise ValueError(f"it stands for more than {_MOST_VALUES:,} values")
    sizes[id(node)] = size
    return size


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"line {_line(key)} has a list or a mapping as a key")
        if key.value in seen:
            raise ValueError(f"line {_line(key)} has the key {key.value[:60]!r} again; keep one of them")
        seen.add(key.value)


def _check_scalar(node: yaml.Node) -> None:
    """Refuse a number that is none (`!!int abc`) or that nobody means (5,000 digits)."""
    if not isinstance(node, yaml.ScalarNode) or node.tag.removeprefix(_TAG) not in ("bool", "int", "float"):
        return
    if len(node.value) > 100:
        raise ValueError(f"line {_line(node)} has a number of {len(node.value)} characters")
    try:
        _Loader("").construct_object(node)
    except Exception as cause:  # whatever Python's own conversions raise
        shown = node.value[:40]
        raise ValueError(f"line {_line(node)} has {shown!r}, which is no {node.tag.removeprefix(_TAG)}") from cause


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
