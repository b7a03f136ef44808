"""What a user says of a layer's inputs: the arguments of its forward, and examples of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paddleprune.api.batches import ENOUGH, first_samples, gives_batches
from paddleprune.errors import ConfigError
from paddleprune.graph import Input, random_inputs
from paddleprune.graph.inputs import leaves, map_leaves

_WAY_OUT = "give a shape for each argument of the forward, such as [(1, 3, 224, 224)]"


def read_arguments(given: Any) -> list[Any]:
    """One entry for each argument of a forward, with a batch axis of 1 where it was left open.

    Args:
        given: such entries in order, or just the only one: a shape, an InputSpec, an example or a dict.

    Raises:
        ConfigError: it is none of these.
    """
    if hasattr(given, "shape") or isinstance(given, dict) or _is_shape(given):
        return [_with_batch(given)]
    if not isinstance(given, (list, tuple)) or not given:
        raise ConfigError(f"input_spec is {given!r}; {_WAY_OUT}")
    return [_with_batch(entry) for entry in given]


def example_inputs(arguments: list[Any], inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Inputs of a network: the examples that were given, random numbers where it was something else.

    Args:
        arguments: what `read_arguments` made of what the user gave.
        inputs: the same as nests of `Input`.
    """
    drawn = random_inputs(inputs)
    return tuple(_example(entry, number) for entry, number in zip(arguments, drawn, strict=True))


def read_probe(given: Any) -> tuple[Any, ...]:
    """Inputs of a network, as arrays, from an example for each argument of its forward, or the only one.

    Raises:
        ConfigError: there is something else than tensors and arrays.
    """
    arguments = read_arguments(given)
    for leaf in leaves(arguments):
        if not hasattr(leaf, "__array__"):
            raise ConfigError(
                f"the probe holds {leaf!r}; give tensors or arrays, such as paddle.randn([8, 3, 224, 224])"
            )
    return tuple(map_leaves(np.asarray, arguments))


def read_calibration(given: Any, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Real inputs of a network, as arrays: examples as for `read_probe`, or the first ones of some batches.

    Args:
        given: what the user gave; anything else to iterate over than a list or a tuple gives batches.
        inputs: what was traced, as nests of `Input`.

    Raises:
        ConfigError: there is something else than tensors and arrays, or nothing.
    """
    return first_samples(given, inputs, ENOUGH) if gives_batches(given) else read_probe(given)


def _is_shape(given: Any) -> bool:
    """Is it a tuple or list of sizes, the first of which may be open?"""
    if not isinstance(given, (list, tuple)) or not given:
        return False
    first, rest = given[0], given[1:]
    return all(isinstance(n, (int, np.integer)) for n in (rest if first is None and rest else given))


def _with_batch(entry: Any) -> Any:
    """The entry with 1 for a batch axis that was left open, in every shape and InputSpec that it holds."""
    if isinstance(entry, dict):
        return {key: _with_batch(value) for key, value in entry.items()}
    if _is_shape(entry):
        return (1, *entry[1:]) if entry[0] in (None, -1) else tuple(entry)
    if isinstance(entry, (list, tuple)):
        return [_with_batch(value) for value in entry]
    shape = tuple(getattr(entry, "shape", ()))
    if not hasattr(entry, "__array__") and len(shape) > 0 and shape[0] in (None, -1):
        return Input((1, *shape[1:]), str(entry.dtype).removeprefix("paddle."))
    return entry


def _example(entry: Any, drawn: Any) -> Any:
    if isinstance(drawn, dict):
        return {key: _example(entry[key], value) for key, value in drawn.items()}
    if isinstance(drawn, list):
        return [_example(part, value) for part, value in zip(entry, drawn, strict=True)]
    return np.asarray(entry) if hasattr(entry, "__array__") else drawn
