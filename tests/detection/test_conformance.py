"""Every family passes the suite that plugin authors run, with one channel in and at an odd size."""

from __future__ import annotations

from typing import Any

from families import suites

from paddleprune_detection.families import families

QUICK = {"yolov3_mobilenet_v1", "ssd_mobilenet_v1", "fcos_resnet18", "ppyoloe_s", "faster_rcnn_resnet18_fpn"}
"""One of each kind; the others are slow."""
COMMON = {"num_classes": 2, "input_size": (49, 71), "input_channels": 1, "scale": 0.125, "proposals": 12}
"""Options of all families that have them."""
VARIANTS: dict[str, dict[str, Any]] = {
    "yolov3_mobilenet_v1 anchors": {"anchors": ((8, 8), (16, 12), (30, 30))},
    "yolov3_mobilenet_v1 full": {"scale": 1.0},
}
"""Families with options that change the network, beside the defaults."""


INFOS = {info.name: info for info in families()}
globals().update(suites(INFOS, COMMON, VARIANTS, QUICK, __name__, deep={"ppyoloe_s"}))
