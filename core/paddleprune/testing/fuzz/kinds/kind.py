"""What a kind of step is, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from paddle import nn

Shape: TypeAlias = tuple[int, ...]
Choices: TypeAlias = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Kind:
    """A kind of step.

    Attributes:
        make: (shapes of what it takes, **options) -> a layer that takes them.
        choices: (shapes of what it takes) -> for each option the values that it may have, the simplest first; None
            if it doesn't take such shapes.
        takes: how many values.
        tidy: (shapes of what it takes) -> does it keep channels of which all can be removed that way, on axis 1?
        nested: does it hold steps of its own (its option `steps`)?
        family: which kinds it is like: the module that it stands in.
    """

    make: Callable[..., nn.Layer]
    choices: Callable[..., Choices | None]
    takes: int = 1
    tidy: Callable[..., bool] = lambda *shapes: False
    nested: bool = False
    family: str = "blocks"


KINDS: dict[str, Kind] = {}


class Apply(nn.Layer):
    """A function as a layer."""

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        super().__init__()
        self.function = function
        self.options = dict(options)

    def forward(self, *values: Any) -> Any:
        """Call it."""
        return self.function(*values, **self.options)


def always(*shapes: Shape) -> bool:
    """Tidy whatever it takes."""
    return True


def layer(
    choices: Callable[..., Choices | None], takes: int = 1, tidy: Callable[..., bool] = lambda *shapes: False
) -> Callable[[Callable[..., nn.Layer]], Callable[..., nn.Layer]]:
    """A decorator: register what makes a layer, under its own name; arguments as for `Kind`."""

    def register(make: Callable[..., nn.Layer]) -> Callable[..., nn.Layer]:
        KINDS[make.__name__] = Kind(make, choices, takes, tidy, family=_module(make))
        return make

    return register


def function(
    call: Callable[..., Any],
    choices: Callable[..., Choices | None],
    takes: int = 1,
    tidy: Callable[..., bool] = lambda *shapes: False,
) -> None:
    """Register a function of values and options, under its own name; the rest as for `Kind`.

    Not a decorator: Paddle's tracer runs a function's source again, decorators included.
    """

    def make(*shapes: Shape, **options: Any) -> nn.Layer:
        return Apply(call, options)

    KINDS[call.__name__] = Kind(make, choices, takes, tidy, family=_module(call))


def _module(call: Callable[..., Any]) -> str:
    return call.__module__.rpartition(".")[2]


def rank(*ranks: int, **choices: Sequence[Any]) -> Callable[..., Choices | None]:
    """Choices of a step that takes one value of some ranks (batch axis included), whatever its sizes."""

    def chosen(x: Shape) -> Choices | None:
        return choices if len(x) in ranks else None

    return chosen


def divisors(n: int) -> list[int]:
    """Of a number, the smallest first."""
    return [d for d in range(1, n + 1) if n % d == 0]
