"""Reading the pickled sensitivities of PaddleX and PaddleSlim without trusting them.

A pickle is a program. This reads only those that build dicts, numbers and strings: any other instruction or
name is refused before or instead of being followed, and NumPy's scalars are built here, not by what the file names.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from paddleprune.errors import TableError
from paddleprune.files import unreadable

Losses = dict[str, dict[float, float]]
"""Parameter -> ratio -> metric loss."""
_LARGEST = 10_000_000
_HIGHEST = 10**9
_PLAIN = """
PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT
BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE BINBYTES SHORT_BINBYTES EMPTY_DICT
DICT SETITEM SETITEMS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
GLOBAL STACK_GLOBAL REDUCE NEWOBJ BUILD"""
_INSTRUCTIONS = frozenset(_PLAIN.split())
"""What pickles of dicts, numbers and strings are made of."""
_STATUS = ("paddleslim.dygraph.prune.filter_pruner", "Status")


def read_losses(path: Path) -> Losses:
    """The losses in a file that PaddleX 1.3 or PaddleSlim pickled; nothing that the file names is run.

    Args:
        path: the file: `{parameter: {ratio: loss}}`, or PaddleSlim's `Status` around it.

    Raises:
        TableError: it can't be read, asks for anything but dicts, numbers and strings, or holds no sensitivities.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise TableError(unreadable(path, error)) from error
    if len(content) > _LARGEST:
        raise TableError(f"{path} has more than {_LARGEST // 10**6} MB; sensitivities take a few kB")
    try:
        _check_instructions(content)
        found = _Restricted(io.BytesIO(content), encoding="latin1").load()
    except TableError as error:
        raise TableError(f"{path} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises whatever it meets
        raise TableError(f"{path} is not a readable pickle ({str(error) or type(error).__name__})") from error
    return _losses(getattr(found, "sensitivies", found), path)  # PaddleSlim's spelling


def _check_instructions(content: bytes) -> None:
    """Refuse instructions that plain data doesn't need, and memory that the file can't fill."""
    for instruction, argument, _ in pickletools.genops(content):
        if instruction.name not in _INSTRUCTIONS:
            raise TableError(f"it holds the instruction {instruction.name}, which plain numbers don't need")
        if instruction.name.endswith("PUT") and int(argument or 0) > len(content):
            raise TableError("it asks for more memory than it can fill")


class _Restricted(pickle.Unpickler):
    """Knows the few names that old and new NumPy scalars and PaddleSlim's `Status` are pickled with."""

    def find_class(self, module: str, name: str) -> Any:
        """A harmless stand-in for an admitted name."""
        if name == "scalar" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return lambda dtype, data: dtype.scalar(data)
        if (module, name) == ("numpy", "dtype"):
            return type("DType", (_DType,), {})
        if (module, name) == ("_codecs", "encode"):  # how old protocols write bytes
            return lambda text, encoding="latin1": str(text).encode("latin1")
        if (module, name) == _STATUS:
            return type("Status", (), {})
        raise TableError(f"it asks for {module}.{name}; only dicts, numbers and strings are read")


class _DType:
    """What `numpy.dtype` is pickled as."""

    def __init__(self, code: str, *_: Any) -> None:
        if code not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
            raise TableError(f"it holds NumPy values of the type {code!r}; only numbers are read")
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "<"

    def scalar(self, data: bytes | str) -> float | int:
        """The number that these bytes are."""
        raw = data.encode("latin1") if isinstance(data, str) else data
        return np.frombuffer(raw, np.dtype(self.order + self.code), 1)[0].item()  # type: ignore[no-any-return]


def _losses(found: Any, path: Path) -> Losses:
    """What was read, as names, ratios and losses.

    Raises:
        TableError: it is something else.
    """
    if not isinstance(found, dict) or not found:
        raise TableError(f"{path} holds no sensitivities: a dict of parameters was expected")
    losses: Losses = {}
    for name, points in found.items():
        if not isinstance(name, str) or not isinstance(points, dict):
            raise TableError(f"{path} holds no sensitivities: {str(name)[:60]!r} has no dict of ratios")
        losses[name] = dict(sorted(_point(ratio, loss, f"{path}: {name[:60]!r}") for ratio, loss in points.items()))
    return losses


def _point(ratio: Any, loss: Any, place: str) -> tuple[float, float]:
    for value in (ratio, loss):
        if not isinstance(value, float) and not (type(value) is int and abs(value) <= _HIGHEST):
            raise TableError(f"{place} has a {type(value).__name__} where a ratio or a loss was expected")
    if not 0 < ratio < 1 or not math.isfinite(loss):
        raise TableError(f"{place} has the loss {loss:g} at ratio {ratio:g}; ratios lie between 0 and 1")
    return round(float(ratio), 6), float(loss)
