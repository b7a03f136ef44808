"""A network as data: what it takes, its steps, what it returns. Its `repr` is the expression that makes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paddleprune.graph.inputs import leaves


@dataclass(frozen=True, init=False, repr=False)
class Step:
    """One step of a network, such as `Step("conv", 0, groups=1, per_group=4)`.

    Attributes:
        kind: what it does, a name in `paddleprune.testing.fuzz.kinds.KINDS`.
        takes: numbers of the values that it takes: the network's inputs come first, then what each step gives.
        options: what `kind` leaves open.
    """

    kind: str
    takes: tuple[int, ...]
    options: Mapping[str, Any]

    def __init__(self, kind: str, *takes: int, **options: Any) -> None:
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "takes", takes)
        object.__setattr__(self, "options", options)

    def __repr__(self) -> str:
        arguments = [repr(self.kind), *map(str, self.takes), *(f"{k}={v!r}" for k, v in self.options.items())]
        return f"Step({', '.join(arguments)})"


@dataclass(frozen=True, repr=False)
class Program:
    """A network.

    Attributes:
        inputs: an entry for each argument of the forward: an `Input` with a batch axis of 1, or a nest of them.
        steps: in the order in which they run.
        outputs: a nest of the numbers of the values that it returns; None stays None.
    """

    inputs: tuple[Any, ...]
    steps: tuple[Step, ...]
    outputs: Any

    def __repr__(self) -> str:
        lines = [f"    {step!r}," for step in self.steps]
        return "\n".join(["Program(", f"    {self.inputs!r},", "    (", *("    " + s for s in lines), "    ),",
                          f"    {self.outputs!r},", ")"])  # fmt: skip

    @property
    def first(self) -> int:
        """The number of the first value that a step gives."""
        return len(leaves(list(self.inputs)))

    def all_steps(self) -> Iterator[Step]:
        """Every step, those inside of others included."""
        yield from _walk(self.steps)


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _walk(step.options.get("steps", ()))
