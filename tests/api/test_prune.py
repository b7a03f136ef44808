"""Cut and repaired at once, by the command line and for any layer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paddle
import pytest
from command import run
from paddle import nn
from test_bad_input import refused

import paddleprune
from paddleprune.api.batches import first_samples
from paddleprune.errors import ConfigError, PlanError
from paddleprune.graph import Input
from paddleprune.graph.tensors import named_tensors


@pytest.fixture(scope="module")
def cut(data: Path, work: Path, dense: Path) -> Path:
    words = ("--data", data, "--max-loss", 0.3, "--samples", 48, "--save-dir", work / "cut")
    done = run("prune", dense, *words)
    assert "certificate: masked and shrunk outputs differ by at most" in done.stderr
    assert "repair: " in done.stderr
    assert f"pruned model: {work / 'cut' / 'best_model'}" in done.stdout
    assert "asked: at most 0.3; metric loss of the whole plan: cut " in done.stdout
    assert "(12 samples that the search of 8 plans had not seen)" in done.stdout
    return work / "cut" / "best_model"


def test_the_cut_model_is_smaller_says_what_it_lost_and_works_at_once(cut: Path, data: Path) -> None:
    plan = json.loads((cut.parent / "plan.json").read_text())
    assert plan["after"]["flops"] < 0.9 * plan["before"]["flops"]
    assert plan["criterion"] == "obs"
    assert plan["joint"]["asked"] == 0.3
    assert plan["repair"]["samples"] == 48
    assert all(layer["after"] <= layer["before"] for layer in plan["repair"]["layers"].values())
    values = dict(line.split() for line in run("evaluate", cut, "--data", data).stdout.splitlines())
    judged = json.loads((cut / "checkpoint.json").read_text())["metrics"]["acc1"] * 12
    searched = float(values["acc1"]) * 24 - judged
    assert judged == pytest.approx(round(judged))
    assert searched == pytest.approx(round(searched), abs=1e-3)
    assert 0 <= round(searched) <= 12


@pytest.mark.slow
def test_a_table_is_a_path_too_and_a_tolerance_needs_no_search(
    data: Path, work: Path, dense: Path, table: Path
) -> None:
    words = ("--data", data, "--sensitivities-file", table)
    done = run("prune", dense, *words, "--max-loss", 0.3, "--save-dir", work / "cut by table")
    assert "the table's losses add up to" in done.stdout
    done = run("prune", dense, *words, "--eval-metric-loss", 0.2, "--save-dir", work / "cut by tolerance")
    assert "asked" not in done.stdout
    assert "(24 samples)" in done.stdout


def test_limits_of_costs_are_met_without_a_search(data: Path, work: Path, dense: Path) -> None:
    words = ("--data", data, "--flops", 0.5, "--params", "60%", "--samples", 48, "--save-dir", work / "cut to half")
    done = run("prune", dense, *words)
    assert "plans tried" not in done.stdout
    plan = json.loads((work / "cut to half" / "plan.json").read_text())
    assert plan["after"]["flops"] <= 0.5 * plan["before"]["flops"]
    assert plan["after"]["parameters"] <= 0.6 * plan["before"]["parameters"]
    assert plan["budget"] == {"flops": 0.5, "params": 0.6}
    assert plan["joint"]["samples"] == 24


def test_training_starts_from_a_cut_to_a_budget_without_a_table(data: Path, work: Path, dense: Path) -> None:
    words = ("--data", data, "--pretrain-weights", dense, "--num-epochs", 1, "--train-batch-size", 8)
    there = (*words, "--flops", 0.5, "--save-dir", work / "half, retrained")
    done = run("train", "classification", *there)
    assert "metric loss of the whole plan: cut " in done.stderr
    plan = json.loads((work / "half, retrained" / "plan.json").read_text())
    assert plan["after"]["flops"] <= 0.5 * plan["before"]["flops"]
    assert json.loads((work / "half, retrained" / "run.json").read_text())["flops"] == 0.5
    run("train", "classification", *there)  # finished: it does nothing
    message = refused("train", "classification", *words, "--flops", 0.6, "--save-dir", work / "half, retrained")
    assert "flops is 0.6, but was 0.5" in message
    alone = refused("train", "classification", "--data", data, "--flops", 0.5, "--save-dir", work / "nothing")
    assert "give --pretrain-weights" in alone


def test_budgets_that_cannot_be(data: Path, tmp_path: Path, dense: Path) -> None:
    there = ("--data", data, "--save-dir", tmp_path / "out")
    assert "max_loss" in refused("prune", dense, *there).replace("--max-loss", "max_loss")
    assert "5" in refused("prune", dense, *there, "--max-loss", 5)
    assert "can't be had: when all has gone" in refused("prune", dense, *there, "--flops", 0.0001)
    assert "give --sensitivities-file" in refused("prune", dense, *there, "--eval-metric-loss", 0.1)
    fields = tmp_path / "run.yaml"
    fields.write_text(json.dumps({"eval_dataset": {"data_dir": str(data / "val")}, "max_loss": 0.1}))
    message = refused("prune", dense, "--config", fields, "--save-dir", tmp_path / "out")
    assert "calibration" in message
    assert not (tmp_path / "out" / "best_model").exists()


def layer_and_metric() -> tuple[nn.Layer, paddle.Tensor]:
    paddle.seed(0)
    layer = nn.Sequential(
        *(nn.Conv2D(1, 16, 3), nn.ReLU(), nn.Conv2D(16, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 2))
    )
    return layer, paddle.randn([96, 1, 8, 8])


def test_any_layer_within_a_loss() -> None:
    layer, images = layer_and_metric()
    before = {name: tensor.numpy().copy() for name, tensor in named_tensors(layer).items()}
    given = layer(images)
    wanted = given[64:].argmax(1)

    def agreement(layer: nn.Layer) -> float:
        return float((layer(images[64:]).argmax(1) == wanted).astype("float32").mean())

    graph = paddleprune.trace(layer, images[:1])
    layer.train()
    layer[2].eval()  # a part that its owner has frozen
    plan = paddleprune.prune_layer(graph, agreement, calibration=images[:64], max_loss=0.1)
    assert [part for part in layer.sublayers(include_self=True) if not part.training] == [layer[2]]
    assert agreement(layer) >= 0.9
    assert plan.plan.joint.repaired == pytest.approx(1 - agreement(layer))
    assert plan.plan.after.flops < plan.plan.before.flops
    assert plan.certificate.passed
    plan.undo(layer)
    for name, tensor in named_tensors(layer).items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])
    both = r"flops 0\.05 \(.*\) costs .* after the repair, more than max_loss 0\.1; within that, flops 0\..* can be had"
    with pytest.raises(PlanError, match=both):
        paddleprune.prune_layer(graph, agreement, calibration=images[:64], max_loss=0.1, flops=0.05)
    with pytest.raises(PlanError, match="no cut within max_loss 0 was found"):
        paddleprune.prune_layer(
            graph, lambda layer: 1 - float(((layer(images) - given) ** 2).sum()), calibration=images[:64], max_loss=0
        )
    with pytest.raises(ConfigError, match="0 for the dense layer"):
        paddleprune.prune_layer(graph, lambda layer: 0.0, calibration=images[:64], max_loss=0.1)
    np.testing.assert_array_equal(layer[0].weight.numpy(), before["0.weight"])


def test_calibration_of_a_layer_may_give_batches() -> None:
    layer, images = layer_and_metric()
    graph = paddleprune.trace(layer, images[:1])
    before = {name: tensor.numpy().copy() for name, tensor in named_tensors(layer).items()}
    found = []
    labelled = paddle.io.DataLoader(paddle.io.TensorDataset([images, paddle.arange(96)]), batch_size=20)
    for calibration in (images, labelled, (part.numpy() for part in images.split(4))):
        plan = paddleprune.plan(graph, {"0": 0.5})
        paddleprune.shrink(layer, plan, calibration=calibration)
        assert plan.plan.repair.samples == 96
        found.append(layer[2].weight.numpy())
        plan.undo(layer)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    wrong = {"batch 0 of calibration holds 'ab'": ["ab"], "batch 1 of": [images, 5], "gives no samples": []}
    for message, batches in wrong.items():
        with pytest.raises(ConfigError, match=message):
            paddleprune.shrink(layer, paddleprune.plan(graph, {"0": 0.5}), calibration=iter(batches))
    for name, tensor in named_tensors(layer).items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])


def test_batches_are_read_no_further_than_is_asked() -> None:
    read = []

    def batches() -> Iterator[dict[str, np.ndarray]]:
        for number in range(100):
            read.append(number)
            yield {"image": np.full((8, 2), number), "label": np.zeros(8)}

    (given,) = first_samples(batches(), [{"image": Input((1, 2))}], 20)
    assert given["image"].shape == (20, 2)
    assert read == [0, 1, 2]
    with pytest.raises(ConfigError, match="1 parts, and the network takes 2"):
        first_samples(batches(), [Input((1, 2)), Input((1, 2))], 20)


def test_calibration_of_a_checkpoint_may_give_batches(data: Path, work: Path, dense: Path) -> None:
    images = np.random.default_rng(0).standard_normal((6, 8, 3, 32, 32)).astype("float32")
    cut = paddleprune.prune(
        dense, eval_dataset=data, save_dir=work / "by batches", calibration=iter(images), flops=0.5, samples=40
    )
    assert cut.plan.repair.samples == 40


@pytest.mark.slow
def test_a_checkpoint_that_lost_branches_is_like_any_other(data: Path, work: Path, dense: Path) -> None:
    done = paddleprune.prune(
        dense, eval_dataset=data, save_dir=work / "shallow", params=0.8, samples=24, depth=True, only="+*"
    )
    assert done.plan.branches
    assert not done.plan.groups
    assert done.plan.emptied == {name.removeprefix("+"): 4 for name in done.plan.branches}
    assert done.plan.repair is not None
    (value,) = paddleprune.evaluate(done.best_model, eval_dataset=data).values()
    assert value == pytest.approx(done.metrics["acc1"])
    cost = paddleprune.explain(done.best_model, depth=True)
    assert cost.total_parameters == done.plan.after.parameters
    assert not {branch.name for branch in cost.branches} & set(done.plan.branches)
    again = paddleprune.prune(
        done.best_model, eval_dataset=data, save_dir=work / "shallower", flops=0.8, samples=24, depth=True
    )
    assert set(done.plan.emptied) <= set(again.plan.emptied)
    paddleprune.evaluate(again.best_model, eval_dataset=data)
    with pytest.raises(ConfigError, match="depth chooses branches by samples, not by l1"):
        paddleprune.prune(dense, eval_dataset=data, save_dir=work / "no", flops=0.5, depth=True, criterion="l1")
