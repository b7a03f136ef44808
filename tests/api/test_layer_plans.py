"""Plans for any layer: masks, shrinking, undoing, saving and loading."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from layer_nets import (
    ALL,
    IMAGES,
    SPEC,
    Classifier,
    CrossStage,
    TwoInputs,
    assert_same,
    contents,
    encoder,
    outputs,
)
from paddle import nn

import paddleprune
from paddleprune.errors import (
    CertificateError,
    CheckpointError,
    ConfigError,
    GraphError,
    PlanError,
    UnknownNameError,
)
from paddleprune.signed import digest_of


def test_masked_is_what_shrinking_gives_and_undo_is_bit_exact(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    dense, before = outputs(layer), contents(layer)
    ratios = {"a.0": 0.5, "b": 0.25, "mix": 0.5}
    with graph.masked(ratios):
        masked = outputs(layer)
    assert_same(layer, before)
    plan = paddleprune.plan(graph, ratios, criterion="l1")
    assert plan.certificate is None
    certificate = paddleprune.shrink(layer, plan)
    assert certificate is plan.certificate
    assert certificate.passed
    np.testing.assert_allclose(outputs(layer), masked, atol=1e-5)
    assert not np.allclose(outputs(layer), dense)
    assert layer.a[0].weight.shape[0] == 8
    assert sum(p.size for p in layer.parameters() if p.trainable) == plan.plan.after.parameters
    with pytest.raises(PlanError, match="already"):
        paddleprune.shrink(layer, plan)
    plan.undo(layer)
    assert_same(layer, before)
    np.testing.assert_array_equal(outputs(layer), dense)
    assert plan.certificate is None
    with pytest.raises(PlanError, match="nothing to undo"):
        plan.undo(layer)
    paddleprune.shrink(layer, plan)
    np.testing.assert_allclose(outputs(layer), masked, atol=1e-5)


def test_a_mask_ends_when_what_it_wraps_fails(layer: nn.Layer) -> None:
    graph, before = paddleprune.trace(layer, SPEC), contents(layer)
    with pytest.raises(ZeroDivisionError), graph.masked({"mix": 0.5}):
        raise ZeroDivisionError
    assert_same(layer, before)


def test_a_shrunk_layer_trains_and_is_still_undone_bit_for_bit(classifier: nn.Layer) -> None:
    graph, before = paddleprune.trace(classifier, (2, 3, 8, 8)), contents(classifier)
    plan = paddleprune.plan(graph, ALL)
    paddleprune.shrink(classifier, plan, probe=paddle.to_tensor(IMAGES))
    assert plan.certificate is not None
    assert plan.certificate.batch == 4
    _train(classifier)
    assert not np.array_equal(classifier.head.bias.numpy(), before["head.bias"])
    plan.undo(classifier)
    assert_same(classifier, before)
    _train(classifier)  # no gradient of the small shapes is left


def _train(layer: nn.Layer) -> None:
    layer.train()
    optimizer = paddle.optimizer.SGD(0.1, parameters=layer.parameters())
    loss = F.cross_entropy(layer(paddle.to_tensor(IMAGES)), paddle.to_tensor([0, 1, 2, 3]))
    loss.backward()
    optimizer.step()


def test_rounding_keeps_multiples(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    plan = paddleprune.plan(graph, {"a.0": 0.3, "b": 0.1, "mix": 0.5}, round_to=4).plan
    assert {name: len(part.keep) for name, part in plan.groups.items()} == {"a.0": 12, "mix": 12}
    with pytest.raises(ConfigError, match="`round_to` must be at least 1, not 0"):
        paddleprune.plan(graph, {"mix": 0.5}, round_to=0)


@pytest.fixture
def shrunk(tmp_path: Path) -> tuple[nn.Layer, Path, Path]:
    """A network that was pruned twice, the last plan's file, and the weights'."""
    paddle.seed(0)
    layer = encoder()
    for ratios in ({"0": 0.5, "3.self_attn.q_proj": 0.5}, {"3.linear1": 0.5}):
        plan = paddleprune.plan(paddleprune.trace(layer, (2, 3, 8, 8)), ratios)
        paddleprune.shrink(layer, plan)
    plan.save(tmp_path / "plan.json")
    paddle.save(layer.state_dict(), str(tmp_path / "weights.pdparams"))
    return layer, tmp_path / "plan.json", tmp_path / "weights.pdparams"


def test_the_weights_of_a_shrunk_layer_load_into_a_fresh_one(shrunk: tuple[nn.Layer, Path, Path]) -> None:
    layer, plan, weights = shrunk
    fresh = encoder()
    paddleprune.load_shrunk(fresh, plan, paddle.load(str(weights)))
    assert fresh[3].self_attn.num_heads == 2
    np.testing.assert_array_equal(outputs(fresh, (IMAGES,)), outputs(layer, (IMAGES,)))
    again = encoder()
    paddleprune.load_shrunk(again, str(plan), paddle.load(str(weights), return_numpy=True))
    np.testing.assert_array_equal(outputs(again, (IMAGES,)), outputs(layer, (IMAGES,)))
    graph = paddleprune.trace(fresh, (2, 3, 8, 8))  # and it can be pruned again
    assert graph["0"].size == 8


def test_a_width_that_the_layer_holds_goes_with_its_channels(tmp_path: Path) -> None:
    layer = CrossStage()
    graph, before, dense = paddleprune.trace(layer, (2, 3, 8, 8)), contents(layer), outputs(layer, (IMAGES,))
    plan = paddleprune.plan(graph, {"enter": 0.5})
    assert paddleprune.shrink(layer, plan).passed
    assert layer.c == 4
    assert tuple(layer.enter.weight.shape) == (8, 3, 1, 1)
    plan.save(tmp_path / "plan.json")
    fresh = CrossStage()
    paddleprune.load_shrunk(fresh, tmp_path / "plan.json", layer.state_dict())
    assert fresh.c == 4
    np.testing.assert_array_equal(outputs(fresh, (IMAGES,)), outputs(layer, (IMAGES,)))
    plan.undo(layer)
    assert layer.c == 8
    assert_same(layer, before)
    np.testing.assert_array_equal(outputs(layer, (IMAGES,)), dense)


def test_weights_that_do_not_fit_are_refused(shrunk: tuple[nn.Layer, Path, Path], classifier: nn.Layer) -> None:
    layer, plan, weights = shrunk
    with pytest.raises(CheckpointError, match=r"lack 'body\.0\.weight'"):
        paddleprune.load_shrunk(classifier, plan, paddle.load(str(weights)))
    with pytest.raises(CheckpointError, match="don't belong together"):
        paddleprune.load_shrunk(encoder(), plan, encoder().state_dict())
    with pytest.raises(CheckpointError, match="has no 'more'"):
        paddleprune.load_shrunk(encoder(), plan, {**layer.state_dict(), "more": paddle.ones([1])})
    graph = paddleprune.trace(layer, (2, 3, 8, 8))
    paddleprune.plan(graph, {"0": 0.5}).save(plan)
    with pytest.raises(PlanError, match=r"plan\.json was saved before it was carried out"):
        paddleprune.load_shrunk(encoder(), plan, layer.state_dict())


def test_a_shrunk_layer_exports(classifier: nn.Layer, tmp_path: Path) -> None:
    plan = paddleprune.plan(paddleprune.trace(classifier, (2, 3, 8, 8)), ALL)
    paddleprune.shrink(classifier, plan)
    expected = outputs(classifier, (IMAGES,))
    spec = [paddle.static.InputSpec([None, 3, 8, 8], "float32")]
    paddle.jit.save(paddle.jit.to_static(classifier, input_spec=spec, full_graph=True), str(tmp_path / "model"))
    loaded = paddle.jit.load(str(tmp_path / "model"))
    np.testing.assert_allclose(outputs(loaded, (IMAGES,)), expected, atol=1e-5)


def test_a_plan_can_be_reviewed_edited_and_carried_out_later(classifier: nn.Layer, tmp_path: Path) -> None:
    file, before = tmp_path / "plan.json", contents(classifier)
    paddleprune.plan(paddleprune.trace(classifier, (2, 3, 8, 8)), ALL).save(file)
    edited = json.loads(file.read_text())
    edited["groups"]["body.0"]["keep"] = [0, 1, 2]
    file.write_text(json.dumps(edited))

    fresh = Classifier()
    fresh.set_state_dict(classifier.state_dict())
    with pytest.raises(PlanError, match=r"damaged or was edited; load_plan\(graph, path, edited=True\)"):
        paddleprune.load_plan(paddleprune.trace(fresh, (2, 3, 8, 8)), file)
    plan = paddleprune.load_plan(paddleprune.trace(fresh, (2, 3, 8, 8)), file, edited=True)
    assert plan.certificate is None
    paddleprune.shrink(fresh, plan)
    np.testing.assert_array_equal(fresh.body[0].weight.numpy(), before["body.0.weight"][:3])
    assert sum(p.size for p in fresh.parameters() if p.trainable) == plan.plan.after.parameters
    assert "3 groups lose units" in plan.summary()
    plan.save(file)
    again = Classifier()
    paddleprune.load_shrunk(again, file, fresh.state_dict())
    np.testing.assert_array_equal(outputs(again, (IMAGES,)), outputs(fresh, (IMAGES,)))

    for keep, why in (([0, 40], "units from 0 to 40"), ([2, 1], "ascending"), ([1, 1], "ascending"), ([-1], "from -1")):
        edited["groups"]["body.0"]["keep"] = keep
        file.write_text(json.dumps(edited))
        with pytest.raises(PlanError, match=why):
            paddleprune.load_plan(paddleprune.trace(Classifier(), (2, 3, 8, 8)), file, edited=True)

    plan.save(file)
    other = nn.Sequential(nn.Conv2D(3, 4, 3), nn.Conv2D(4, 4, 3))
    with pytest.raises(UnknownNameError, match=r"no group 'body\.0'"):
        paddleprune.load_plan(paddleprune.trace(other, (1, 3, 8, 8)), file)
    with pytest.raises(PlanError, match="does not exist"):
        paddleprune.load_plan(paddleprune.trace(other, (1, 3, 8, 8)), tmp_path / "no.json")


def test_a_plan_belongs_to_the_weights_that_it_was_made_for(classifier: nn.Layer, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    paddleprune.plan(paddleprune.trace(classifier, (2, 3, 8, 8)), ALL).save(file)
    paddle.seed(1)
    other = paddleprune.trace(Classifier(), (2, 3, 8, 8))
    with pytest.raises(PlanError, match="made for other weights"):
        paddleprune.load_plan(other, file)
    file.write_text(json.dumps({**json.loads(file.read_text()), "model": ""}))
    plan = paddleprune.load_plan(other, file, edited=True)
    assert paddleprune.shrink(other.layer, plan).passed
    assert plan.plan.model != ""


@pytest.mark.parametrize(
    ("place", "attribute", "value", "why"),
    [
        ("1", "_epsilon", 1, "no width"),
        ("1", "_momentum", 1, "no width"),
        ("0", "forward", 1, "no width"),
        ("0", "training", 1, "no width"),
        ("0", "novelty", 1, "no width"),
        ("0", "_stride", 2, "no width"),
        ("3.self_attn", "embed_dim", 8, "no cut changes that"),
        ("3.self_attn", "num_heads", 8, "the dense layer has 4"),
        ("3.self_attn", "num_heads", 3, "no parameter shrinks from 4 to 3"),
        ("0", "_groups", 3, "the dense layer has 1"),
        ("9", "_groups", 1, "'9', a layer that this network lacks"),
    ],
)
def test_a_plan_sets_nothing_but_widths(
    shrunk: tuple[nn.Layer, Path, Path], place: str, attribute: str, value: int, why: str
) -> None:
    _, file, weights = shrunk
    content = json.loads(file.read_text())
    content["attributes"].setdefault(place, {})[attribute] = value
    file.write_text(json.dumps({**content, "sha256": digest_of(content)}))
    fresh = encoder()
    before = contents(fresh)
    with pytest.raises(PlanError, match=why):
        paddleprune.load_shrunk(fresh, file, paddle.load(str(weights)))
    assert_same(fresh, before)


def test_a_cut_that_changes_the_outputs_is_taken_back(classifier: nn.Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, before = paddleprune.trace(classifier, (2, 3, 8, 8)), contents(classifier)
    plan = paddleprune.plan(graph, ALL)
    monkeypatch.setattr("paddleprune.pruning.certificate.TOLERANCE", -1.0)
    with pytest.raises(CertificateError, match="nothing was changed"):
        paddleprune.shrink(classifier, plan)
    assert_same(classifier, before)
    assert plan.certificate is None
    monkeypatch.undo()
    with pytest.raises(CertificateError, match="nothing was changed"):
        paddleprune.shrink(classifier, plan, probe=np.zeros((1, 4, 8, 8), np.float32))
    assert_same(classifier, before)
    assert paddleprune.shrink(classifier, plan).passed


def test_paddleslim_prunes_any_layer_too(tmp_path: Path) -> None:
    pytest.importorskip("paddleslim")
    paddle.seed(0)
    layer = nn.Sequential(nn.Conv2D(3, 8, 3), nn.ReLU(), nn.Conv2D(8, 8, 3), nn.Flatten(), nn.Linear(128, 4))
    graph, before = paddleprune.trace(layer, (1, 3, 8, 8)), contents(layer)
    native = paddleprune.plan(graph, {"0": 0.5})
    plan = paddleprune.plan(graph, {"0": 0.5}, engine="paddleslim")
    assert plan.plan.groups == native.plan.groups
    paddleprune.shrink(layer, plan)
    assert layer[0].weight.shape[0] == 4
    plan.undo(layer)
    assert_same(layer, before)
    plan.save(tmp_path / "plan.json")
    again = paddleprune.load_plan(graph, tmp_path / "plan.json")
    assert again.plan.engine == again.engine.name == "paddleslim"
    assert paddleprune.shrink(layer, again).passed


def test_a_plan_says_what_is_wrong_with_its_ratios(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    for use in (paddleprune.plan, lambda graph, ratios: graph.masked(ratios).__enter__()):
        with pytest.raises(UnknownNameError, match="did you mean 'mix'"):
            use(graph, {"mx": 0.5})
        with pytest.raises(PlanError, match="'head' may not be pruned: feeds an output"):
            use(graph, {"head": 0.5})
        for ratio, meant in ((50, "; 50% is 0.5"), (1.0, "; 1 would be all of it"), (-0.1, "$"), (float("nan"), "$")):
            with pytest.raises(PlanError, match=f"'mix' must be between 0 and 1, got {ratio}{meant}"):
                use(graph, {"mix": ratio})
    with pytest.raises(PlanError, match=r"between 0 and 1, got '0\.5'"):
        paddleprune.plan(graph, {"mix": "0.5"})  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match=r"ratios are '0\.5'; give a dict"):
        paddleprune.plan(graph, "0.5")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="eval_metric_loss goes with a sensitivity table"):
        paddleprune.plan(graph, {"mix": 0.5}, eval_metric_loss=0.1)
    with pytest.raises(
        ConfigError, match=r"unknown criterion 'l3'.*choose from bn_scale, fpgm, l1, l2, lamp, obd, taylor"
    ):
        paddleprune.plan(graph, {"mix": 0.5}, criterion="l3")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="unknown engine 'slim'"):
        paddleprune.plan(graph, {"mix": 0.5}, engine="slim")  # type: ignore[arg-type]


def test_a_plan_is_for_the_layer_as_it_was_traced(layer: nn.Layer) -> None:
    graph = paddleprune.trace(layer, SPEC)
    first, second = paddleprune.plan(graph, {"mix": 0.5}), paddleprune.plan(graph, {"b": 0.5})
    other = TwoInputs()
    with pytest.raises(PlanError, match="the plan is for another layer"):
        paddleprune.shrink(other, first)
    with pytest.raises(PlanError, match="nothing to undo"):
        first.undo(other)
    paddleprune.shrink(layer, first)
    stale = r"mix\.weight had the shape \(12, 20\) when the layer was traced and has \(12, 10\) now; trace"
    for use in (
        lambda: paddleprune.shrink(layer, second),
        lambda: paddleprune.plan(graph, {"b": 0.5}),
        lambda: graph.masked({"b": 0.5}).__enter__(),
        lambda: paddleprune.analyze_layer(graph, lambda layer: 1.0),
    ):
        with pytest.raises(GraphError, match=stale):
            use()
    with pytest.raises(PlanError, match="nothing to undo"):
        second.undo(layer)
    first.undo(layer)
    with pytest.raises(ConfigError, match="the probe holds 1; give tensors or arrays"):
        paddleprune.shrink(layer, first, probe=(1, 3, 8, 8))


def test_plans_are_undone_in_order(classifier: nn.Layer) -> None:
    dense = contents(classifier)
    first = paddleprune.plan(paddleprune.trace(classifier, (2, 3, 8, 8)), {"body.0": 0.5})
    paddleprune.shrink(classifier, first)
    between = contents(classifier)
    graph = paddleprune.trace(classifier, (2, 3, 8, 8))
    second = paddleprune.plan(graph, {"body.0": 0.5})
    paddleprune.shrink(classifier, second)
    with pytest.raises(GraphError, match="trace the layer again, or undo"):
        graph.explain()
    with pytest.raises(PlanError, match=r"body\.0\.weight had the shape \(8, .* and has \(4, .* undo later plans"):
        first.undo(classifier)
    second.undo(classifier)
    assert_same(classifier, between)
    first.undo(classifier)
    assert_same(classifier, dense)
    with pytest.raises(PlanError, match="nothing to undo"):
        first.undo(classifier)
