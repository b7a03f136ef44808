"""Every built-in family passes the suite that plugin authors run, at a size that is small for it."""

from __future__ import annotations

from typing import Any

import pytest
from families import known, suite

from paddleprune.graph.channels import ChannelGraph
from paddleprune.testing import FamilyConformance, TaskConformance
from paddleprune_classification.families import families

QUICK = {
    *("alexnet", "densenet121", "lenet", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"),
    *("resnet18", "resnet50", "resnet18_vd", "shufflenet_v2_x0_25", "squeezenet1_1", "vgg11", "darknet53"),
    *("xception41",),
}
"""One of each kind; the wider and deeper siblings are slow."""
DEEP = {"densenet121", "xception41"}
"""Of these, all groups together are quick; each one alone is slow."""
SMALL = {"scale": 0.25, "width": 8}


def small_options(info: Any) -> dict[str, Any]:
    model = info.options
    least, most = model.input_sides
    return {"num_classes": 7, "input_size": min(max(32, least), most or 10_000), **known(info, SMALL)}


@pytest.mark.slow
def _every_group(self: FamilyConformance, layer: Any, graph: ChannelGraph, probe: tuple[Any, ...]) -> None:
    FamilyConformance.test_every_group_alone_is_exact(self, layer, graph, probe)


for _info in families():
    _alone = {"test_every_group_alone_is_exact": _every_group} if _info.name in DEEP else {}
    _suite = suite(_info, small_options(_info), __name__, **_alone)
    globals()[_suite.__name__] = _suite if _info.name in QUICK else pytest.mark.slow(_suite)


class TestClassification(TaskConformance):
    task = "classification"
