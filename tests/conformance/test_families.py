"""Every built-in family passes the suite that plugin authors run, at a size that is small for it."""

from __future__ import annotations

from typing import Any

import pytest
from families import known, suite

from paddleprune.testing import TaskConformance
from paddleprune_classification.families import families

QUICK = {
    *("alexnet", "densenet121", "lenet", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"),
    *("resnet18", "resnet50", "resnet18_vd", "shufflenet_v2_x0_25", "squeezenet1_1", "darknet53"),
    *("xception41",),
}
"""One of each kind; the wider and deeper siblings are slow."""
DEEP = {"darknet53", "densenet121", "resnet50", "xception41"}
"""Of these, all groups together are quick; each one alone is slow."""
SMALL = {"scale": 0.25, "width": 8}


def small_options(info: Any) -> dict[str, Any]:
    model = info.options
    least, most = model.input_sides
    return {"num_classes": 7, "input_size": min(max(32, least), most or 10_000), **known(info, SMALL)}


for _info in families():
    _suite = suite(_info, small_options(_info), __name__, deep=_info.name in DEEP)
    globals()[_suite.__name__] = _suite if _info.name in QUICK else pytest.mark.slow(_suite)


class TestClassification(TaskConformance):
    task = "classification"
