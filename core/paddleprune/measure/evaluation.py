"""Evaluation is *forward* + *metric*, kept apart, so that a faster exact forward can take the first one's place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import paddle
from paddle import nn

from paddleprune.console import say
from paddleprune.errors import DataError
from paddleprune.graph.inputs import map_leaves
from paddleprune.interfaces import Array, Batch, Dataset, Metric, Sample, read_sample
from paddleprune.machine.cpu import cpu_threads
from paddleprune.measure.drawn import LARGE, SAMPLED

Forward: TypeAlias = Callable[[tuple[Array, ...]], tuple[Array, ...]]
"""(the inputs of a batch) -> the model's outputs, flattened in order."""
HASHED = 500
"""Samples of large data that are decoded to tell what it is."""


def flatten(outputs: Any) -> tuple[Any, ...]:
    """A model's outputs (a tensor, or lists, tuples and dicts of them) as one tuple, in order.

    None is left out: several networks return it for a head that is off.
    """
    if outputs is None:
        return ()
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if isinstance(outputs, (list, tuple)):
        return tuple(leaf for part in outputs for leaf in flatten(part))
    return (outputs,)


def eager_forward(layer: nn.Layer) -> Forward:
    """The layer itself in evaluation mode, without gradients. The layer is left in evaluation mode.

    What it returns beside its tensors is left out.
    """

    def forward(inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        layer.eval()
        with paddle.no_grad():
            leaves = flatten(layer(*map_leaves(paddle.to_tensor, list(inputs))))
        outputs = [leaf for leaf in leaves if isinstance(leaf, paddle.Tensor)]
        return tuple(np.asarray(y.astype("float32") if y.dtype == paddle.bfloat16 else y) for y in outputs)

    return forward


class Batches:
    """The samples of a dataset, in order and in batches; each is decoded once and kept while memory allows.

    Args:
        dataset: what to read; several threads decode at once.
        batch_size: samples a batch; the last one may be smaller. It may be changed at any time.
        memory: bytes of decoded samples to keep, 0 where each is read once; by default a quarter of the
            memory that is free now.
    """

    def __init__(self, dataset: Dataset, batch_size: int, memory: int | None = None) -> None:
        if len(dataset) == 0:
            raise DataError("the evaluation dataset has no samples")
        self.dataset, self.batch_size = dataset, batch_size
        self.memory = free_memory() // 4 if memory is None else memory
        self._kept: list[Sample] = []
        self._kept_bytes = 0
        self._digest: str | None = None

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.dataset), self.batch_size):
            yield self.take(start, start + self.batch_size)

    def take(self, start: int, stop: int) -> Batch:
        """The samples from `start` to `stop`, or to the end, as a batch."""
        return self.dataset.collate(self._samples(start, min(stop, len(self.dataset))))

    def _samples(self, start: int, stop: int) -> list[Sample]:
        kept = self._kept[start:stop]
        missing = range(start + len(kept), stop)
        if not missing:
            return kept
        decoded = self._decoded(missing)
        self._keep(missing.start, decoded)
        return kept + decoded

    def _decoded(self, numbers: Iterable[int]) -> list[Sample]:
        with ThreadPoolExecutor(cpu_threads(), thread_name_prefix="decode") as pool:
            return list(pool.map(partial(read_sample, self.dataset), numbers))

    def _keep(self, start: int, samples: Sequence[Sample]) -> None:
        if start != len(self._kept) or self._kept_bytes > self.memory:
            return
        for sample in samples:
            self._kept_bytes += _size(sample)
            if self._kept_bytes > self.memory:
                if self.memory:
                    say(f"{len(self._kept)} of {len(self.dataset)} samples fit in memory; the others are decoded again")
                return
            self._kept.append(sample)

    def digest(self) -> str:
        """What the data is: a hash of every decoded input and target, so of images, labels and preprocessing.

        Of large data (more than `LARGE` samples) it is of what names the samples, `Dataset.listing`, of how many there
        are, and of `HASHED` decoded ones, spread evenly; it then begins with `SAMPLED`.
        """
        if self._digest is None:
            count = len(self.dataset)
            if count <= LARGE:
                starts = range(0, count, self.batch_size)
                parts = (self._samples(start, min(start + self.batch_size, count)) for start in starts)
                self._digest = _hash("", parts)
            else:
                some = np.linspace(0, count - 1, HASHED).astype(int).tolist()
                self._digest = SAMPLED + _hash(f"{count} {self.dataset.listing()}", [self._decoded(some)])
        return self._digest


def _size(value: Any) -> int:
    """Bytes of the arrays in a nest."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value))
    return value.nbytes if isinstance(value, np.ndarray) else 64


def _hash(said: str, parts: Iterable[Iterable[Sample]]) -> str:
    total = hashlib.sha256(said.encode())
    for inputs, target in chain.from_iterable(parts):
        _update(total, inputs)
        _update(total, target)
    return total.hexdigest()


def _update(total: Any, value: Any) -> None:
    """Feed arrays, or nests of them, to a hash."""
    if isinstance(value, dict):
        for key in value:
            total.update(str(key).encode())
            _update(total, value[key])
    elif isinstance(value, (list, tuple)):
        for part in value:
            _update(total, part)
    else:
        array = np.ascontiguousarray(value)
        total.update(f"{array.dtype}{array.shape}".encode())
        total.update(array.tobytes() if array.dtype != object else repr(array.tolist()).encode())


def free_memory() -> int:
    """Bytes of memory that are free now."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def evaluate(
    forward: Forward, metric: Metric, batches: Batches | Sequence[Batch], on_batch: Callable[[], None] | None = None
) -> dict[str, float]:
    """Run every batch through the forward and the metric.

    Args:
        forward: gives a batch's outputs.
        metric: is reset first.
        batches: what to run.
        on_batch: called after each batch (progress).

    Returns:
        Each value of the metric by its name.
    """
    metric.reset()
    for inputs, targets in batches:
        metric.update(forward(inputs), targets)
        if on_batch is not None:
            on_batch()
    return dict(zip(metric.name(), (float(value) for value in metric.accumulate()), strict=True))
