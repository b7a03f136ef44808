"""Latency: what is foretold of cuts, and plans that are asked for it."""

from __future__ import annotations

import sys

import numpy as np
import paddle
import pytest
from paddle import nn

import paddleprune
from paddleprune.api.stopwatch import Stopwatch
from paddleprune.engines import NativeEngine
from paddleprune.errors import ConfigError, DependencyError, PlanError
from paddleprune.machine.cpu import block_channels
from paddleprune.measure.layer_times import noting_calls
from paddleprune.settings import Budget, FrontSettings, PruneSettings
from paddleprune.solver import Ceiling, Costs, LayerLatency, UnitPath, uniform_order
from paddleprune.validation import validated

BLOCK = 8


@pytest.fixture
def network():
    layer = nn.Sequential(
        *(nn.Conv2D(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2D(32, 32, 3, padding=1, groups=32), nn.ReLU()),
        *(nn.Conv2D(32, 64, 1), nn.ReLU(), nn.Conv2D(64, 40, 3, padding=1), nn.ReLU(), nn.Conv2D(40, 5, 1)),
    )
    layer.eval()
    return paddleprune.trace(layer, (1, 3, 16, 16))


def milliseconds(spec, reads, makes):
    """Of a CPU that takes eight channels at once."""
    blocks = -(-makes // BLOCK) * (1 if spec.groups == 0 else -(-reads // BLOCK))
    return 0.01 + 0.001 * blocks * np.prod(spec.kernel)


def foretelling(graph):
    with noting_calls(graph.layer) as calls:
        graph.layer(paddle.zeros([1, 3, 16, 16]))
    return LayerLatency(graph.channels, calls, milliseconds, BLOCK), calls


def first_units(graph, **counts):
    return [unit for name, count in counts.items() for unit in graph.channels[name.strip("_")].units[:count]]


def test_a_network_takes_what_its_layers_take_and_channels_within_a_block_are_free(network):
    model, calls = foretelling(network)
    shapes = network.channels.shapes
    dense = sum(milliseconds(spec, *spec.widths(shapes[f"{name}.weight"])) for name, spec in calls)
    assert model.total(()) == pytest.approx(dense)
    assert model.total(first_units(network, _4=7)) == pytest.approx(dense)
    narrower = {"4.weight": (48, 32, 1, 1), "6.weight": (40, 48, 3, 3)}
    cut = sum(
        milliseconds(spec, *spec.widths(narrower.get(f"{name}.weight", shapes[f"{name}.weight"])))
        for name, spec in calls
    )
    assert model.total(first_units(network, _4=16)) == pytest.approx(cut)
    slopes = model.slopes(first_units(network, _4=16))
    assert all(slopes[unit] == 0 for unit in first_units(network, _4=16))
    assert slopes[network.channels["4"].units[20]] == pytest.approx((dense - cut) / 16)


def test_a_fit_finds_what_is_there_whatever_is_cut(network):
    model, _ = foretelling(network)
    cuts = [(), first_units(network, _0=16), first_units(network, _4=32, _6=16)]
    model.fit([(cut, 0.5 + 3 * model.total(cut)) for cut in cuts])
    plain, _ = foretelling(network)
    for cut in (*cuts, first_units(network, _0=8, _6=24)):
        assert model.total(cut) == pytest.approx(0.5 + 3 * plain.total(cut))
    assert model.error == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("share", [0.8, 0.5])
def test_a_plan_is_in_blocks_and_full(network, share):
    """It is within its limit, and no group could have another block of channels back."""
    model, _ = foretelling(network)
    graph, costs = network.channels, Costs(network.channels, model)
    engine = NativeEngine(network.layer, graph, "l1")
    ceiling = Ceiling({"latency": share * costs.dense["latency"]}, "latency")
    path = UnitPath(graph, uniform_order(engine.groups, "l1"), costs, ceiling, BLOCK)
    plan = path.at_most(ceiling)
    gone = plan.removed(graph)
    assert costs.total(gone)["latency"] <= ceiling.limits["latency"]
    for name, part in plan.groups.items():
        assert len(part.keep) % BLOCK == 0
        lost = [unit for i, unit in enumerate(graph[name].units) if i not in part.keep]
        fewer = [unit for unit in gone if unit not in lost[:BLOCK]]
        assert costs.total(fewer)["latency"] > ceiling.limits["latency"]


@pytest.fixture
def wide(tmp_path, monkeypatch):
    """A network whose time is in its convolutions; what is timed of it is kept in a folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    inner = (nn.Conv2D(128, 128, 3, padding=1), nn.ReLU(), nn.Conv2D(128, 128, 3, padding=1), nn.ReLU())
    layer = nn.Sequential(nn.Conv2D(3, 128, 3, padding=1), nn.ReLU(), *inner, nn.Conv2D(128, 5, 1))
    layer.eval()
    return paddleprune.trace(layer, (1, 3, 32, 32))


@pytest.mark.slow
def test_what_is_asked_for_is_measured(wide, tmp_path):
    images = np.random.default_rng(0).standard_normal((16, 3, 32, 32)).astype("float32")
    dense = {name: tensor.numpy() for name, tensor in wide.layer.state_dict().items()}
    found = paddleprune.plan(wide, latency=0.6, threads=1, calibration=images).plan
    assert found.latency.pruned <= found.latency.asked == pytest.approx(0.6 * found.latency.dense)
    assert found.budget == {"latency": 0.6}
    assert "oneDNN on, 1 thread)" in found.latency.describe()
    for name, tensor in wide.layer.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), dense[name])
    assert list(tmp_path.glob("paddleprune/layer_times_*.json"))
    with pytest.raises(PlanError, match=r"latency .* ms\) can't be had: when all has gone that may go, latency "):
        paddleprune.plan(wide, latency="0.0001ms", threads=1)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_what_is_asked_of_a_runtime_is_measured_there(runtime, wide, tmp_path):
    pytest.importorskip(runtime)
    found = paddleprune.plan(wide, latency=0.7, threads=1, runtime=runtime).plan.latency
    assert found.pruned <= found.asked == pytest.approx(0.7 * found.dense)
    assert f"; {runtime} {found.version}, 1 thread)" in found.describe()
    (kept,) = tmp_path.glob("paddleprune/layer_times_*.json")
    assert f" {found.version}, 1 threads" in kept.read_text()


def test_a_stopwatch_runs_in_the_runtime_that_is_asked_for(network, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr("paddleprune.api.stopwatch._SECONDS", 0.02)
    asked = PruneSettings(latency=0.7, threads=1, runtime="onnxruntime")
    watch = Stopwatch(network.layer, network.channels, asked)
    assert watch.blocks == block_channels()
    found = watch.of_plan(paddleprune.plan(network, 0.5).plan, 1.0, None, 0.7)
    assert (found.runtime, found.onednn, found.asked) == ("onnxruntime", None, 0.7 * found.dense)
    assert found.pruned > 0
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DependencyError, match=r"latency in ONNX Runtime needs .*paddleprune\[onnx\]"):
        paddleprune.plan(network, latency=0.7, runtime="onnxruntime")


def test_onednn_is_off_in_paddle_alone():
    for settings in (PruneSettings, FrontSettings):
        with pytest.raises(ConfigError, match="oneDNN can be off in paddle alone, not in openvino"):
            validated(settings, {"runtime": "openvino", "onednn": False}, "prune", "setting")


def test_latency_of_what_cannot_be_exported():
    layer = nn.Embedding(10, 4)
    graph = paddleprune.trace(layer, paddle.to_tensor([[1, 2]]))
    with pytest.raises(ConfigError, match="networks whose inputs are float32 tensors"):
        paddleprune.plan(graph, latency=0.5)


@pytest.mark.parametrize(
    ("given", "held"), [("8ms", "8ms"), ("0.8 ms", "0.8ms"), ("0.01s", "10ms"), ("50%", 0.5), (0.5, 0.5), ("0.5", 0.5)]
)
def test_times_and_shares(given, held):
    assert Budget(latency=given).latency == held


@pytest.mark.parametrize("given", [8, "8", "fast", 0, "0ms", -1, True])
def test_times_that_cannot_be(given):
    with pytest.raises(ConfigError, match=r"must be a share of the dense model's, such as 0\.5, or a time"):
        validated(Budget, {"latency": given}, "prune", "setting")
