"""What depends on what in a captured program: where masks begin to matter, and what must be there for it.

The operations that masks can affect are a network's *suffix*; the values that the suffix reads and doesn't make
are its *border*; what computes the border is the *prefix*. The prefix of a batch is run once for all masks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from paddleprune.graph.capture import Capture, is_tensor


@dataclass(frozen=True)
class Cut:
    """A program cut in two.

    Attributes:
        suffix: operations that the masks can affect, ascending, with the constants and sizes that they read.
        border: values that the suffix reads and the masks don't affect; the network's inputs among them.
        prefix: operations that compute the border and the outputs below, ascending.
        affected: which of the network's outputs the masks can affect, by number.
    """

    suffix: tuple[int, ...]
    border: tuple[Any, ...]
    prefix: tuple[int, ...]
    affected: tuple[int, ...]


class Flow:
    """The dependencies of a captured program."""

    def __init__(self, captured: Capture) -> None:
        self.captured = captured
        self.reads = [list(_operands(raw)) for raw in captured.ops]
        self.makes = [[value for value in raw.results() if _has_id(value)] for raw in captured.ops]
        self.maker = {value.id: i for i, values in enumerate(self.makes) for value in values}
        data = [i for i, raw in enumerate(captured.ops) if raw.name() == "pd_op.data"]
        self.inputs = [self.makes[i][0] for i in data]
        self._varying = self._dependent(data)

    def affected_by(self, ops: Iterable[int]) -> set[int]:
        """The operations themselves and whatever depends on them."""
        return self._dependent(ops)

    def cut(self, ops: Collection[int]) -> Cut:
        """Cut the program before the operations where masks are read.

        Args:
            ops: those operations.
        """
        affected = self.affected_by(ops)
        suffix, border, open_ = set(affected), dict[Any, Any](), list(affected)
        while open_:
            for value in self.reads[open_.pop()]:
                maker = self.maker[value.id]
                if maker in suffix:
                    continue
                if maker in self._varying and _can_cross(value):
                    border[value.id] = value
                else:
                    suffix.add(maker)
                    open_.append(maker)
        outputs = self.captured.outputs
        hit = [i for i, value in enumerate(outputs) if self.maker[value.id] in affected]
        others = [value for i, value in enumerate(outputs) if i not in hit]
        prefix = self._needed(self.maker[value.id] for value in [*border.values(), *others])
        return Cut(
            suffix=tuple(sorted(suffix)),
            border=tuple(border.values()),
            prefix=tuple(sorted(prefix)),
            affected=tuple(hit),
        )

    def _dependent(self, ops: Iterable[int]) -> set[int]:
        found = set(ops)
        for i in range(min(found, default=0), len(self.reads)):
            if i not in found and any(self.maker.get(value.id) in found for value in self.reads[i]):
                found.add(i)
        return found

    def _needed(self, ops: Iterable[int]) -> set[int]:
        """Operations, and all that they depend on."""
        found: set[int] = set()
        open_ = list(ops)
        while open_:
            i = open_.pop()
            if i not in found:
                found.add(i)
                open_ += [self.maker[value.id] for value in self.reads[i]]
        return found


def _operands(raw: Any) -> Iterator[Any]:
    """What an operation reads, the blocks of control flow included."""
    yield from (value for value in raw.operands_source() if _has_id(value))
    for block in raw.blocks():
        made = {value.id for value in block.args()}
        for inner in block.ops:
            yield from (value for value in _operands(inner) if value.id not in made)
            made |= {value.id for value in inner.results() if _has_id(value)}


def _can_cross(value: Any) -> bool:
    """Can a value be handed from one program to the other? Lists and sizes are made anew instead."""
    return is_tensor(value) and not ("int" in str(value.dtype) and len(value.shape) <= 1)


def _has_id(value: Any) -> bool:
    if not value.initialized():
        return False
    try:
        return value.id is not None
    except Exception:  # a null result, as batch_norm_ and dropout have
        return False
