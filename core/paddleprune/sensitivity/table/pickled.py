"""The few things besides dicts, numbers and strings that a pickle of sensitivities may build."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from paddleprune.errors import TableError

Made: TypeAlias = Any
"""What instructions build: dicts, numbers, strings, bytes, tuples of them, and the classes below."""
_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")

_LONGEST = 64
"""Characters that a scalar's bytes take, and more: what is longer could be copied until memory is full."""


class RefusedError(TableError):
    """The file asks for something that isn't done."""


class Mark:
    """A place on the stack."""


class Name:
    """A function or class that the file may name; nothing but its place in `NAMES` matters."""


class Status:
    """PaddleSlim's holder of sensitivities."""

    def __init__(self) -> None:
        self.fields: dict[str, Made] = {}


class DType:
    """What `numpy.dtype` is pickled as."""

    def __init__(self, code: Made) -> None:
        if code not in _CODES:
            raise RefusedError(f"it holds NumPy values of the type {_shown(code)}; only numbers are read")
        self.code, self.order = code, "<"

    def scalar(self, data: bytes | str) -> float | int:
        """The number that these bytes are."""
        raw = data.encode("latin1") if isinstance(data, str) else data
        return np.frombuffer(raw, np.dtype(self.order + self.code), 1)[0].item()  # type: ignore[no-any-return]


_SCALAR, _DTYPE, _ENCODE, _STATUS = Name(), Name(), Name(), Name()
NAMES: dict[tuple[Made, ...], Name] = {
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("numpy", "dtype"): _DTYPE,
    ("_codecs", "encode"): _ENCODE,  # how old protocols write bytes
    ("paddleslim.dygraph.prune.filter_pruner", "Status"): _STATUS,
}
"""What old and new NumPy scalars and PaddleSlim's `Status` are pickled with: module and name."""


def called(name: Made, arguments: Made) -> Made:
    """What calling one of `NAMES` would give.

    Raises:
        RefusedError: something else is called, or with arguments that it never has.
    """
    match name, arguments:
        case Name(), (DType() as dtype, (bytes() | str()) as data) if name is _SCALAR and len(data) <= _LONGEST:
            return dtype.scalar(data)
        case Name(), (str() as code, *_) if name is _DTYPE:
            return DType(code)
        case Name(), (str() as text, *_) if name is _ENCODE and len(text) <= _LONGEST:
            return text.encode("latin1")
        case Name(), () if name is _STATUS:
            return Status()
    raise RefusedError("it calls something with arguments that plain numbers don't have")


def built(thing: Made, state: Made) -> Made:
    """A thing with its state, as unpickling sets it.

    Raises:
        RefusedError: it has none.
    """
    match thing, state:
        case DType(), (_, order, *_):
            thing.order = order if order in ("<", ">") else "<"
        case Status(), dict():
            thing.fields = state
        case _:
            raise RefusedError("it sets the state of something that has none")
    return thing


def _shown(code: Made) -> str:
    return repr(code[:20]) if isinstance(code, str) else type(code).__name__
