"""Every family is built through the registry, takes odd sizes and any channels, and gives scores for each pixel."""

from __future__ import annotations

from typing import Any

import paddle
import pytest
from families import check_defaults, each, heavy_imports, known
from pydantic import ValidationError

from paddleprune.graph import build_graph
from paddleprune_segmentation.architectures import build
from paddleprune_segmentation.families import families
from paddleprune_segmentation.plugin import plugin

INFOS = {info.name: info for info in families()}
AUXILIARY = {"fast_scnn": 2, "bisenetv2": 4, "pp_liteseg": 2}
SMALL = {"scale": 0.25, "width": 4, "head_width": 16}
HEAVY = {"deeplabv3p_xception65", *(f"hrnet_w{width}" for width in (30, 32, 40, 44, 48, 60, 64))}


def options_of(name: str, **more: Any) -> Any:
    model = INFOS[name].options
    return model(**{"num_classes": 3, "input_size": (33, 47), "input_channels": 5, **known(INFOS[name], SMALL), **more})


def parameters(name: str, **more: Any) -> int:
    layer = build(name, INFOS[name].options(num_classes=19, **more))
    return sum(int(p.size) for p in layer.parameters() if not p.stop_gradient)


@pytest.mark.parametrize("name", each(INFOS, HEAVY))
@pytest.mark.parametrize("size", [(33, 47), (64, 32)])
def test_families_score_every_pixel(name: str, size: tuple[int, int]) -> None:
    options = options_of(name, input_size=size)
    layer = plugin.paddleprune_build_model(name, options)
    image = paddle.randn([2, *options.input_shapes()[0]])
    layer.eval()
    with paddle.no_grad():
        scores = layer(image)
    assert list(scores.shape) == [2, 3, *size]
    assert bool(paddle.isfinite(scores).all())
    layer.train()
    outputs = layer(image)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    assert len(outputs) == 1 + AUXILIARY.get(name, 0)
    assert all(list(output.shape) == [2, 3, *size] for output in outputs)


@pytest.mark.parametrize("name", sorted(AUXILIARY))
def test_auxiliary_heads_are_for_training(name: str) -> None:
    """A trace has the scores alone as output, the heads cost no FLOPs, and none of their filters is pruned."""
    options = options_of(name)
    layer, without = build(name, options), build(name, options_of(name, aux_heads=False))
    graphs = [build_graph(network, [(1, *options.input_shapes()[0])]) for network in (layer, without)]
    assert graphs[0].cost().flops == graphs[1].cost().flops
    assert graphs[0].cost().parameters > graphs[1].cost().parameters
    kept = plugin.paddleprune_list_prunable(name, graphs[0])
    assert set(kept) == {group.name for group in graphs[0].groups} - {group.name for group in graphs[1].groups}
    assert not plugin.paddleprune_list_prunable(name, graphs[1])
    without.train()
    assert list(without(paddle.randn([2, *options.input_shapes()[0]])).shape) == [2, 3, 33, 47]


def test_options_reach_the_architecture() -> None:
    mobile = "deeplabv3p_mobilenet_v2"
    whole = parameters(mobile)
    assert whole > parameters(mobile, decoder=False) > parameters(mobile, aspp=False, decoder=False)
    assert parameters(mobile, scale=2.0) > 2 * whole > 4 * parameters(mobile, scale=0.25)
    assert parameters("unet", width=8, upsample="transposed") > parameters("unet", width=8)
    assert parameters("unet", width=8, depth=5) > 3 * parameters("unet", width=8, depth=4)


# Of the papers' own networks, in millions, with 19 classes: UNet of 1024 channels below (31.0, Milesial's
# implementation), Fast-SCNN's 1.11, HRNetV2-W18's and W48's 9.6 and 65.8.
@pytest.mark.parametrize(
    ("name", "more", "millions"),
    [
        ("unet", {"upsample": "transposed"}, 31.04),
        ("fast_scnn", {"aux_heads": False}, 1.11),
        ("hrnet_w18", {}, 9.64),
        pytest.param("hrnet_w48", {}, 65.85, marks=pytest.mark.slow),
    ],
)
def test_parameter_counts_are_the_published_ones(name: str, more: dict[str, Any], millions: float) -> None:
    assert parameters(name, **more) / 1e6 == pytest.approx(millions, rel=0.04)


def test_defaults_are_valid() -> None:
    check_defaults(INFOS)


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("deeplabv3p_mobilenet_v2", {"scale": 0.1}, "greater than or equal to 0.25"),
        ("deeplabv3p_mobilenet_v2", {"scale": 2.5}, "less than or equal to 2"),
        ("deeplabv3p_resnet50_vd", {"output_stride": 4}, "Input should be 8 or 16"),
        ("unet", {"upsample": "nearest"}, "'bilinear' or 'transposed'"),
        ("unet", {"aux_heads": True}, "Extra inputs"),
        ("unet", {"num_classes": 256}, "less than or equal to 255"),
        ("hrnet_w18", {"scale": float("nan")}, "scale"),
    ],
)
def test_options_that_cannot_work_are_refused(name: str, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        INFOS[name].options(**bad)


def test_listing_families_imports_nothing_heavy() -> None:
    assert heavy_imports("segmentation", 10) == "[]"
