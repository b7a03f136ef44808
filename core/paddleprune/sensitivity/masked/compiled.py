"""A network cut in two where masks begin to matter: exact, and far faster on a CPU than eager Paddle.

The traced program is cloned with a multiplication by a mask wherever a consumer reads channels that could be
removed: masking where consumers read is exact. Of the clone, what no mask can affect (the prefix) is run once
for a batch, and what masks affect (the suffix) once for each of them; both by Paddle Inference, with oneDNN.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.errors import GraphError
from paddleprune.graph import ChannelGraph
from paddleprune.graph.capture import Capture, capture, is_tensor
from paddleprune.graph.channels import Read
from paddleprune.graph.inputs import leaves
from paddleprune.interfaces import Array, Reduction
from paddleprune.sensitivity.masked.flow import Cut, Flow
from paddleprune.sensitivity.masked.folding import fold
from paddleprune.sensitivity.masked.programs import Compiled, Part, Source

_LARGEST_VALUE = 32 * 2**20
"""Bytes of the largest value of a run: bounds the memory that a run takes."""
_LARGEST_RUN = 32


class CompiledNetwork:
    """A network from which programs for masked evaluation are cut.

    Args:
        layer: the dense network that the graph was built from; it must be traceable.
        graph: its channel graph.
        samples: samples a run, a smaller number of them is padded; None for any number, which some networks can't.
        reduction: what can be asked for in the outputs' place.

    Raises:
        GraphError: it can't be traced for so many samples, or does something else then.
    """

    def __init__(
        self, layer: nn.Layer, graph: ChannelGraph, samples: int | None = None, reduction: Reduction | None = None
    ) -> None:
        self.graph, self._fixed, self._reduction = graph, samples, reduction
        captured = capture(layer, graph.inputs, samples or -1)
        self._all_reads = _found_again(graph, captured)
        self._flow = Flow(captured)
        self.source = Source(layer, captured, fold(layer, self._flow))
        self._onednn = not _channels_last(captured)

    def open(self, *units: Iterable[int]) -> MaskedProgram:
        """Compile what it takes to run the network without some of the units of one of these collections."""
        reads = [self._reads(each) for each in units]
        return MaskedProgram(self.source, self._flow, reads, self._fixed, self._reduction, onednn=self._onednn)

    def cut(self, units: Iterable[int]) -> Cut:
        """Where the program is cut for these units."""
        return self._flow.cut({read.op for read in self._reads(units)})

    def _reads(self, units: Iterable[int]) -> list[Read]:
        wanted = np.fromiter(units, np.int64)
        return [read for read in self._all_reads if np.isin(read.units, wanted).any()]


class MaskedProgram:
    """A prefix and the suffixes behind it, compiled.

    Args:
        source: what they are parts of.
        flow: its dependencies.
        reads: for each suffix where it reads masks.
        fixed: samples a run, where they can't be any number.
        reduction: what can be asked for in the outputs' place.
        onednn: whether to use oneDNN.

    Attributes:
        samples: how many are run at once.
        suffixes: for each collection of reads, what its masks affect.
    """

    def __init__(
        self,
        source: Source,
        flow: Flow,
        reads: Sequence[Sequence[Read]],
        fixed: int | None,
        reduction: Reduction | None,
        *,
        onednn: bool,
    ) -> None:
        cuts = [flow.cut({read.op for read in each}) for each in reads]
        self._fixed, self._reduction = fixed, reduction
        self.samples = fixed or min(_run_size(flow, cut.suffix) for cut in cuts)
        self.suffixes = [_Suffix(source, cut, each, reduction, onednn) for cut, each in zip(cuts, reads, strict=True)]
        inputs = {f"input_{number}": value for number, value in enumerate(flow.inputs)}
        self._numbers = {value.id: number for number, value in enumerate(flow.inputs)}
        needed = {value.id: value for suffix in self.suffixes for value in suffix.needs}
        self._inner = [identity for identity in needed if identity not in self._numbers]
        self._prefix = None
        if self._inner:
            ops = sorted({i for cut in cuts for i in cut.prefix})
            self._ahead = fixed or _run_size(flow, ops)
            part = Part(ops, inputs, [needed[identity] for identity in self._inner])
            self._prefix = Compiled(source, part, onednn=onednn)

    def run(
        self, inputs: tuple[Array, ...], removals: Sequence[tuple[int, Collection[int]]], *, reduced: bool = False
    ) -> Iterator[tuple[Array, ...]]:
        """The network's outputs for a batch, once for each removal.

        Args:
            inputs: the batch.
            removals: the number of a suffix, and the units that go.
            reduced: whether to give what the reduction makes of them instead, if there is one.
        """
        reduction = self._reduction if reduced else None
        arrays = leaves(list(inputs))
        size = len(arrays[0])
        found: list[list[tuple[Array, ...]]] = [[] for _ in removals]
        masks = [(self.suffixes[number], self.suffixes[number].masks(removed)) for number, removed in removals]
        for start in range(0, size, self.samples):
            piece = [array[start : start + self.samples] for array in arrays]
            length = len(piece[0])
            if self._fixed:
                piece = [np.resize(array, (self._fixed, *array.shape[1:])) for array in piece]
            values = self._values(piece)
            for suffix in {id(suffix): suffix for suffix, _ in masks}.values():
                suffix.feed(values)
            for place, (suffix, mask) in zip(found, masks, strict=True):
                place.append(tuple(y[:length] for y in suffix.run(mask, reduction)))
        for pieces in found:
            yield _joined(pieces)

    def _values(self, arrays: list[Array]) -> dict[Any, Array]:
        """What the suffixes need: the network's inputs, and what the prefix makes of them."""
        values = {identity: arrays[number] for identity, number in self._numbers.items()}
        if self._prefix is not None:
            pieces = []
            for start in range(0, len(arrays[0]), self._ahead):
                for number, array in enumerate(arrays):
                    self._prefix.feed(f"input_{number}", array[start : start + self._ahead])
                pieces.append(self._prefix.run())
            values.update(zip(self._inner, _joined(pieces), strict=True))
        return values


class _Suffix:
    """What masks affect, compiled; and the outputs that they don't affect."""

    def __init__(
        self, source: Source, cut: Cut, reads: Sequence[Read], reduction: Reduction | None, onednn: bool
    ) -> None:
        outputs = source.captured.outputs
        self._reduces = reduction is not None and len(cut.affected) == len(outputs)
        self._reads, self.affected = reads, cut.affected
        self._border = {f"border_{i}": value for i, value in enumerate(cut.border)}
        self._others = {i: value for i, value in enumerate(outputs) if i not in cut.affected}
        self._fixed_outputs: dict[int, Array] = {}
        self.needs = [*self._border.values(), *self._others.values()]
        self._compiled = None
        if cut.affected:
            inside = reduction if self._reduces else None
            part = Part(cut.suffix, self._border, [outputs[i] for i in cut.affected], reads, inside)
            self._compiled = Compiled(source, part, onednn=onednn)

    def masks(self, removed: Collection[int]) -> list[Array]:
        """What is multiplied with, where masks are read."""
        gone = np.fromiter(removed, np.int64)
        return [(~np.isin(read.units, gone)).astype(np.float32) for read in self._reads]

    def feed(self, values: Mapping[Any, Array]) -> None:
        """Give it the values of the border and the outputs that no mask affects."""
        if self._compiled is not None:
            for name, value in self._border.items():
                self._compiled.feed(name, values[value.id])
        self._fixed_outputs = {i: values[value.id] for i, value in self._others.items()}

    def run(self, masks: list[Array], reduction: Reduction | None) -> tuple[Array, ...]:
        """All of the network's outputs, or what a reduction makes of them."""
        found = dict(self._fixed_outputs)
        if self._compiled is not None:
            for i, mask in enumerate(masks):
                self._compiled.feed(f"mask_{i}", mask)
            if reduction is not None and self._reduces:
                return self._compiled.run(reduced=True)
            found.update(zip(self.affected, self._compiled.run(), strict=True))
        outputs = tuple(found[i] for i in range(len(found)))
        return outputs if reduction is None else reduced(reduction, outputs)


def _found_again(graph: ChannelGraph, captured: Capture) -> list[Read]:
    """The reads of a graph in another program of its network.

    Of any number of samples a program computes more sizes than that of one, so that its operations have other numbers:
    what counts is which of its kind an operation is.
    """
    before, now = _by_kind(graph.operations), _by_kind([raw.name() for raw in captured.ops])
    found = []
    for read in graph.reads:
        kind = graph.operations[read.op]
        if len(before[kind]) != len(now.get(kind, ())):
            raise GraphError(f"for so many samples the network has another number of {kind.removeprefix('pd_op.')}")
        found.append(replace(read, op=now[kind][before[kind].index(read.op)]))
    return found


def _by_kind(names: Iterable[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        found.setdefault(name, []).append(number)
    return found


def reduced(reduction: Reduction, outputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """What a reduction makes of outputs that are here already."""
    with paddle.no_grad():
        return tuple(y.numpy() for y in reduction(tuple(map(paddle.to_tensor, outputs))))


def _joined(pieces: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
    """The values for all samples, from those for some of them."""
    return pieces[0] if len(pieces) == 1 else tuple(map(np.concatenate, zip(*pieces, strict=True)))


def _run_size(flow: Flow, ops: Sequence[int]) -> int:
    """How many samples these operations are run on at once, so that what one of them makes isn't too large."""
    sizes = [_bytes(value) for i in ops for value in (*flow.makes[i], *flow.reads[i])]
    fits = max(1, _LARGEST_VALUE // max(sizes, default=1))
    return int(min(_LARGEST_RUN, 2 ** (fits.bit_length() - 1)))


def _bytes(value: Any) -> int:
    """Bytes of a value for one sample; 1 for what doesn't grow with the samples."""
    if not is_tensor(value) or not value.shape or value.shape[0] > 0:
        return 1
    return 4 * int(np.prod([abs(n) for n in value.shape[1:]]))


def _channels_last(captured: Capture) -> bool:
    """Whether an operation reads its channels on the last axis: there oneDNN multiplies by a mask wrongly."""
    return any(raw.attrs().get("data_format") in ("NHWC", "NDHWC", "NLC") for raw in captured.ops)
