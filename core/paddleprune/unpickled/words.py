"""The words for NumPy's numbers, which every reader knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

Made: TypeAlias = Any
"""What instructions build: dicts, numbers, strings, bytes, tuples of them, and what a reader's words know."""
_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")

_LONGEST = 64
"""Characters that a scalar's bytes take, and more: what is longer could be copied until memory is full."""


class RefusedError(Exception):
    """The file asks for something that isn't done."""


class Name:
    """A function or class that a file may name; nothing but its place in `names` matters."""


class DType:
    """What `numpy.dtype` is pickled as."""

    def __init__(self, code: Made) -> None:
        if code not in _CODES:
            raise RefusedError(f"it holds NumPy values of the type {_shown(code)}; only numbers are read")
        self._code, self.order = code, "<"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The same for NumPy."""
        found: np.dtype[np.generic] = np.dtype(self.order + self._code)
        return found

    def scalar(self, data: bytes | str) -> float | int:
        """The number that these bytes are."""
        raw = data.encode("latin1") if isinstance(data, str) else data
        return np.frombuffer(raw, self.numpy, 1)[0].item()  # type: ignore[no-any-return]


_SCALAR, DTYPE, ENCODE = Name(), Name(), Name()


class Numbers:
    """What old and new NumPy scalars are pickled with.

    Attributes:
        names: (module, name) -> what stands for it.
    """

    names: ClassVar[Mapping[tuple[Made, ...], Made]] = {
        ("numpy.core.multiarray", "scalar"): _SCALAR,
        ("numpy._core.multiarray", "scalar"): _SCALAR,
        ("numpy", "dtype"): DTYPE,
        ("_codecs", "encode"): ENCODE,  # how old protocols write bytes
    }

    def called(self, name: Made, arguments: Made) -> Made:
        """What calling one of `names` would give.

        Raises:
            RefusedError: something else is called, or with arguments that it never has.
        """
        match name, arguments:
            case Name(), (DType() as dtype, (bytes() | str()) as data) if name is _SCALAR and len(data) <= _LONGEST:
                return dtype.scalar(data)
            case Name(), (str() as code, *_) if name is DTYPE:
                return DType(code)
            case Name(), (str() as text, *_) if name is ENCODE and self.may_copy(len(text)):
                return text.encode("latin1")
        raise RefusedError("it calls something with arguments that plain data doesn't have")

    def may_copy(self, size: int) -> bool:
        """May a text of this size be turned into bytes, which takes memory anew?"""
        return size <= _LONGEST

    def built(self, thing: Made, state: Made) -> Made:
        """A thing with its state, as unpickling sets it.

        Raises:
            RefusedError: it has none.
        """
        match thing, state:
            case DType(), (_, order, *_):
                thing.order = order if order in ("<", ">") else "<"
            case _:
                raise RefusedError("it sets the state of something that has none")
        return thing


def _shown(code: Made) -> str:
    return repr(code[:20]) if isinstance(code, str) else type(code).__name__
