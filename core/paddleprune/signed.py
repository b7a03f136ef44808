"""JSON files that know their format and carry a digest of their own content, so that damage doesn't go unnoticed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError

from paddleprune.console import say
from paddleprune.errors import PaddlePruneError
from paddleprune.files import kind_of, parse_json, read_bytes, write_bytes
from paddleprune.problems import first_problem
from paddleprune.specs import Contract

DIGEST = "sha256"
"""The field that holds the digest; the rest of the file is what it is of."""
_SAID: set[Path] = set()


class Signed(Contract):
    """What such a file holds. The default of `schema_version` is the newest format.

    Attributes:
        signed_since: the first format that has a digest; earlier ones are read without.
        way_out: what to do about a file that isn't what was saved.
    """

    signed_since: ClassVar[int]
    way_out: ClassVar[str]

    schema_version: int


File = TypeVar("File", bound=Signed)


def digest_of(data: dict[str, Any]) -> str:
    """SHA-256 of a file's content: the fields in their order and their values; white space doesn't count."""
    rest = {name: value for name, value in data.items() if name != DIGEST}
    return hashlib.sha256(json.dumps(rest, separators=(",", ":")).encode()).hexdigest()


def dump_signed(content: Signed) -> bytes:
    """The file's bytes."""
    data = json.loads(content.model_dump_json())
    return (json.dumps({**data, DIGEST: digest_of(data)}, indent=2) + "\n").encode()


def write_signed(path: Path, content: Signed) -> None:
    """Replace the file, atomically.

    Raises:
        SaveError: the disk is full, or the place can't be written.
    """
    write_bytes(path, dump_signed(content))


def read_signed(path: Path, model: type[File], error: type[PaddlePruneError], *, edited: bool = False) -> File:
    """Read such a file.

    Args:
        path: the file.
        model: what it holds.
        error: what to raise.
        edited: somebody changed it on purpose: don't ask for its digest.

    Raises:
        error: it is missing or isn't such a file, a newer version wrote it, or it isn't what was saved.
    """
    newest = int(model.model_fields["schema_version"].default)
    try:
        data = parse_json(read_bytes(path, error))
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
        said, signature = data.get("schema_version", 1), data.pop(DIGEST, None)
        if type(said) is int and said > newest:
            raise error(
                f"{path} has format {said}; this version reads up to {newest}: upgrade paddleprune, "
                "or use a file that this version wrote"
            )
        if not edited:
            _check(path, model, error, data, signature)
        found = model.model_validate(data)
    except ValidationError as cause:
        raise error(f"{path} is not a readable {kind_of(model)}: {first_problem(cause)}") from cause
    except (ValueError, RecursionError) as cause:
        raise error(f"{path} is not a readable {kind_of(model)}: {cause}") from cause
    return found.model_copy(update={"schema_version": newest})


def _check(
    path: Path, model: type[Signed], error: type[PaddlePruneError], data: dict[str, Any], signature: object
) -> None:
    said = data.get("schema_version", 1)
    if signature is None and type(said) is int and said < model.signed_since:
        if path not in _SAID:
            say(f"{path} is of an earlier format, without a digest of its content: damage to it can't be noticed")
            _SAID.add(path)
    elif signature != digest_of(data):
        what = "lacks the digest of its content" if signature is None else "isn't what was saved: its digest differs"
        raise error(f"{path} {what}, so that it is damaged or was edited; {model.way_out}")
