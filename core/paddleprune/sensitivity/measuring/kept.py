"""Entries that are being measured, kept beside the table, so that a stop in the middle costs seconds of work."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load as parse
from safetensors.numpy import save as dump

from paddleprune.files import check_writable, write_bytes
from paddleprune.interfaces import Array
from paddleprune.locks import locked
from paddleprune.sensitivity.measuring.scores import Tally
from paddleprune.sensitivity.table.file import Identity

_DIGEST = 32


@dataclass(frozen=True)
class Kept:
    """The tallies of groups that aren't in the table yet, a file a group.

    Attributes:
        folder: where they lie.
        owner: what they belong to; tallies of something else are passed over.
    """

    folder: Path
    owner: str

    @classmethod
    def beside(cls, save_file: Path, identity: Identity) -> Kept:
        """Those of a table."""
        return cls(folder_of(save_file), identity.model_dump_json())

    def save(self, group: str, baseline: float, batch_size: int, tallies: Mapping[float, Tally]) -> None:
        """Write a group's tallies, as far as they have come."""
        arrays: dict[str, Array] = {}
        for ratio, tally in tallies.items():
            state = tally.state() if tally.samples else None
            arrays.update({f"{ratio!r} {name}": array for name, array in (state or {}).items()})
        if arrays:
            content = dump(arrays)
            write_bytes(self._file(group), self._digest(group, baseline, batch_size, content) + content)

    def load(self, group: str, baseline: float, batch_size: int, tallies: Mapping[float, Tally]) -> None:
        """Let tallies go on where those that were kept had come to; what doesn't belong here is passed over."""
        try:
            said = self._file(group).read_bytes()
            digest, content = said[:_DIGEST], said[_DIGEST:]
            if digest != self._digest(group, baseline, batch_size, content):
                return
            arrays = parse(content)
        except (OSError, SafetensorError):
            return
        for ratio, tally in tallies.items():
            start = f"{ratio!r} "
            state = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
            if state:
                tally.restore(state)

    def _file(self, group: str) -> Path:
        return self.folder / _name(group)

    def _digest(self, group: str, baseline: float, batch_size: int, content: bytes) -> bytes:
        return hashlib.sha256(f"{self.owner} {group} {baseline!r} {batch_size}".encode() + content).digest()


@contextmanager
def writing_table(save_file: Path) -> Iterator[None]:
    """While open, no other call writes this table.

    Raises:
        ConfigError: one does already.
        SaveError: the place can't be written.
    """
    with locked(save_file.parent / f".{save_file.name}.lock", save_file, "choose another save_file"):
        check_writable(save_file)
        yield


def folder_of(save_file: Path) -> Path:
    """Where a table's unfinished groups are."""
    return save_file.parent / f".{save_file.name}.begun"


def drop(save_file: Path, groups: Iterable[str]) -> None:
    """Forget what was kept of groups that are in the table now."""
    for group in groups:
        (folder_of(save_file) / _name(group)).unlink(missing_ok=True)


def clear(save_file: Path) -> None:
    """Forget all of a table that is finished."""
    shutil.rmtree(folder_of(save_file), ignore_errors=True)


def _name(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()[:24]
