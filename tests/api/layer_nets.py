"""Layers of a user's own, and what tests do with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
from paddle import nn

from paddleprune.graph.tensors import named_tensors


class TwoInputs(nn.Layer):
    """An image and numbers of words in, a dict out; a channel attention on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2D(3, 16, 3, padding=1), nn.BatchNorm2D(16), nn.ReLU())
        self.b = nn.Conv2D(16, 12, 3, padding=1)
        self.words = nn.Embedding(10, 12)
        self.mix, self.head = nn.Linear(12, 20), nn.Linear(20, 4)

    def forward(self, inputs: dict[str, Any]) -> dict[str, Any]:
        image = self.b(self.a(inputs["image"])).mean([2, 3])
        words = self.words(inputs["words"]).mean(1)
        return {"scores": self.head(F.gelu(self.mix(image * words))), "nothing": None}


class Block(nn.Layer):
    """A block of a vision transformer, as people write them by hand; patches in, two outputs."""

    def __init__(self, dim: int = 16, heads: int = 4) -> None:
        super().__init__()
        self.embed = nn.Conv2D(3, dim, 4, 4)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.num_heads, self.head_dim = heads, dim // heads
        self.scale = self.head_dim**-0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.head = nn.Linear(dim, 5)

    def forward(self, image: Any) -> Any:
        x = self.embed(image).flatten(2).transpose([0, 2, 1])
        n, count = x.shape[:2]
        qkv = self.qkv(self.norm1(x)).reshape([n, count, 3, self.num_heads, self.head_dim]).transpose([2, 0, 3, 1, 4])
        weights = F.softmax(qkv[0] @ qkv[1].transpose([0, 1, 3, 2]) * self.scale)
        x = x + self.proj((weights @ qkv[2]).transpose([0, 2, 1, 3]).flatten(2))
        x = x + self.fc2(F.gelu(self.fc1(self.norm2(x))))
        return self.head(x.mean(1)), self.head(x)


class CrossStage(nn.Layer):
    """A block that splits by a width that it holds, as YOLO's do."""

    def __init__(self) -> None:
        super().__init__()
        self.c = 8
        self.enter, self.step, self.leave = nn.Conv2D(3, 16, 1), nn.Conv2D(8, 8, 3, padding=1), nn.Conv2D(24, 5, 1)

    def forward(self, image: Any) -> Any:
        x, y = self.enter(image).split([self.c, self.c], axis=1)
        return self.leave(paddle.concat([x, y, y + self.step(y)], axis=1))


class Sum(nn.Layer):
    """Two positional arguments, and one that may be missing."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(6, 8), nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, x: Any, y: Any, mask: Any = None) -> Any:
        z = F.relu(self.a(x) + self.b(y))
        return self.head(z if mask is None else z * mask)


class Classifier(nn.Layer):
    """Grouped, depthwise and plain convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2D(3, 16, 3, padding=1), nn.BatchNorm2D(16), nn.ReLU()),
            *(nn.Conv2D(16, 16, 3, padding=1, groups=16), nn.Conv2D(16, 24, 1), nn.BatchNorm2D(24), nn.Hardswish()),
            *(nn.Conv2D(24, 24, 3, padding=1, groups=4), nn.ReLU(), nn.AdaptiveAvgPool2D(1), nn.Flatten()),
        )
        self.head = nn.Linear(24, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.body(x))


class Flat(nn.Layer):
    """Positions as tokens, to a fixed width."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Linear(16, 16)

    def forward(self, x: Any) -> Any:
        return self.widen(x.flatten(2).transpose([0, 2, 1]))


def encoder() -> nn.Layer:
    """Convolutions, plain and depthwise, and one of Paddle's own transformer layers."""
    return nn.Sequential(
        nn.Conv2D(3, 16, 3),
        nn.Conv2D(16, 16, 3, groups=16),
        Flat(),
        nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0),
    )


SPEC = [{"image": (1, 3, 8, 8), "words": paddle.to_tensor([[1, 2, 3]])}]
PROBE = ({"image": np.ones((1, 3, 8, 8), np.float32), "words": np.array([[4, 5, 6]])},)
IMAGES = np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32)
ALL = {"body.0": 0.5, "body.4": 0.25, "body.7": 0.5}


def outputs(layer: nn.Layer, inputs: tuple[Any, ...] = PROBE) -> np.ndarray:
    """The first output, in evaluation mode."""
    layer.eval()
    with paddle.no_grad():
        got = layer(*paddle.utils.map_structure(paddle.to_tensor, inputs))
    return np.asarray(next(iter(got.values())) if isinstance(got, dict) else got[0] if isinstance(got, tuple) else got)


def contents(layer: nn.Layer) -> dict[str, np.ndarray]:
    """Every parameter and buffer."""
    return {name: tensor.numpy().copy() for name, tensor in named_tensors(layer).items()}


def assert_same(layer: nn.Layer, before: dict[str, np.ndarray]) -> None:
    """The layer is what it was, bit for bit."""
    now = contents(layer)
    assert now.keys() == before.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(now[name], array, err_msg=name)
