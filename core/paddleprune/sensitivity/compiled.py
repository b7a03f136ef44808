"""A network cut in two where masks begin to matter: exact, and far faster on a CPU than eager Paddle.

The traced program is cloned with a multiplication by a mask wherever a consumer reads channels that could be
removed: masking where consumers read is exact. Of the clone, what no mask can affect (the prefix) is run once
for a batch, and what masks affect (the suffix) once for each of them; both by Paddle Inference, with oneDNN.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.graph import ChannelGraph
from paddleprune.graph.channels import Read
from paddleprune.graph.inputs import leaves
from paddleprune.graph.trace import Capture, capture, is_tensor
from paddleprune.interfaces import Array
from paddleprune.sensitivity.flow import Cut, Flow
from paddleprune.sensitivity.folding import fold
from paddleprune.sensitivity.programs import Compiled, Part, Source

_LARGEST_VALUE = 64 * 2**20
"""Bytes of the largest value of a run: bounds the memory that a run takes."""
_LARGEST_RUN = 32


class CompiledNetwork:
    """A network from which programs for masked evaluation are cut.

    Args:
        layer: the dense network that the graph was built from; it must be traceable.
        graph: its channel graph.
        samples: samples a run, a smaller number of them is padded; None for any number, which some networks can't.
    """

    def __init__(self, layer: nn.Layer, graph: ChannelGraph, samples: int | None = None) -> None:
        self.graph, self._fixed = graph, samples
        captured = capture(layer, graph.inputs, samples or -1)
        self._flow = Flow(captured)
        self.source = Source(layer, captured, fold(layer, self._flow))
        self._onednn = not _channels_last(captured)

    def open(self, units: Iterable[int]) -> MaskedProgram:
        """Compile what it takes to run the network without any of these units."""
        reads = self._reads(units)
        cut = self._flow.cut({read.op for read in reads})
        return MaskedProgram(self.source, self._flow, cut, reads, self._fixed, onednn=self._onednn)

    def cut(self, units: Iterable[int]) -> Cut:
        """Where the program is cut for these units."""
        return self._flow.cut({read.op for read in self._reads(units)})

    def _reads(self, units: Iterable[int]) -> list[Read]:
        wanted = np.fromiter(units, np.int64)
        return [read for read in self.graph.reads if np.isin(read.units, wanted).any()]


class MaskedProgram:
    """The prefix and suffix of a cut, compiled.

    Args:
        source: what they are parts of.
        flow: its dependencies.
        cut: where it is cut.
        reads: where masks are read.
        fixed: samples a run, where they can't be any number.
        onednn: whether to use oneDNN.
    """

    def __init__(
        self, source: Source, flow: Flow, cut: Cut, reads: Sequence[Read], fixed: int | None, *, onednn: bool
    ) -> None:
        outputs = source.captured.outputs
        self._reads, self.affected, self._fixed = reads, cut.affected, fixed
        self.samples = fixed or _run_size(flow, cut)
        self._border = {f"border_{i}": value for i, value in enumerate(cut.border)}
        numbers = flow.inputs
        self._given = {name: numbers[value.id] for name, value in self._border.items() if value.id in numbers}
        inner = [value for name, value in self._border.items() if name not in self._given]
        others = [value for i, value in enumerate(outputs) if i not in cut.affected]
        inputs = {f"input_{number}": _value(flow, key) for key, number in numbers.items()}
        self._prefix = self._suffix = None
        if inner or others:
            self._prefix = Compiled(source, Part(cut.prefix, inputs, [*inner, *others]), onednn=onednn)
        if cut.affected:
            part = Part(cut.suffix, self._border, [outputs[i] for i in cut.affected], reads)
            self._suffix = Compiled(source, part, onednn=onednn)

    def run(self, inputs: tuple[Array, ...], removals: Sequence[Collection[int]]) -> Iterator[tuple[Array, ...]]:
        """The network's outputs for a batch, once without each of these collections of units."""
        arrays = leaves(list(inputs))
        size = len(arrays[0])
        found: list[list[tuple[Array, ...]]] = [[] for _ in removals]
        masks = [self._masks(removed) for removed in removals]
        for start in range(0, size, self.samples):
            piece = [array[start : start + self.samples] for array in arrays]
            for place, outputs in zip(found, self._run_piece(piece, masks), strict=True):
                place.append(outputs)
        for pieces in found:
            yield pieces[0] if len(pieces) == 1 else tuple(map(np.concatenate, zip(*pieces, strict=True)))

    def _masks(self, removed: Collection[int]) -> list[Array]:
        gone = np.fromiter(removed, np.int64)
        return [(~np.isin(read.units, gone)).astype(np.float32) for read in self._reads]

    def _run_piece(self, arrays: list[Array], masks: Sequence[list[Array]]) -> Iterator[tuple[Array, ...]]:
        """The outputs for so many samples as a run takes, once for each set of masks."""
        size = len(arrays[0])
        if self._fixed:
            arrays = [np.resize(array, (self._fixed, *array.shape[1:])) for array in arrays]
        others = self._feed_border(arrays)
        for values in masks:
            outputs = dict(zip(self.affected, self._run_suffix(values), strict=True))
            rest = iter(others)
            count = len(outputs) + len(others)
            yield tuple((outputs[i] if i in outputs else next(rest))[:size] for i in range(count))

    def _feed_border(self, arrays: list[Array]) -> list[Array]:
        """Compute the border and give it to the suffix; the outputs that no mask affects."""
        for name, number in self._given.items():
            self._feed_suffix(name, arrays[number])
        if self._prefix is None:
            return []
        for number, array in enumerate(arrays):
            self._prefix.feed(f"input_{number}", array)
        values = iter(self._prefix.run())
        for name in self._border:
            if name not in self._given:
                self._feed_suffix(name, next(values))
        return list(values)

    def _feed_suffix(self, name: str, array: Array) -> None:
        if self._suffix is not None:
            self._suffix.feed(name, array)

    def _run_suffix(self, masks: list[Array]) -> tuple[Array, ...]:
        if self._suffix is None:
            return ()
        for i, mask in enumerate(masks):
            self._suffix.feed(f"mask_{i}", mask)
        return self._suffix.run()


def _run_size(flow: Flow, cut: Cut) -> int:
    """How many samples to run at once, so that what an operation reads and makes stays in the cache."""
    sizes = [_bytes(value) for i in cut.suffix for value in (*flow.makes[i], *flow.reads[i])]
    fits = max(1, _LARGEST_VALUE // max(sizes, default=1))
    return int(min(_LARGEST_RUN, 2 ** (fits.bit_length() - 1)))


def _bytes(value: Any) -> int:
    """Bytes of a value for one sample; 1 for what doesn't grow with the samples."""
    if not is_tensor(value) or not value.shape or value.shape[0] > 0:
        return 1
    return 4 * int(np.prod([abs(n) for n in value.shape[1:]]))


def _value(flow: Flow, identity: Any) -> Any:
    return next(value for value in flow.makes[flow.maker[identity]] if value.id == identity)


def _channels_last(captured: Capture) -> bool:
    """Whether an operation reads its channels on the last axis: there oneDNN multiplies by a mask wrongly."""
    return any(raw.attrs().get("data_format") in ("NHWC", "NDHWC", "NLC") for raw in captured.ops)
