"""Networks with residual branches of every kind."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import nn

WIDE, SIDE = 8, 6


def conv(inputs: int = WIDE, outputs: int = WIDE) -> nn.Layer:
    return nn.Conv2D(inputs, outputs, 3, padding=1, bias_attr=False)


class Inner(nn.Layer):
    """A block within a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.body = conv()

    def forward(self, x: Any) -> Any:
        return x + self.body(F.relu(x))


class Branches(nn.Layer):
    """Squeeze and excitation, a branch in a branch, stochastic depth, and branches that can't go."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3), nn.BatchNorm2D(WIDE), nn.ReLU())
        self.a, self.norm, self.squeeze = conv(outputs=12), nn.BatchNorm2D(12), nn.Conv2D(12, 12, 1)
        self.b = conv(12)
        self.outer = nn.Sequential(conv(), Inner(), nn.Dropout(0.5), conv())
        self.gamma = self.create_parameter([WIDE, 1, 1], default_initializer=nn.initializer.Constant(0.5))
        self.scaled = nn.Conv2D(WIDE, WIDE, 1)
        self.read, self.twice, self.shifted = conv(), conv(), conv()
        self.head, self.other = nn.Linear(WIDE, 5), nn.Linear(WIDE, 2)

    def forward(self, image: Any) -> Any:
        x = self.stem(image)
        y = F.relu(self.norm(self.a(x)))
        x = x + self.b(y * F.sigmoid(self.squeeze(y.mean([2, 3], keepdim=True))))
        x = x + self.outer(x)
        if self.training:
            x = x + self.gamma * self.scaled(x) * paddle.bernoulli(paddle.full([x.shape[0], 1, 1, 1], 0.5))
        else:
            x = x + self.gamma * self.scaled(x)
        y = self.read(x)
        x = x + y
        x = x + self.twice(F.relu(x))
        x = x + F.sigmoid(self.shifted(x))
        x = self.twice(x)
        return self.head(x.mean([2, 3])), self.other(y.mean([2, 3]))


class Inline(nn.Layer):
    """A branch that ends with a block of its own, all in one forward."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first, self.last = conv(3), conv(), conv()
        self.head = nn.Linear(WIDE, 3)

    def forward(self, image: Any) -> Any:
        x = self.stem(image)
        y = self.first(F.relu(x))
        return self.head(F.relu(x + (y + self.last(F.relu(y)))).mean([2, 3]))


class Attends(nn.Layer):
    """Attention in the block's own forward, which takes its sizes from the block's input."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.project, self.head = nn.Linear(WIDE, 3 * WIDE), nn.Linear(WIDE, WIDE), nn.Linear(WIDE, 3)

    def forward(self, x: Any) -> Any:
        n, count = x.shape[:2]
        q, k, v = self.mix(x).reshape([n, count, 3, 2, -1]).transpose([2, 0, 3, 1, 4])
        mixed = F.softmax(q @ k.transpose([0, 1, 3, 2])) @ v
        return self.head(x + self.project(mixed.transpose([0, 2, 1, 3]).flatten(2)))


class Free(nn.Layer):
    """Two branches of one trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.one, self.two = conv(3), nn.Sequential(conv(), nn.ReLU(), conv()), conv()
        self.head = nn.Linear(WIDE, 3)

    def forward(self, image: Any) -> Any:
        x = F.relu(self.stem(image))
        x = x + self.one(x)
        x = x + self.two(F.relu(x))
        return self.head(x.mean([2, 3]))
