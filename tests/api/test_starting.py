"""A start from a checkpoint: pruned as it is, whatever the classes and the input size; and with its loss and metric."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from command import SHORT, run

import paddleprune
from paddleprune.api.compare import check_comparable
from paddleprune.api.inherit import say_other_transforms
from paddleprune.api.loading import graph_of
from paddleprune.api.starting import start_from
from paddleprune.engines import open_engine
from paddleprune.errors import CheckpointError, ConfigError
from paddleprune.registry import Registry
from paddleprune.signed import digest_of
from paddleprune.training import CheckpointInfo, read_checkpoint, save_checkpoint
from paddleprune.training.weights import weights_of

NETS = (
    ("classification", "mobilenet_v2", {"scale": 0.25, "input_size": 32}, 48),
    ("segmentation", "unet", {"width": 4, "input_size": 32}, 64),
    pytest.param("segmentation", "fast_scnn", {"input_size": 64}, 96, marks=pytest.mark.slow),
    pytest.param("detection", "yolov3_mobilenet_v1", {"scale": 0.125, "input_size": 64}, 96, marks=pytest.mark.slow),
)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


def cut_twice(registry: Registry, task: str, family: str, values: dict[str, Any], folder: Path) -> Path:
    """A checkpoint of a network that was pruned, and pruned again."""
    paddle.seed(0)
    options = registry.options(task, family, {**values, "num_classes": 3})
    layer, attributes = registry.build_model(task, family, options), dict[str, Any]()
    for _ in range(2):
        layer.eval()
        graph = graph_of(registry, layer, task, family, options)
        engine = open_engine("native", layer, graph, "l1")
        probe = tuple(np.random.default_rng(0).random((1, *s)).astype("float32") for s in options.input_shapes())
        plan = engine.prune(engine.plan({group.name: 0.3 for group in engine.groups}), probe)
        attributes = {**attributes, **plan.attributes}
    info = CheckpointInfo(task=task, family=family, options=options.model_dump(mode="json"), labels=("a", "b", "c"))
    save_checkpoint(folder, layer, info, plan.model_copy(update={"attributes": attributes}))
    return folder


@pytest.mark.parametrize(("task", "family", "values", "side"), NETS)
def test_other_classes_and_another_size_keep_it_pruned(
    registry: Registry,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    task: str,
    family: str,
    values: dict[str, Any],
    side: int,
) -> None:
    start = cut_twice(registry, task, family, values, tmp_path / "cut")
    options = registry.options(task, family, {**values, "num_classes": 5, "input_size": side})
    layer, plan = start_from(registry, start, options)
    checkpoint, now = read_checkpoint(start), weights_of(layer)
    assert plan == checkpoint.plan is not None
    heads = {name for name, array in now.items() if array.shape != checkpoint.weights[name].shape}
    assert heads
    for name in now.keys() - heads:
        np.testing.assert_array_equal(now[name], checkpoint.weights[name], err_msg=name)
    for name in heads:
        assert now[name].size < 2.5 * checkpoint.weights[name].size
        assert now[name].ndim == 1 or np.any(now[name])
    said = capsys.readouterr().err
    assert f"{len(heads)} weights of {start} start afresh" in said
    assert any(name in said for name in heads)
    for training in (False, True):
        layer.train() if training else layer.eval()
        layer(*(paddle.zeros([2, *shape]) for shape in options.input_shapes()))


def test_what_is_no_head_must_fit(registry: Registry, tmp_path: Path) -> None:
    start = cut_twice(registry, "classification", "mobilenet_v2", {"scale": 0.25, "input_size": 32}, tmp_path / "cut")
    wider = registry.options("classification", "mobilenet_v2", {"scale": 0.5, "num_classes": 3, "input_size": 32})
    with pytest.raises(CheckpointError) as error:
        start_from(registry, start, wider)
    for part in ("features.0.0.weight", str(start), "scale=0.5", "only heads may differ"):
        assert part in str(error.value)
    values = {"num_classes": 3, "input_size": [64, 64]}
    info = CheckpointInfo(task="classification", family="vgg11", options=values)
    save_checkpoint(
        tmp_path / "vgg",
        registry.build_model("classification", "vgg11", registry.options("classification", "vgg11", values)),
        info,
    )
    deeper = registry.options("classification", "vgg11", {**values, "batch_norm": True})
    with pytest.raises(CheckpointError, match=r"isn't there in .*vgg and \[.*batch_norm=True"):
        start_from(registry, tmp_path / "vgg", deeper)


def test_auxiliary_heads_may_come_and_go(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"num_classes": 3, "input_size": [64, 64], "aux_heads": False}
    plain, helped = (registry.options("segmentation", "fast_scnn", {**values, "aux_heads": on}) for on in (False, True))
    layer = registry.build_model("segmentation", "fast_scnn", plain)
    save_checkpoint(tmp_path / "plain", layer, CheckpointInfo(task="segmentation", family="fast_scnn", options=values))
    more, _ = start_from(registry, tmp_path / "plain", helped)
    assert "start afresh: " in capsys.readouterr().err
    info = CheckpointInfo(task="segmentation", family="fast_scnn", options=helped.model_dump(mode="json"))
    save_checkpoint(tmp_path / "helped", more, info)
    less, _ = start_from(registry, tmp_path / "helped", plain)
    assert "are left out: " in capsys.readouterr().err
    for name, array in weights_of(layer).items():
        np.testing.assert_array_equal(weights_of(less)[name], array)


def test_loss_and_metric_are_inherited_and_compared(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(dense, base)
    file = base / "checkpoint.json"
    content = {**json.loads(file.read_text()), "loss": {"label_smoothing": 0.2}, "metric": {"top_k": 2}}
    file.write_text(json.dumps({**content, "sha256": digest_of(content)}))
    what = ("--pretrain-weights", base, "--sensitivities-file", table, "--eval-metric-loss", 0.3)
    words = ("train", "classification", "--data", data, "--save-dir", tmp_path / "out", *SHORT, "--num-epochs", 1)
    done = run(*words, *what)
    assert "loss as the checkpoint has it: label_smoothing=0.2" in done.stderr
    out = json.loads((tmp_path / "out" / "best_model" / "checkpoint.json").read_text())
    assert (out["loss"], out["metric"]) == ({"label_smoothing": 0.2}, {"top_k": 2})
    assert "nothing left to train" in run(*words, *what).stderr
    done = run(*words, *what, "--learning-rate", 0.01, code=2)
    assert "--learning-rate is 0.01, but was 0.05" in done.stderr
    with pytest.raises(ConfigError, match=r"metric top_k is 5 in .* and 2 in .*out.*--metric top_k=5"):
        paddleprune.compare([dense, tmp_path / "out" / "best_model"], eval_dataset=data)


def test_other_tasks_and_classes_are_not_compared(registry: Registry) -> None:
    one = CheckpointInfo(task="classification", family="lenet", labels=("a", "b"))
    task = one.model_copy(update={"task": "segmentation"})
    classes = one.model_copy(update={"labels": ("a", "c")})
    for other, said in (
        (task, r"task: classification in one, segmentation in two; these can't be compared"),
        (classes, r"classes: 2 \(a, b\) in one, 2 \(a, c\) in two"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_comparable(registry, {Path("one"): one, Path("two"): other}, {})
    seen = one.model_copy(update={"metric": {"top_k": 2}})
    check_comparable(registry, {Path("one"): one, Path("two"): seen}, {"top_k": 3})


def test_other_evaluation_transforms_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    steps = ({"name": "Resize", "size": 32}, {"name": "Normalize"})
    info = CheckpointInfo(task="classification", family="lenet", transforms=steps)
    for same in (None, info):
        say_other_transforms(same, steps)
    assert not capsys.readouterr().err
    say_other_transforms(info, ({"name": "Resize", "size": 64}, {"name": "Normalize"}))
    assert "Resize, Normalize with other parameters; the starting checkpoint had" in capsys.readouterr().err


def test_a_pruned_model_learns_from_the_one_that_it_was_cut_from(
    data: Path, dense: Path, pruned: Path, tmp_path: Path
) -> None:
    words = ("train", "classification", "--data", data, "--pretrain-weights", pruned, *SHORT, "--num-epochs", 1)
    weights = []
    for layers in (0, 5):
        said = ("--save-dir", tmp_path / str(layers), "--teacher", dense, "--distill", 0.5, "--distill-layers", layers)
        done = run(*words, *said)
        what = f"learning the outputs of {dense}, too" if layers == 0 else "learning the outputs and 52 layers of "
        assert what in " ".join(done.stderr.split())
        weights.append(read_checkpoint(tmp_path / str(layers) / "best_model").weights)
    assert any((weights[0][name] != array).any() for name, array in weights[1].items())
    again = run(*words, "--save-dir", tmp_path / "0", "--teacher", dense, code=2)
    assert "distill is 1.0, but was 0.5" in again.stderr
    assert "teacher is not set, but was" in run(*words, "--save-dir", tmp_path / "0", code=2).stderr


def test_a_teacher_that_does_something_else_is_refused(data: Path, dense: Path, tmp_path: Path) -> None:
    other = shutil.copytree(dense, tmp_path / "other")
    described = json.loads((other / "checkpoint.json").read_text())
    described["labels"] = described["labels"][::-1]
    described["sha256"] = digest_of(described)
    (other / "checkpoint.json").write_text(json.dumps(described))
    training = {"train_dataset": data, "eval_dataset": data, "pretrain_weights": dense, "save_dir": tmp_path / "out"}
    with pytest.raises(ConfigError, match="knows other classes than the training data, or numbers them otherwise"):
        paddleprune.train("classification", **training, teacher=other)
    with pytest.raises(CheckpointError, match="nowhere"):
        paddleprune.train("classification", **training, teacher=tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match=r"layers of .* can't teach, since the model wasn't cut from it"):
        paddleprune.train("classification", **training, teacher=dense, distill_layers=1.0)
