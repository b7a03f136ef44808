"""How a table says what the graph of a small network must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import paddle.nn.functional as F  # noqa: N812
from networks import conv
from paddle import nn

from paddleprune.graph.walker import Attention

IMAGE = ((3, 8, 8),)


@dataclass(frozen=True)
class Case:
    """A network and what may be cut from it.

    Attributes:
        network: builds it.
        groups: group name -> how many of its units may go, or words of the reason why none may. A group that
            isn't named here or below must feed an output of the model.
        inputs: without the batch axis, as `settle` takes them.
        inexact: group name -> units, and words of the reason why masking isn't removing.
        hard_coded: group name -> words of what the trial cut finds.
        attention: what attention loses.
        compiled: compare the compiled network with the masked one, too.
        label: of the test, where the network's name doesn't tell cases apart.
    """

    network: Callable[[], nn.Layer]
    groups: Mapping[str, int | str]
    inputs: tuple[Any, ...] = IMAGE
    inexact: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    hard_coded: Mapping[str, str] = field(default_factory=dict)
    attention: Attention = "heads"
    compiled: bool = False
    label: str = ""

    @property
    def name(self) -> str:
        """Of the test."""
        mode = "" if self.attention == "heads" else f"-{self.attention}"
        return (self.label or getattr(self.network, "__name__", "")) + mode


class Net(nn.Layer):
    """A stem of 8 channels, a body, global pooling and a linear head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8), nn.BatchNorm2D(8), nn.ReLU())
        self.head = nn.Linear(width, 5)

    def body(self, x: Any) -> Any:
        raise AssertionError("a network says what its body is")

    def forward(self, x: Any) -> Any:
        return self.head(F.adaptive_avg_pool2d(self.body(self.stem(x)), 1).flatten(1))


class Tokens(nn.Layer):
    """An image in 16 patches of 8 channels, a body, the mean over the patches and a linear head."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.patch = nn.Conv2D(3, 8, 2, stride=2)
        self.head = nn.Linear(width, 5)

    def body(self, x: Any) -> Any:
        raise AssertionError("a network says what its body is")

    def forward(self, x: Any) -> Any:
        return self.head(self.body(self.patch(x).flatten(2).transpose([0, 2, 1])).mean(1))
