"""What every layer of the dense network gave, at sampled positions of its output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import paddle
from paddle import nn

from paddleprune.console import progress
from paddleprune.graph.inputs import leaves, map_leaves
from paddleprune.graph.modes import in_mode
from paddleprune.graph.tensors import viewed
from paddleprune.interfaces import Array
from paddleprune.machine.heap import kept_heap
from paddleprune.measure.evaluation import free_memory
from paddleprune.paddle_private.widths import TRANSPOSED
from paddleprune.repair.readers import READABLE, groups_of, inputs_at, matrices, outputs_at, places_of, positions_of

ROWS = 16384
"""Rows of a layer's output that are kept over all samples, at most."""
_FEWEST, _FOR_EACH = 2048, 16
"""The same at least, and for each number that a row of the layer's input holds; samples may have fewer."""
_SHARE = 0.25
"""Of the free memory that recording may take, unless it is told otherwise."""
_QUICK, _AT_LEAST = 512 * 2**20, 16
"""Bytes of activations up to which more samples at once are faster; so many samples are run at once all the same."""
_ROUNDING = 1e-3
"""How far a layer's output may be from its input times its weight, as a share of the output's largest value."""
Call: TypeAlias = "Callable[[str, nn.Layer, Array, Array | None], None]"
"""(name, layer, input, output): what happens at a call of a layer; the output is None before it ran.

Both arrays are only good until the call returns.
"""


@dataclass(frozen=True)
class Seen:
    """What one call of a layer gave.

    Attributes:
        rows: [R], which rows of the output, ascending.
        output: [R, channels].
        shape: of the whole output.
        places: of the input, but for its channels.
        held: how many rows of these belong to the samples that are held out, at the end.
    """

    rows: Array
    output: Array
    shape: tuple[int, ...]
    places: tuple[int, ...]
    held: int


@dataclass
class Record:
    """What the dense network gave for some samples.

    Attributes:
        batches: the samples: arguments of the forward, as nests of arrays.
        seen: for each batch, layer name -> its calls in order.
        unread: layers that can't be refitted, with the reason.
    """

    batches: list[tuple[Any, ...]]
    seen: list[dict[str, list[Seen]]] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return sum(size_of(batch) for batch in self.batches)


def record(layer: nn.Layer, inputs: tuple[Any, ...], memory: int | None = None) -> Record:
    """Run the dense network once and keep what its layers give.

    The same inputs give the same record. Every eighth sample of a batch, rounded down, is held out: it judges a
    refit, and none is made from it.

    Args:
        layer: the dense network; left as it was.
        inputs: its arguments for all samples: nests of arrays [N, ...].
        memory: bytes that it may take; by default a quarter of what is free. Of large images it decides how many
            are run at once.
    """
    budget = int(free_memory() * _SHARE) if memory is None else memory
    found = Record(_batches(layer, inputs, budget // 2))
    wanted = {name: rows_for(sub) for name, sub in readable(layer)}
    fits = min(1.0, budget / 8 / max(sum(wanted[name] * _channels(sub) for name, sub in readable(layer)), 1))
    generator = np.random.default_rng(0)
    with kept_heap(), progress("record the dense network", len(found.batches)) as bar:
        for batch in found.batches:
            size, seen = size_of(batch), dict[str, list[Seen]]()

            def note(name: str, sub: nn.Layer, value: Array, output: Array | None, n: int = size) -> None:
                assert output is not None
                kept = _look(sub, value, output, n, fits * wanted[name] * n / found.samples, generator)
                found.seen[-1].setdefault(name, []).append(kept)
                if name not in found.unread and not _is_product(sub, value, output, kept):
                    found.unread[name] = "its output isn't its input times its weight"

            found.seen.append(seen)
            with watching(layer, after=note):
                run(layer, batch)
            bar.advance()
    grouped = [n for n, sub in readable(layer) if isinstance(sub, TRANSPOSED) and groups_of(sub) > 1]
    found.unread |= dict.fromkeys(grouped, "it is transposed, in groups: a cut doesn't say which of its outputs stay")
    found.unread |= {
        n: "evaluation doesn't run it, or only by keywords" for n, _ in readable(layer) if n not in found.seen[0]
    }
    return found


def readable(layer: nn.Layer) -> Iterator[tuple[str, nn.Layer]]:
    """The layers that can be refitted, by name."""
    for name, sub in layer.named_sublayers(include_self=True):
        if isinstance(sub, READABLE):
            yield name, sub


@contextmanager
def watching(layer: nn.Layer, before: Call | None = None, after: Call | None = None) -> Iterator[None]:
    """While open, something happens before or after each call of a layer that can be refitted.

    Of a call by keywords nothing is told: Paddle's hooks don't get them.
    """

    def pre(name: str) -> Any:
        return lambda sub, given: before(name, sub, viewed(given[0]), None) if before and given else None

    def post(name: str) -> Any:
        return lambda sub, given, output: (
            after(name, sub, viewed(given[0]), viewed(output)) if after and given else None
        )

    hooks = []
    for name, sub in readable(layer):
        if before:
            hooks.append(sub.register_forward_pre_hook(pre(name)))
        if after:
            hooks.append(sub.register_forward_post_hook(post(name)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def run(layer: nn.Layer, batch: tuple[Any, ...]) -> None:
    """One forward pass in evaluation mode, without gradients; the layer keeps its mode."""
    with in_mode(layer, train=False), paddle.no_grad():
        layer(*map_leaves(paddle.to_tensor, list(batch)))


def rows_for(layer: nn.Layer) -> int:
    """How many rows of a layer's output are wanted over all samples."""
    wide = int(matrices(layer).shape[1])
    return min(ROWS, max(_FEWEST, _FOR_EACH * wide))


def draw_rows(layer: nn.Layer, output: Array, wanted: float, generator: np.random.Generator) -> Array:
    """Numbers of about so many rows of an output, one at least, ascending."""
    total = positions_of(layer, output)
    return np.sort(generator.choice(total, min(total, max(round(wanted), 1)), replace=False))


def _look(
    layer: nn.Layer, value: Array, output: Array, samples: int, wanted: float, generator: np.random.Generator
) -> Seen:
    rows = draw_rows(layer, output, max(wanted, samples), generator)
    total = positions_of(layer, output)
    held_from = total - total // samples * (samples // 8) if total % samples == 0 else total
    held = int((rows >= held_from).sum())
    return Seen(rows, outputs_at(layer, output, rows), output.shape, places_of(layer, value), held)


def _is_product(layer: nn.Layer, value: Array, output: Array, seen: Seen) -> bool:
    """Is what the layer gave what this project reads of it? (A type of layer may have a forward of its own.)"""
    some = slice(0, 64)
    try:
        made = inputs_at(layer, value, output, seen.rows[some]) @ matrices(layer)
    except (ValueError, IndexError):
        return False
    made = made.transpose(1, 0, 2).reshape(made.shape[1], -1)
    if layer.bias is not None:
        made = made + layer.bias.numpy()
    given = seen.output[some]
    close = np.abs(made - given).max(initial=0) <= _ROUNDING * max(float(np.abs(given).max(initial=0)), 1e-6)
    return bool(made.shape == given.shape and close)


def _channels(layer: nn.Layer) -> int:
    weights = matrices(layer)
    return int(weights.shape[0] * weights.shape[2])


def _batches(layer: nn.Layer, inputs: tuple[Any, ...], budget: int) -> list[tuple[Any, ...]]:
    """The samples in batches whose activations fit; few of large images, since that is faster."""
    count, each = size_of(inputs), max(_activations(layer, inputs), 1)
    size = max(1, min(count, budget // each, max(_QUICK // each, _AT_LEAST)))
    step = -(-count // -(-count // size))
    return [part_of(inputs, start, start + step) for start in range(0, count, step)]


def _activations(layer: nn.Layer, inputs: tuple[Any, ...]) -> int:
    """Bytes of what the layers give for one sample, all together: more than is there at any one time."""
    first = part_of(inputs, 0, 1)
    taken = [sum(leaf.nbytes for leaf in leaves(list(first)))]

    def count(name: str, sub: nn.Layer, value: Array, output: Array | None) -> None:
        taken.append(0 if output is None else output.nbytes)

    with watching(layer, after=count):
        run(layer, first)
    return sum(taken)


def part_of(inputs: tuple[Any, ...], start: int, stop: int) -> tuple[Any, ...]:
    """Some of the samples."""
    return tuple(map_leaves(lambda array: array[start:stop], list(inputs)))


def size_of(inputs: Sequence[Any]) -> int:
    """How many samples there are."""
    return int(leaves(list(inputs))[0].shape[0])
