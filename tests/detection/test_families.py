"""Every family is built through the registry, takes any size and channels, and its head reads what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
from families import check_defaults, heavy_imports, known
from pydantic import ValidationError

from paddleprune.graph import build_graph
from paddleprune.measure.evaluation import eager_forward
from paddleprune.testing import settle
from paddleprune_detection.architectures import build
from paddleprune_detection.families import families
from paddleprune_detection.plugin import plugin
from paddleprune_detection.reading import head_of

INFOS = {info.name: info for info in families()}
SMALL = {"scale": 0.125, "proposals": 20}
HEADS = {
    "yolov3": 3,
    "ssd": 12,
    "fcos": 15,
    "ppyoloe": 6,
    "faster": 13,
}
"""Outputs of each kind of family."""


def options_of(name: str, **more: Any) -> Any:
    model = INFOS[name].options
    return model(**{"num_classes": 3, "input_size": (49, 71), "input_channels": 5, **known(INFOS[name], SMALL), **more})


def parameters(name: str, **more: Any) -> int:
    layer = build(name, INFOS[name].options(**more))
    return sum(int(p.size) for p in layer.parameters() if not p.stop_gradient)


@pytest.mark.parametrize("name", sorted(INFOS))
@pytest.mark.parametrize("size", [(49, 71), (64, 32)])
def test_heads_read_what_families_say(name: str, size: tuple[int, int]) -> None:
    options = options_of(name, input_size=size, score_threshold=0.0, max_objects=7)
    layer = plugin.paddleprune_build_model(name, options)
    settle(layer, options.input_shapes())
    image = np.random.default_rng(0).standard_normal((2, *options.input_shapes()[0])).astype(np.float32)
    outputs = eager_forward(layer)((image,))
    assert len(outputs) == HEADS[name.partition("_")[0]]
    assert all(len(output) == 2 and np.isfinite(output).all() for output in outputs)
    for found in head_of(options).decode(outputs):
        assert len(found.scores) == 7
        assert (np.diff(found.scores) <= 0).all()
        assert set(found.classes.tolist()) <= {0, 1, 2}


@pytest.mark.parametrize("name", sorted(INFOS))
def test_only_what_feeds_an_output_stays(name: str) -> None:
    """By the graph itself: the plugin protects nothing by name."""
    options = options_of(name)
    graph = build_graph(build(name, options), [(1, *options.input_shapes()[0])])
    kept = {group.name: group.protected for group in graph.groups if group.protected}
    alone = {"central": "its channels stand or fall together, as one unit"} if name.startswith("fcos") else {}
    assert {why for group, why in kept.items() if group not in alone} == {"feeds an output of the model"}
    assert {group: kept.get(group) for group in alone} == alone
    assert not graph.uncounted


# Millions of parameters with COCO's 80 classes: of Redmon's YOLOv3, of the PP-YOLOE-s in its paper's table 2, whose
# one-branch blocks have fewer, and of torchvision's Faster R-CNN (with 91 classes) and FCOS.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more", "millions"),
    [
        ("yolov3_darknet53", {}, 61.95),
        ("ppyoloe_s", {}, 7.93),
        ("faster_rcnn_resnet50_fpn", {"num_classes": 90}, 41.76),
        ("fcos_resnet50", {"num_classes": 91}, 32.27),
    ],
)
def test_parameter_counts_are_the_published_ones(name: str, more: dict[str, Any], millions: float) -> None:
    assert parameters(name, **more) / 1e6 == pytest.approx(millions, rel=0.04)


def test_options_reach_the_architecture() -> None:
    yolo = "yolov3_mobilenet_v1"
    whole = parameters(yolo)
    assert parameters(yolo, scale=0.5) < 0.3 * whole
    assert parameters(yolo, anchors=((10, 10),) * 3) < whole < parameters(yolo, anchors=((10, 10),) * 12)
    assert parameters(yolo, num_classes=20) < whole
    outputs = build("faster_rcnn_resnet18_fpn", options_of("faster_rcnn_resnet18_fpn", proposals=5))
    assert outputs(paddle.randn([1, 5, 49, 71]))[0].shape == [1, 5, 4]


def test_anchors_are_sorted_onto_the_levels() -> None:
    options = options_of("yolov3_mobilenet_v1", anchors=((30, 40), (4, 4), (12, 9)))
    assert head_of(options).anchors.tolist() == [[[30, 40]], [[12, 9]], [[4, 4]]]
    by_default = head_of(options_of("yolov3_mobilenet_v1", input_size=(208, 832))).anchors
    assert by_default[2, 0].tolist() == [20, 6.5]  # COCO's 10x13 at 416x416


def test_defaults_are_valid() -> None:
    check_defaults(INFOS)


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("yolov3_darknet53", {"anchors": ((10, 10), (20, 20))}, "2 anchors; give as many for each of the 3 levels"),
        ("yolov3_darknet53", {"anchors": ()}, "0 anchors"),
        ("yolov3_darknet53", {"anchors": ((10, 10), (0, 20), (30, 30))}, "an anchor of 0 x 20 pixels"),
        ("yolov3_darknet53", {"anchors": ((10, 10), (9, float("nan")), (30, 30))}, "9 x nan"),
        ("yolov3_darknet53", {"nms_threshold": 1.5}, "less than or equal to 1"),
        ("ssd_mobilenet_v1", {"anchors": ((1, 1),) * 3}, "Extra inputs"),
        ("ssd_mobilenet_v1", {"smallest": 0}, "greater than 0"),
        ("fcos_resnet50", {"scale": 0}, "greater than 0"),
        ("faster_rcnn_resnet50_fpn", {"proposals": 0}, "greater than or equal to 1"),
    ],
)
def test_options_that_cannot_work_are_refused(name: str, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        INFOS[name].options(**bad)


def test_listing_families_imports_nothing_heavy() -> None:
    assert heavy_imports("detection", 10) == "[]"
