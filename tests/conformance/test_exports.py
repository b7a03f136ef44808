"""Every built-in family, pruned at random, computes in every other runtime what it does in Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

import paddleprune
from paddleprune.exports.inference_files import export_model
from paddleprune.exports.onnx import export_onnx
from paddleprune.graph import build_graph
from paddleprune.proofs.proof import Fed, prove
from paddleprune.pruning import shrink
from paddleprune.registry import Registry
from paddleprune.runtimes.modes import MODES
from paddleprune.testing.exactness import settle

SMALL: dict[str, dict[str, Any]] = {
    "classification": {"num_classes": 7, "scale": 0.25, "width": 8},
    "segmentation": {"num_classes": 3, "input_size": (33, 47), "input_channels": 4, "scale": 0.25, "width": 4}
    | {"depth": 2, "head_width": 16},
    "detection": {"num_classes": 2, "input_size": (49, 71), "input_channels": 1, "scale": 0.125, "proposals": 12},
}
FAMILIES = [(task, info) for task in SMALL for info in paddleprune.families(task).values()]


def small_options(task: str, info: Any) -> dict[str, Any]:
    fields = info.options.model_fields
    small = {key: value for key, value in SMALL[task].items() if key in fields}
    if "input_size" not in small:
        least, most = info.options.input_sides
        small["input_size"] = min(max(32, least), most or 10_000)
    return small


@pytest.mark.slow
@pytest.mark.parametrize(("task", "info"), [pytest.param(t, i, id=f"{t}-{i.name}") for t, i in FAMILIES])
def test_a_pruned_family_is_the_same_in_other_runtimes(task: str, info: Any, tmp_path: Path) -> None:
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    registry = Registry.discover()
    options = registry.options(task, info.name, small_options(task, info))
    shapes = options.input_shapes()
    paddle.seed(0)
    layer = registry.build_model(task, info.name, options)
    settle(layer, shapes)
    graph = build_graph(layer, [(1, *shape) for shape in shapes])
    graph = graph.protecting(registry.list_prunable(task, info.name, options, graph))
    generator, gone = np.random.default_rng(2), list[int]()
    for group in graph.prunable:
        count = group.count(float(generator.uniform(0.1, 0.6)))
        gone.extend(group.removable(generator.permutation(group.units).tolist())[:count])
    shrink(layer, graph, gone)
    export_onnx(layer, shapes, tmp_path / "model")
    export_model(layer, shapes, tmp_path / "model")
    for mode in MODES:
        _, proof = prove(layer, tmp_path / "model", MODES[mode], Fed.of(shapes, None))
        assert proof.probe.differences
        assert max(proof.probe.differences.values()) <= proof.tolerance
