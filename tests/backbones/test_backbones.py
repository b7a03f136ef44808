"""Feature maps, and parameter counts against the published ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle
import pytest

from paddleprune.backbones import DarkNet53, ResNetVd, Xception
from paddleprune.backbones.blocks import scaled

_CLASSES = 1000

# With a linear layer to 1000 classes, in millions: PaddleClas's model zoo (ResNet-vd), the table of timm
# (aligned Xception, whose weights are DeepLab's own), Redmon's darknet53.cfg.
PUBLISHED: list[tuple[Callable[[], Any], float]] = [
    (lambda: ResNetVd(18), 11.71),
    (lambda: ResNetVd(34), 21.82),
    (lambda: ResNetVd(50), 25.58),
    (lambda: ResNetVd(101), 44.57),
    (DarkNet53, 41.61),
    (lambda: Xception(41), 26.97),
    (lambda: Xception(65), 39.92),
]
SMALL: list[tuple[Callable[[], Any], tuple[int, ...]]] = [
    (lambda: ResNetVd(18, scale=0.125), (8, 16, 32, 64)),
    (lambda: ResNetVd(50, in_channels=4, scale=0.125), (32, 64, 128, 256)),
    (lambda: DarkNet53(scale=0.125), (8, 16, 32, 64, 128)),
    (lambda: Xception(41, in_channels=1, scale=0.125), (16, 32, 88, 256)),
]


@pytest.mark.parametrize(("make", "millions"), PUBLISHED)
def test_parameter_counts_are_the_published_ones(make: Callable[[], Any], millions: float) -> None:
    layer = make()
    learned = sum(int(p.size) for p in layer.parameters() if not p.stop_gradient)
    total = learned + (layer.channels[-1] + 1) * _CLASSES
    assert total / 1e6 == pytest.approx(millions, abs=0.011)


@pytest.mark.parametrize(("make", "channels"), SMALL)
@pytest.mark.parametrize("size", [(64, 96), (33, 47)])
def test_feature_maps_have_the_declared_channels_and_strides(
    make: Callable[[], Any], channels: tuple[int, ...], size: tuple[int, int]
) -> None:
    layer = make()
    layer.eval()
    inputs = next(iter(layer.parameters())).shape[1]
    maps = layer(paddle.randn([1, inputs, *size]))
    assert layer.channels == channels
    expected = [[1, c, -(-size[0] // s), -(-size[1] // s)] for c, s in zip(channels, layer.strides, strict=True)]
    assert [list(m.shape) for m in maps] == expected


def test_an_unknown_depth_names_the_choices() -> None:
    with pytest.raises(ValueError, match="no depth 42; choose from 41, 65"):
        Xception(42)
    with pytest.raises(ValueError, match="no depth 49; choose from 18, 34, 50, 101"):
        ResNetVd(49)


def test_scaled_widths_are_multiples_of_eight() -> None:
    assert [scaled(728, s) for s in (1.0, 0.5, 0.125, 1e-6)] == [728, 368, 88, 8]
