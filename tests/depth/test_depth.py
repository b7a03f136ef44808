"""Whole residual branches that go: found, priced, cut, proved, undone, saved, exported and chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from depth_nets import SIDE, WIDE, Attends, Branches, Free, Inline
from paddle import nn

import paddleprune
from paddleprune.api.layer.graph import LayerGraph
from paddleprune.errors import ConfigError, PlanError
from paddleprune.graph.tensors import named_tensors
from paddleprune.interfaces import Array
from paddleprune.runtimes.inference import create_predictor

SPEC = (2, 3, SIDE, SIDE)
PLACES = SIDE * SIDE
CONV = 9 * WIDE * WIDE


def images(count: int = 2, side: int = SIDE) -> Any:
    return np.random.default_rng(1).standard_normal((count, 3, side, side)).astype("float32")


def outputs(layer: nn.Layer, given: Any = None) -> list[Array]:
    layer.eval()
    found = layer(paddle.to_tensor(images() if given is None else given))
    return [y.numpy() for y in (found if isinstance(found, tuple) else (found,))]


def traced(layer: nn.Layer) -> LayerGraph:
    return paddleprune.trace(layer, SPEC, depth=True)


def test_branches_are_listed_with_what_goes_or_why_they_stay() -> None:
    found = {branch.name: branch for branch in traced(Branches()).explain().branches}
    free = {name: branch.layers for name, branch in found.items() if not branch.protected}
    assert free == {
        "+b": ("a", "norm", "squeeze", "b"),
        "+outer.1.body": ("outer.1.body",),
        "+outer": ("outer",),
        "+scaled": ("scaled",),
    }
    assert "mean at depth_nets.py:" in found["+read"].remark
    assert "reads it, too" in found["+read"].remark
    assert found["+twice"].protected == "twice.weight is used outside of it, too"
    assert "doesn't give zeros where its layers do" in str(found["+shifted"].protected)
    assert "+read" in str(traced(Branches()).explain())
    assert not paddleprune.trace(Branches(), SPEC).branches


def test_costs_are_those_by_hand() -> None:
    graph = traced(Free()).channels
    one, two = (branch.unit for branch in graph.branches)
    dense, without = graph.cost(), graph.cost([one])
    assert dense.parameters == 27 * WIDE + 3 * CONV + 3 * WIDE + 3
    assert dense.flops == PLACES * (27 * WIDE + 3 * CONV) + 3 * WIDE
    assert without.parameters == dense.parameters - 2 * CONV
    assert without.flops == dense.flops - PLACES * 2 * CONV
    assert graph.cost([one, two]).flops == PLACES * 27 * WIDE + 3 * WIDE
    inner = graph["one.0"].units[:4]
    assert graph.cost([one, *inner]) == without
    assert graph.cost([one, *graph["stem"].units[:2]]).parameters == 27 * 6 + 9 * 6 * 6 + 3 * 6 + 3


def test_channels_and_branches_go_at_once_proved_in_both_modes_and_undone_bit_for_bit() -> None:
    layer = Branches()
    before, dense = {name: t.numpy() for name, t in named_tensors(layer).items()}, outputs(layer)
    graph = traced(layer)
    ratios = {"stem.0": 0.25, "a": 0.5, "outer.0": 0.5, "+outer": 1, "+outer.1.body": 1, "+scaled": 1}
    plan = paddleprune.plan(graph, ratios)
    assert set(plan.plan.groups) == {"stem.0", "a"}  # what is nowhere but in a branch goes with it
    assert set(plan.plan.branches) == {"+outer", "+scaled"}
    assert "2 groups lose units and 2 branches go: " in plan.summary()
    certificate = paddleprune.shrink(layer, plan)
    assert certificate.training
    assert certificate.moved is not None
    assert certificate.moved > 1e-3
    left = paddleprune.trace(layer, SPEC).channels.cost()
    assert (left.parameters, left.flops) == (plan.plan.after.parameters, plan.plan.after.flops)
    assert not any(name.startswith(("outer", "scaled")) for name in layer.state_dict())
    layer.train()
    for output in layer(paddle.to_tensor(images())):
        assert np.isfinite(output.numpy()).all()
    plan.undo(layer)
    assert all((tensor.numpy() == before[name]).all() for name, tensor in named_tensors(layer).items())
    assert set(named_tensors(layer)) == set(before)
    for now, then in zip(outputs(layer), dense, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_branch_within_a_branch_can_go_alone_and_the_other_one_afterwards(tmp_path: Path) -> None:
    layer = Branches()
    first = paddleprune.plan(traced(layer), {"+outer.1.body": 1})
    paddleprune.shrink(layer, first)
    second = paddleprune.plan(traced(layer), {"+outer": 1, "a": 0.5})
    assert second.plan.before.parameters == first.plan.after.parameters
    paddleprune.shrink(layer, second)
    again = Branches()
    paddleprune.load_shrunk(again, second, layer.state_dict())
    for now, then in zip(outputs(again), outputs(layer), strict=True):
        np.testing.assert_array_equal(now, then)
    second.undo(layer)
    first.undo(layer)
    assert layer.state_dict().keys() == Branches().state_dict().keys()


def test_a_branch_that_ends_as_one_within_it_has_a_name_of_its_own() -> None:
    layer = Inline()
    graph = traced(layer)
    inner, outer = graph.branches
    assert (inner.name, dict(inner.layers)) == ("+last", {"last": 4})
    assert (outer.name, dict(outer.layers)) == ("+last#2", {"first": 4, "last": 4})
    plan = paddleprune.plan(graph, {"+last": 1, "+last#2": 1, "stem": 0.5})
    assert set(plan.plan.branches) == {"+last#2"}
    assert paddleprune.shrink(layer, plan).passed
    assert len(list(layer.parameters())) == 3


def test_attention_by_hand_stays_and_attention_in_a_layer_goes_as_a_whole() -> None:
    (by_hand,) = paddleprune.trace(Attends(), (2, 4, WIDE), depth=True).branches
    assert by_hand.name == "+project"
    assert str(by_hand.protected).startswith("the forward needs more of it than zeros (")
    encoder = nn.TransformerEncoderLayer(WIDE, 2, 16, normalize_before=True)
    first, second = paddleprune.trace(encoder, (2, 4, WIDE), depth=True).branches
    assert (first.name, first.protected) == ("+self_attn", None)
    assert (second.name, second.protected) == ("+linear2", None)


def test_what_cannot_be_asked_is_refused() -> None:
    graph = traced(Branches())
    with pytest.raises(PlanError, match=r"'\+outer' is a branch, which goes as a whole: its ratio is 1, or 0, got 0.5"):
        paddleprune.plan(graph, {"+outer": 0.5})
    with pytest.raises(PlanError, match=r"the branch '\+twice' can't go: twice.weight is used"):
        paddleprune.plan(graph, {"+twice": 1})
    with pytest.raises(ConfigError, match="branches are chosen by samples: give calibration"):
        paddleprune.plan(graph, flops=0.5)
    with pytest.raises(ConfigError, match="trace the layer with depth=True"):
        paddleprune.prune_layer(
            paddleprune.trace(Free(), SPEC), lambda _: 1.0, calibration=images(8), flops=0.5, depth=True
        )


def test_a_plan_that_was_saved_makes_a_fresh_layer_the_same(tmp_path: Path) -> None:
    layer = Free()
    plan = paddleprune.plan(traced(layer), {"+one": 1, "stem": 0.25})
    plan.save(tmp_path / "before.json")
    with pytest.raises(PlanError, match=r"'\+one' can't go: it was traced without depth"):
        paddleprune.load_plan(paddleprune.trace(layer, SPEC), tmp_path / "before.json")
    paddleprune.shrink(layer, paddleprune.load_plan(traced(layer), tmp_path / "before.json"))
    done = paddleprune.plan(traced(layer), {"stem": 0.2})  # one plan more: the last one knows all that is gone
    paddleprune.shrink(layer, done)
    done.save(tmp_path / "after.json")
    fresh = Free()
    paddleprune.load_shrunk(fresh, tmp_path / "after.json", layer.state_dict())
    np.testing.assert_array_equal(outputs(fresh)[0], outputs(layer)[0])
    done.plan.model_copy(update={"emptied": {"one": 4, "none": 4}}).save(tmp_path / "wrong.json")
    with pytest.raises(PlanError, match="empties the layer 'none', which this network lacks"):
        paddleprune.load_shrunk(Free(), tmp_path / "wrong.json", layer.state_dict())


def test_paddle_inference_runs_what_is_left_and_nothing_else(tmp_path: Path) -> None:
    layer = Free()
    paddleprune.shrink(layer, paddleprune.plan(traced(layer), {"+one": 1, "stem": 0.25}))
    layer.eval()
    spec = paddle.static.InputSpec([-1, 3, SIDE, SIDE], "float32", "image")
    paddle.jit.save(layer, str(tmp_path / "model"), input_spec=[spec])
    loaded = paddle.jit.load(str(tmp_path / "model"))
    program = loaded.program()  # both are kept: they hold what the operations are made of
    ops = [op.name() for op in program.global_block().ops]
    assert ops.count("pd_op.conv2d") == 2  # of four
    assert sum("relu" in name for name in ops) == 2  # the branch's own is gone, too
    given = images(3)
    predictor = create_predictor(tmp_path / "model", threads=1)
    predictor.get_input_handle("image").copy_from_cpu(given)
    predictor.run()
    found = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    np.testing.assert_allclose(found, outputs(layer, given)[0], atol=1e-5)


@pytest.mark.parametrize(("make", "more", "count"), [("resnet18", {}, 5), ("mobilenet_v2", {"scale": 0.25}, 11)])
def test_published_networks_lose_every_other_branch(make: str, more: dict[str, float], count: int) -> None:
    layer = getattr(paddle.vision.models, make)(num_classes=4, **more)
    graph = paddleprune.trace(layer, (1, 3, 32, 32), depth=True)
    assert [branch.protected for branch in graph.branches] == [None] * count
    ratios = {branch.name: 1 for branch in graph.branches[::2]}
    ratios |= {group.name: 0.25 for group in graph.prunable}
    plan = paddleprune.plan(graph, ratios)
    assert paddleprune.shrink(layer, plan).passed
    assert len(plan.plan.branches) == -(-count // 2)
    assert sum(p.size for p in layer.parameters() if p.trainable) == plan.plan.after.parameters


def test_a_branch_that_does_nothing_goes_first_and_what_reads_the_sum_is_repaired() -> None:
    layer = Free()
    last = layer.one[2].weight
    last.set_value(last * 1e-3)
    graph, given = traced(layer), images(64)
    dense = outputs(layer, given)[0]
    plan = paddleprune.plan(graph, flops=0.45, calibration=given)
    assert set(plan.plan.branches) == {"+one"}
    assert plan.plan.after.flops <= 0.45 * plan.plan.before.flops
    paddleprune.shrink(layer, plan, calibration=given)
    assert plan.plan.repair is not None
    assert {"two", "head"} <= set(plan.plan.repair.layers)
    assert np.abs(outputs(layer, given)[0] - dense).max() < 0.1 * np.abs(dense).max()
    plan.undo(layer)
    kept = paddleprune.plan(graph, flops=0.6, calibration=given, exclude="one.0")
    assert "+one" not in kept.plan.branches  # a group inside of it is to stay
    only = paddleprune.plan(graph, flops=0.5, calibration=given, only="+*")
    assert set(only.plan.branches) == {"+one"}
    assert not only.plan.groups


def test_of_the_plans_with_and_without_branches_the_better_one_is_taken() -> None:
    layer = Free()
    last = layer.one[2].weight
    last.set_value(last * 1e-3)
    given = images(64)
    dense = outputs(layer, given)[0]

    def near(net: nn.Layer) -> float:
        return float(1 / (1 + np.abs(outputs(net, given)[0] - dense).mean()))

    done = paddleprune.prune_layer(traced(layer), near, calibration=given, flops=0.45, depth=True)
    assert done.plan.joint is not None
    assert done.plan.joint.tried == 2
    assert done.plan.joint.repaired < 0.05
    assert set(done.plan.branches) == {"+one"}
