"""The words for NumPy's arrays, as files of weights hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from paddleprune.unpickled.words import DType, Made, Name, Numbers, RefusedError

_RECONSTRUCT, _ARRAY, _TUPLE, _ORDERED = Name(), Name(), Name(), Name()
_MOST_AXES = 8


class Unfilled:
    """An array that has no state yet; then `value` is the array."""

    def __init__(self) -> None:
        self.value: NDArray[np.generic] | None = None


class Arrays(Numbers):
    """What dicts of arrays are pickled with, and Paddle's tensors, which are a name and an array.

    Args:
        size: bytes of the file; its texts are turned into so many bytes at most, all together.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    names: ClassVar[Mapping[tuple[Made, ...], Made]] = {
        **Numbers.names,
        ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
        ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
        ("numpy", "ndarray"): _ARRAY,
        ("builtins", "tuple"): _TUPLE,
        ("__builtin__", "tuple"): _TUPLE,
        ("collections", "OrderedDict"): _ORDERED,
    }

    def called(self, name: Made, arguments: Made) -> Made:
        """As `Numbers.called`, for arrays, tuples and ordered dicts, too."""
        match name, arguments:
            case Name(), (Name() as kind, (int(),), _) if name is _RECONSTRUCT and kind is _ARRAY:
                return Unfilled()
            case Name(), ((*parts,),) if name is _TUPLE:
                return tuple(parts)
            case Name(), () if name is _ORDERED:
                return {}
        return super().called(name, arguments)

    def may_copy(self, size: int) -> bool:
        """As long as nothing is copied twice."""
        self._left -= size
        return self._left >= 0

    def built(self, thing: Made, state: Made) -> Made:
        """As `Numbers.built`, for arrays, too."""
        if not isinstance(thing, Unfilled):
            return super().built(thing, state)
        match state:
            case (_, (*shape,), DType() as dtype, fortran, bytes() as data):
                thing.value = _array(shape, dtype, data, bool(fortran))
                return thing
        raise RefusedError("it holds an array that isn't made of numbers")


def _array(shape: list[Made], dtype: DType, data: bytes, fortran: bool) -> NDArray[np.generic]:
    sizes = all(type(size) is int and size >= 0 for size in shape) and len(shape) <= _MOST_AXES
    if not sizes or math.prod(shape) * dtype.numpy.itemsize != len(data):
        raise RefusedError(f"it holds an array of {len(data)} bytes whose shape is said to be {str(shape)[:60]}")
    return np.frombuffer(data, dtype.numpy).reshape(shape, order="F" if fortran else "C")
