"""What a network takes: one entry for each argument of its forward, each a tensor or a nest of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle

from paddleprune.errors import GraphError
from paddleprune.interfaces import Array


@dataclass(frozen=True)
class Input:
    """One tensor that a network takes.

    Attributes:
        shape: batch axis included.
        dtype: Paddle's name of its type, such as float32.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"


def read_inputs(given: Sequence[Any]) -> tuple[Any, ...]:
    """What a user says of a network's inputs, as nests of `Input`.

    Args:
        given: an entry an argument: a shape (float32), a `paddle.static.InputSpec`, an example (tensor or
            array), a list, tuple or dict of entries, or None for an argument that isn't given.

    Raises:
        GraphError: an entry is something else, or a shape isn't concrete.
    """
    return tuple(_read(entry, f"input {i}") for i, entry in enumerate(given))


def _read(entry: Any, place: str) -> Any:
    if entry is None or isinstance(entry, Input):
        return entry
    if isinstance(entry, dict):
        return {key: _read(value, f"{place}[{key!r}]") for key, value in entry.items()}
    if isinstance(entry, (tuple, list)):
        if entry and all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in entry):
            return _checked(entry, "float32", place)
        return [_read(value, f"{place}[{i}]") for i, value in enumerate(entry)]
    if hasattr(entry, "shape") and hasattr(entry, "dtype"):
        return _checked(entry.shape, str(entry.dtype).removeprefix("paddle."), place)
    raise GraphError(f"{place} is {entry!r}; give its shape, such as (1, 3, 224, 224), an InputSpec or an example")


def _checked(shape: Sequence[int | None], dtype: str, place: str) -> Input:
    sizes = tuple(-1 if n is None else int(n) for n in shape)
    if any(n < 1 for n in sizes):
        raise GraphError(f"{place} has the shape {sizes}; the trace needs concrete sizes, such as 1 for the batch axis")
    return Input(sizes, dtype)


def map_leaves(change: Callable[[Any], Any], nest: Any) -> Any:
    """The same nest of lists, tuples and dicts with every leaf changed, in order; None stays None."""
    if nest is None:
        return None
    if isinstance(nest, dict):
        return {key: map_leaves(change, value) for key, value in nest.items()}
    if isinstance(nest, (list, tuple)):
        return type(nest)(map_leaves(change, value) for value in nest)
    return change(nest)


def leaves(nest: Any) -> list[Any]:
    """Every leaf of a nest, in order."""
    found: list[Any] = []
    map_leaves(found.append, nest)
    return found


def input_specs(inputs: tuple[Any, ...], batch: int | None = None) -> list[Any]:
    """Paddle's description of inputs, named `input_0`, `input_1`, … in order; with another batch size if given."""
    numbers = iter(range(len(leaves(inputs))))

    def spec(leaf: Input) -> Any:
        shape = leaf.shape if batch is None else (batch, *leaf.shape[1:])
        return paddle.static.InputSpec(list(shape), leaf.dtype, f"input_{next(numbers)}")

    return [map_leaves(spec, entry) for entry in inputs]


def random_inputs(inputs: tuple[Any, ...], seed: int = 0, batch: int | None = None) -> tuple[Any, ...]:
    """Arrays for a network: normal numbers; 0 or 1 where it takes integers.

    Args:
        inputs: nests of `Input`.
        seed: of the numbers.
        batch: size of the batch axis; as traced if None.
    """
    generator = np.random.default_rng(seed)

    def draw(leaf: Input) -> Array:
        shape = leaf.shape if batch is None else (batch, *leaf.shape[1:])
        if "int" in leaf.dtype or leaf.dtype == "bool":
            return generator.integers(0, 2, shape).astype(leaf.dtype)
        return generator.standard_normal(shape).astype("float32" if "float16" in leaf.dtype else leaf.dtype)

    return tuple(map_leaves(draw, entry) for entry in inputs)
