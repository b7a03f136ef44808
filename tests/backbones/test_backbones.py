"""Feature maps, and parameter counts against the published ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle
import pytest

from paddleprune.backbones import DarkNet53, MobileNetV2, MobileNetV3Large, ResNetVd, Xception, scaled
from paddleprune.backbones.blocks import dilated

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
    (lambda: MobileNetV2(in_channels=5, scale=0.5), (16, 16, 48, 160)),
    (lambda: MobileNetV3Large(in_channels=2, scale=0.25), (8, 8, 32, 240)),
    (lambda: ResNetVd(50, scale=0.125, output_stride=16), (32, 64, 128, 256)),
    (lambda: ResNetVd(18, scale=0.125, output_stride=8), (8, 16, 32, 64)),
    (lambda: Xception(41, scale=0.125, output_stride=8), (16, 32, 88, 256)),
    (lambda: MobileNetV2(scale=0.5, output_stride=16), (16, 16, 48, 160)),
    (lambda: MobileNetV3Large(scale=0.25, output_stride=8), (8, 8, 32, 240)),
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


# torchvision's models without what follows their last feature map, in millions.
@pytest.mark.parametrize(("make", "millions"), [(MobileNetV2, 1.812), (MobileNetV3Large, 2.972)])
def test_mobile_nets_have_as_many_parameters_as_the_published_ones(make: Callable[[], Any], millions: float) -> None:
    learned = sum(int(p.size) for p in make().parameters() if not p.stop_gradient)
    assert learned / 1e6 == pytest.approx(millions, abs=0.002)


def test_a_stride_that_would_be_too_much_becomes_a_dilation() -> None:
    assert dilated((1, 2, 2, 2), 32, before=4) == [(1, 1), (2, 1), (2, 1), (2, 1)]
    assert dilated((1, 2, 2, 2), 16, before=4) == [(1, 1), (2, 1), (2, 1), (1, 2)]
    assert dilated((1, 2, 2, 2), 8, before=4) == [(1, 1), (2, 1), (1, 2), (1, 4)]


def test_an_unknown_depth_names_the_choices() -> None:
    with pytest.raises(ValueError, match="no depth 42; choose from 41, 65"):
        Xception(42)
    with pytest.raises(ValueError, match="no depth 49; choose from 18, 34, 50, 101"):
        ResNetVd(49)


def test_scaled_widths_are_multiples_of_eight() -> None:
    assert [scaled(728, s) for s in (1.0, 0.5, 0.125, 1e-6)] == [728, 368, 88, 8]
