"""Samples out of anything that gives batches, such as a `paddle.io.DataLoader`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from paddleprune.api.data import Data
from paddleprune.errors import ConfigError
from paddleprune.graph import Input
from paddleprune.graph.inputs import leaves, map_leaves
from paddleprune.interfaces import Array, Dataset
from paddleprune.specs import DatasetConfig
from paddleprune.training import LoadedModel

CalibrationData: TypeAlias = "Data | Iterable[Any]"
"""Data, or something that gives batches: arrays [N, ...] for the network's inputs, and labels behind them."""
ENOUGH = 256
"""Samples that are taken out of batches where nobody says how many."""
_WAY_OUT = "a batch is an array [N, ...] for each input of the network; what follows them, such as labels, is ignored"


def gives_batches(given: object) -> TypeGuard[Iterable[Any]]:
    """Is it something to iterate over, and none of the other forms that samples are given in?"""
    known = (str, Path, Mapping, DatasetConfig, Dataset, list, tuple)
    return isinstance(given, Iterable) and not isinstance(given, known) and not hasattr(given, "__array__")


def first_samples(batches: Iterable[Any], inputs: Sequence[Any], count: int) -> tuple[Any, ...]:
    """The first samples of some batches, as the arguments of a forward: nests of arrays [N, ...].

    Args:
        batches: each an array, or a list that begins with an entry for each argument. Of dicts what the forward reads
            is taken.
        inputs: nests of `Input`, an entry for each argument.
        count: how many samples, at most; no batch is drawn after them.

    Raises:
        ConfigError: a batch holds something else than arrays, or there is none.
    """
    found: list[list[Array]] = []
    left = count
    for number, batch in enumerate(batches):
        place = f"batch {number} of calibration"
        entries = batch if isinstance(batch, list | tuple) else [batch]
        if len(entries) < len(inputs):
            raise ConfigError(f"{place} has {len(entries)} parts, and the network takes {len(inputs)}; {_WAY_OUT}")
        pairs = zip(entries, inputs, strict=False)
        arrays = [part for entry, wanted in pairs for part in _arrays(entry, wanted, place)]
        sizes = {len(array) for array in arrays}
        if len(sizes) != 1:
            raise ConfigError(f"{place} has arrays of {sorted(sizes)} samples; {_WAY_OUT}")
        found.append([array[:left] for array in arrays])
        left -= len(found[-1][0])
        if left <= 0:
            break
    if left == count:
        raise ConfigError("calibration gives no samples; give some (200 suffice)")
    whole = iter([np.concatenate(parts) for parts in zip(*found, strict=True)])
    return tuple(map_leaves(lambda _: next(whole), entry) for entry in inputs)


def as_dataset(calibration: CalibrationData | None, loaded: LoadedModel, count: int) -> Data | None:
    """Calibration data of a checkpoint; batches as a dataset of their first samples.

    Raises:
        ConfigError: as `first_samples` says.
    """
    if calibration is None or not gives_batches(calibration):
        return calibration  # type: ignore[return-value]
    inputs = [Input((1, *shape)) for shape in loaded.options.input_shapes()]
    return _Taken(first_samples(calibration, inputs, count))


class _Taken(Dataset):
    """Samples without labels that have been read already."""

    labels = ()

    def __init__(self, arrays: tuple[Array, ...]) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self._arrays[0])

    def __getitem__(self, index: int) -> tuple[tuple[Array, ...], int]:
        return tuple(array[index] for array in self._arrays), 0


def _arrays(entry: Any, wanted: Any, place: str) -> list[Array]:
    """The leaves of an entry that a forward reads, as arrays."""
    if isinstance(wanted, dict) and isinstance(entry, Mapping) and wanted.keys() <= entry.keys():
        entry = {key: entry[key] for key in wanted}
    found = leaves(entry)
    wrong = next((leaf for leaf in found if not hasattr(leaf, "__array__") or not np.ndim(leaf)), None)
    if wrong is not None or len(found) != len(leaves(wanted)):
        held = type(entry).__name__ if wrong is None else repr(wrong)[:60]
        raise ConfigError(f"{place} holds {held}; {_WAY_OUT}")
    return [np.asarray(leaf) for leaf in found]
