"""Every family passes the suite that plugin authors run, with one channel in and at an odd size."""

from __future__ import annotations

from typing import Any

import pytest

from paddleprune.testing import FamilyConformance
from paddleprune_detection.families import families

QUICK = {"yolov3_mobilenet_v1", "ssd_mobilenet_v1", "fcos_resnet18", "ppyoloe_s", "faster_rcnn_resnet18_fpn"}
"""One of each kind; the others are slow."""
VARIANTS: dict[str, dict[str, Any]] = {
    "yolov3_mobilenet_v1 anchors": {"anchors": ((8, 8), (16, 12), (30, 30))},
    "yolov3_mobilenet_v1 full": {"scale": 1.0},
}
"""Families with options that change the network, beside the defaults."""


def small_options(info: Any) -> dict[str, Any]:
    small = {"scale": 0.125, "proposals": 12}
    small = {key: value for key, value in small.items() if key in info.options.model_fields}
    return {"num_classes": 2, "input_size": (49, 71), "input_channels": 1, **small}


INFOS = {info.name: info for info in families()}
for _name in INFOS | VARIANTS:
    _info = INFOS[_name.partition(" ")[0]]
    _suite = type(
        f"Test_{_name.replace(' ', '_')}",
        (FamilyConformance,),
        {
            "task": "detection",
            "family": _info.name,
            "options": {**small_options(_info), **VARIANTS.get(_name, {})},
            "__module__": __name__,
        },
    )
    globals()[_suite.__name__] = _suite if _name in QUICK else pytest.mark.slow(_suite)
