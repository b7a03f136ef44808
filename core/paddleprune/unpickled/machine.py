"""What the instructions of a pickle build, one after the other."""

from __future__ import annotations

import pickletools
from typing import Any

from paddleprune.unpickled.words import Made, Numbers, RefusedError

_MOST_BITS = 64
_PUSHED = frozenset(
    [
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING"),
        *("SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    ]
)
"""Instructions that push what stands behind them."""
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


class _Mark:
    """A place on the stack."""


def followed(content: bytes, words: Numbers) -> Made:
    """What a pickle's instructions build.

    Raises:
        RefusedError: it asks for anything but plain data and these words. (A damaged file raises whatever it meets.)
    """
    machine = _Machine(words)
    for instruction, argument, _ in pickletools.genops(content):
        if instruction.name == "STOP":
            return machine.stack.pop()
        machine.follow(instruction.name, argument)
    raise RefusedError("it ends in the middle")


class _Machine:
    """A stack and a memo, as `pickle` has them; it does in each step only what that step says."""

    def __init__(self, words: Numbers) -> None:
        self.stack: list[Made] = []
        self._memo: dict[int, Made] = {}
        self._words = words

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
                raise RefusedError(f"it holds a number of {argument.bit_length()} bits, which none of its kind has")
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(_Mark())
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
            stack.append(self._named(asked))
        elif name in ("REDUCE", "NEWOBJ"):
            stack.append(self._words.called(*self._popped(2)))
        elif name == "BUILD":
            thing, state = self._popped(2)
            stack.append(self._words.built(thing, state))
        else:
            raise RefusedError(f"it holds the instruction {name}, which plain data doesn't need")

    def _named(self, asked: tuple[Made, ...]) -> Made:
        names = self._words.names
        if not all(isinstance(part, str) for part in asked) or asked not in names:
            shown = ".".join(str(part)[:60] for part in asked if isinstance(part, str))
            raise RefusedError(f"it asks for {shown}; only plain data is read")
        return names[asked]

    def _popped(self, count: int) -> list[Made]:
        if len(self.stack) < count:
            raise RefusedError("it takes more from its stack than is there")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _marked(self) -> list[Made]:
        """All above the last mark, which goes, too."""
        place = next(i for i in range(len(self.stack) - 1, -1, -1) if isinstance(self.stack[i], _Mark))
        taken = self.stack[place + 1 :]
        del self.stack[place:]
        return taken


def _filled(into: Made, items: list[Made]) -> Made:
    """A dict with more items: alternately a key, which must be a name or a number, and its value."""
    if not isinstance(into, dict) or len(items) % 2:
        raise RefusedError("it puts items into something else than a dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, (str, float, int)):
            raise RefusedError(f"it has a {type(key).__name__} where a name or a number was expected")
        into[key] = value
    return into
