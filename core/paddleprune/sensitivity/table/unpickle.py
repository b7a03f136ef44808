"""Reading the pickled sensitivities of PaddleX and PaddleSlim without trusting them.

A pickle is a program. This takes its instructions apart and follows those that build dicts, numbers and strings;
any other instruction or name is refused. NumPy's scalars are built here, not by what the file names.
"""

from __future__ import annotations

import math
import pickletools
from pathlib import Path
from typing import Any

from paddleprune.errors import TableError
from paddleprune.files import read_bytes
from paddleprune.sensitivity.table.pickled import NAMES, Made, Mark, RefusedError, Status, built, called

Losses = dict[str, dict[float, float]]
"""Parameter -> ratio -> metric loss."""
_LARGEST = 1_000_000
_HIGHEST = 10**9
_MOST_BITS = 64
_MOST_LOSSES = 100_000
_LONGEST_NAME = 500
_PUSHED = frozenset(
    [
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING"),
        *("SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINBYTES", "SHORT_BINBYTES"),
    ]
)
"""Instructions that push what stands behind them."""
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


def read_losses(path: Path) -> Losses:
    """The losses in a file that PaddleX 1.3 or PaddleSlim pickled; nothing that the file names is run.

    Args:
        path: the file, of 1 MB at most: `{parameter: {ratio: loss}}`, or PaddleSlim's `Status` around it.

    Raises:
        TableError: it can't be read, asks for anything but dicts, numbers and strings, or holds no sensitivities.
    """
    content = read_bytes(path, TableError, most=_LARGEST)
    try:
        found = _followed(content)
    except RefusedError as error:
        raise TableError(f"{path} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises whatever it meets
        said = " ".join(str(error).split())[:100] or type(error).__name__
        raise TableError(f"{path} is not a readable pickle ({said})") from error
    return _losses(found.fields.get("sensitivies") if isinstance(found, Status) else found, path)  # their spelling


def _followed(content: bytes) -> Made:
    """What the instructions build."""
    machine = _Machine()
    for instruction, argument, _ in pickletools.genops(content):
        if instruction.name == "STOP":
            return machine.stack.pop()
        machine.follow(instruction.name, argument)
    raise RefusedError("it ends in the middle")


class _Machine:
    """A stack and a memo, as `pickle` has them; it does in each step only what that step says."""

    def __init__(self) -> None:
        self.stack: list[Made] = []
        self._memo: dict[int, Made] = {}

    def follow(self, name: str, argument: Any) -> None:
        """One instruction.

        Raises:
            RefusedError: plain data doesn't need it.
        """
        stack, memo = self.stack, self._memo
        if name in ("PROTO", "FRAME"):
            return
        if name in _PUSHED:
            if isinstance(argument, int) and argument.bit_length() > _MOST_BITS:
                raise RefusedError(
                    f"it holds a number of {argument.bit_length()} bits, which is neither ratio nor loss"
                )
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(Mark())
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self._marked()
        elif name == "DUP":
            stack.append(stack[-1])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name.startswith("TUPLE"):
            stack.append(tuple(self._marked() if name == "TUPLE" else self._popped(int(name[5:]))))
        elif name in ("EMPTY_DICT", "DICT"):
            stack.append(_filled({}, self._marked() if name == "DICT" else []))
        elif name in ("SETITEM", "SETITEMS"):
            items = self._popped(2) if name == "SETITEM" else self._marked()
            _filled(stack[-1], items)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            asked = tuple(argument.split(" ", 1)) if name == "GLOBAL" else tuple(self._popped(2))
            stack.append(_named(asked))
        elif name in ("REDUCE", "NEWOBJ"):
            stack.append(called(*self._popped(2)))
        elif name == "BUILD":
            thing, state = self._popped(2)
            stack.append(built(thing, state))
        else:
            raise RefusedError(f"it holds the instruction {name}, which plain numbers don't need")

    def _popped(self, count: int) -> list[Made]:
        if len(self.stack) < count:
            raise RefusedError("it takes more from its stack than is there")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _marked(self) -> list[Made]:
        """All above the last mark, which goes, too."""
        place = next(i for i in range(len(self.stack) - 1, -1, -1) if isinstance(self.stack[i], Mark))
        taken = self.stack[place + 1 :]
        del self.stack[place:]
        return taken


def _named(asked: tuple[Made, ...]) -> Made:
    if not all(isinstance(part, str) for part in asked) or asked not in NAMES:
        shown = ".".join(str(part)[:60] for part in asked if isinstance(part, str))
        raise RefusedError(f"it asks for {shown}; only dicts, numbers and strings are read")
    return NAMES[asked]


def _filled(into: Made, items: list[Made]) -> Made:
    """A dict with more items: alternately a key, which must be a name or a number, and its value."""
    if not isinstance(into, dict) or len(items) % 2:
        raise RefusedError("it puts items into something else than a dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, (str, float, int)):
            raise RefusedError(f"it has a {type(key).__name__} where a name or a number was expected")
        into[key] = value
    return into


def _losses(found: Made, path: Path) -> Losses:
    """What was read, as names, ratios and losses.

    Raises:
        TableError: it is something else.
    """
    if not isinstance(found, dict) or not found:
        raise TableError(f"{path} holds no sensitivities: a dict of parameters was expected")
    losses: Losses = {}
    left = _MOST_LOSSES
    for name, points in found.items():
        if not isinstance(name, str) or not isinstance(points, dict):
            raise TableError(f"{path} holds no sensitivities: {repr(name)[:60]} has no dict of ratios")
        left -= len(points)
        if len(name) > _LONGEST_NAME or left < 0:
            raise TableError(
                f"{path} holds no sensitivities: names have {_LONGEST_NAME} characters at most, and there are at "
                f"most {_MOST_LOSSES:,} losses"
            )
        losses[name] = dict(sorted(_point(ratio, loss, f"{path}: {name[:60]!r}") for ratio, loss in points.items()))
    return losses


def _point(ratio: Any, loss: Any, place: str) -> tuple[float, float]:
    for value in (ratio, loss):
        if not isinstance(value, float) and not (type(value) is int and abs(value) <= _HIGHEST):
            raise TableError(f"{place} has a {type(value).__name__} where a ratio or a loss was expected")
    if not 0 < ratio < 1 or not math.isfinite(loss) or not 0 < round(float(ratio), 6) < 1:
        raise TableError(f"{place} has the loss {loss:g} at ratio {ratio:g}; ratios lie between 0 and 1")
    return round(float(ratio), 6), float(loss)
