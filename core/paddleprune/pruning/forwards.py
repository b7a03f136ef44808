"""What a network returns for a probe, in each mode that a cut must survive; it is left as it was."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.errors import said_by
from paddleprune.graph.channels import Call
from paddleprune.graph.ends import noted
from paddleprune.graph.inputs import map_leaves
from paddleprune.graph.modes import evaluating, training
from paddleprune.graph.state import unchanged_buffers, undisturbed
from paddleprune.measure.evaluation import flatten


class ForwardError(Exception):
    """The network's own forward fails; the message is what it says.

    Attributes:
        trains: whether it was the training forward.
    """

    def __init__(self, error: Exception, trains: bool) -> None:
        super().__init__(f"in training mode, {said_by(error)}" if trains else said_by(error))
        self.trains = trains


@dataclass(frozen=True)
class Outputs:
    """What a network returned: tensors as arrays, and whatever else there is between them.

    Attributes:
        evaluated: leaves of what it returned in evaluation mode.
        trained: the same in training mode; empty where that isn't looked at.
    """

    evaluated: tuple[Any, ...]
    trained: tuple[Any, ...] = ()

    @property
    def leaves(self) -> tuple[Any, ...]:
        """All of them, those of the evaluation first."""
        return (*self.evaluated, *self.trained)


def run(layer: nn.Layer, inputs: Sequence[Any], trains: bool, ends: Collection[Call] = (), seed: int = 0) -> Outputs:
    """Run a layer on a probe; it is left as it was, and so are the generators of random numbers.

    Args:
        layer: any layer.
        inputs: an array, or a nest of arrays, for each argument of its forward.
        trains: whether to run it in training mode, too, as its own code has that.
        ends: calls whose results stand for what it returns in evaluation mode, as a graph has them.
        seed: of what the forward draws.

    Raises:
        ForwardError: it doesn't run.
    """
    evaluated = _run(layer, inputs, False, ends, seed)
    return Outputs(evaluated, _run(layer, inputs, True, (), seed) if trains else ())


def returned(layer: nn.Layer, inputs: Sequence[Any], ends: Collection[Call]) -> tuple[Any, ...]:
    """The leaves of what a layer returns; or, if it ends in a choice, what it chooses from.

    Args:
        layer: any layer.
        inputs: a tensor, or a nest of tensors, for each argument of its forward.
        ends: calls whose results are what it chooses from; none if it doesn't.
    """
    with noted(layer, ends) as found:
        outputs = flatten(layer(*inputs))
    return tuple(found[call] for call in ends) if ends else outputs


def noise(
    layer: nn.Layer, inputs: Sequence[Any], trains: bool, ends: Collection[Call] = ()
) -> tuple[bool, frozenset[int]]:
    """What random numbers decide: whether any output in evaluation mode, and which leaves in training mode.

    Raises:
        ForwardError: the layer doesn't run.
    """
    one, other = run(layer, inputs, trains, ends, 0), run(layer, inputs, trains, ends, 1)
    count = len(one.evaluated)
    if len(one.leaves) != len(other.leaves):
        return True, frozenset()
    pairs = enumerate(zip(one.leaves, other.leaves, strict=True))
    differ = frozenset(i for i, (a, b) in pairs if not _equal(a, b))
    return any(i < count for i in differ), frozenset(i for i in differ if i >= count)


def _run(layer: nn.Layer, inputs: Sequence[Any], train: bool, ends: Collection[Call], seed: int) -> tuple[Any, ...]:
    mode = training if train else evaluating
    with mode(layer), undisturbed(layer), unchanged_buffers(layer), _chance(seed), paddle.no_grad():
        try:
            return tuple(map(_leaf, returned(layer, map_leaves(paddle.to_tensor, list(inputs)), ends)))
        except Exception as error:
            raise ForwardError(error, train) from error


def _leaf(value: Any) -> Any:
    if not isinstance(value, paddle.Tensor):
        return value
    return (value.astype("float32") if value.dtype == paddle.bfloat16 else value).numpy()


@contextmanager
def _chance(seed: int) -> Iterator[None]:
    before = paddle.get_rng_state(), np.random.get_state(), random.getstate()
    paddle.seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    try:
        yield
    finally:
        paddle.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def is_numbers(value: Any) -> bool:
    """Is a leaf an array of numbers?"""
    return isinstance(value, np.ndarray) and value.dtype.kind in "biufc"


def _equal(a: Any, b: Any) -> bool:
    if is_numbers(a) and is_numbers(b):
        return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    return same(a, b)


def _can_say(kind: type) -> bool:
    """Do things of a type know when they are equal, beyond being one and the same?"""
    return any("__eq__" in vars(above) for above in kind.__mro__ if above is not object)


def same(a: Any, b: Any) -> bool:
    """Are two things that aren't tensors equal? What can't say so is, if it is of one kind."""
    try:
        return type(a) is type(b) and (not _can_say(type(a)) or bool(np.all(a == b)))
    except Exception:
        return type(a) is type(b)
