"""The main job by the command line, in real processes, and what each step leaves."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import SMALL, run
from safetensors.numpy import load_file

import paddleprune
from paddleprune.errors import GraphError
from paddleprune.runtimes.inference import create_predictor


def test_a_table_grows_by_more_ratios(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    copy = tmp_path / "table.json"
    shutil.copy(table, copy)
    done = run("analyze", dense, "--data", data, "--save-file", copy, "--ratios", "0.3 0.6 0.9", "--batch-size", 24)
    assert "continuing" in done.stderr
    before, after = (json.loads(path.read_text())["groups"] for path in (table, copy))
    assert [point["ratio"] for point in after["features.2.conv.0.0"]] == [0.3, 0.6, 0.9]
    assert after["features.2.conv.0.0"][:2] == before["features.2.conv.0.0"]


def test_a_table_is_drawn_with_what_its_plans_lose(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    done = run("visualize", table, "--model", dense, "--save-dir", tmp_path, "--data", data)
    files = [Path(line) for line in done.stdout.split()]
    names = ["mobilenetv2.sensi.png", "mobilenetv2.sensi.curve.json", "mobilenetv2.sensi.heatmap.png"]
    assert [file.name for file in files] == names
    curve = json.loads(files[1].read_text())
    removed = [point["parameters_removed"] for point in curve["points"]]
    assert removed == sorted(removed)
    assert removed[-1] > 0.3
    assert {point["eval_metric_loss"] for point in curve["joint"]} <= {0.01, 0.05, 0.1, 0.2, 0.4}
    assert all(point["error"] >= 0 for point in curve["joint"])
    assert curve["joint"]
    for picture in (files[0], files[2]):
        assert np.asarray(cv2.imread(str(picture))).std() > 10


def test_the_pruned_checkpoint_is_smaller_and_needs_no_table(data: Path, dense: Path, pruned: Path) -> None:
    plan = json.loads((pruned / "plan.json").read_text())
    assert plan["certificate"]["max_difference"] <= 1e-4 * plan["certificate"]["scale"]
    assert plan["after"]["parameters"] < plan["before"]["parameters"]
    assert (pruned / "weights.safetensors").stat().st_size < (dense / "weights.safetensors").stat().st_size
    done = run("evaluate", pruned, "--data", data)
    metrics = dict(line.split() for line in done.stdout.splitlines())
    stored = json.loads((pruned / "checkpoint.json").read_text())["metrics"]
    assert float(metrics["acc1"]) == pytest.approx(stored["acc1"], abs=1e-5)


def test_a_pruned_checkpoint_is_analyzed_and_pruned_again(data: Path, pruned: Path, tmp_path: Path) -> None:
    table = tmp_path / "again.json"
    few = {"exclude": ("features.[0-9].*",)}
    paddleprune.analyze(pruned, eval_dataset=data, save_file=table, ratios=(0.5,), batch_size=24, **few)
    result = paddleprune.train(
        "classification",
        train_dataset=data,
        eval_dataset=data,
        save_dir=tmp_path / "again",
        pretrain_weights=pruned,
        sensitivities_file=table,
        eval_metric_loss=0.6,
        num_epochs=1,
        train_batch_size=16,
    )
    first, second = (paddleprune.explain(path).total_parameters for path in (pruned, result.best_model))
    assert second < first
    again = paddleprune.evaluate(result.best_model, eval_dataset=data)
    assert again["acc1"] == pytest.approx(result.metrics["acc1"], abs=1e-6)


def test_a_pruned_run_resumes_exactly(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    said = {
        "train_dataset": data,
        "eval_dataset": data,
        "pretrain_weights": dense,
        "sensitivities_file": table,
        "eval_metric_loss": 0.3,
        "train_batch_size": 16,
        "num_epochs": 2,
    }
    whole = paddleprune.train("classification", save_dir=tmp_path / "whole", **said)
    shutil.copytree(tmp_path / "whole" / "epoch_1", tmp_path / "part" / "epoch_1")
    resume = tmp_path / "part" / "epoch_1"
    part = paddleprune.train("classification", save_dir=tmp_path / "part", resume_checkpoint=resume, **said)
    weights = [(result.last_model / "weights.safetensors").read_bytes() for result in (whole, part)]
    assert weights[0] == weights[1]


def test_weights_are_taken_over_to_other_classes(data: Path, dense: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "five")
    for split, kind in itertools.product(("train", "val"), ("circle", "square")):
        shutil.copytree(data / split / kind, tmp_path / "five" / split / f"{kind} 2")
    result = paddleprune.train(
        "classification",
        train_dataset=tmp_path / "five",
        eval_dataset=tmp_path / "five",
        save_dir=tmp_path / "out",
        pretrain_weights=dense,
        num_epochs=1,
        train_batch_size=16,
    )
    weights = load_file(result.best_model / "weights.safetensors")
    assert weights["classifier.1.weight"].shape[1] == 5


def test_comparison(data: Path, dense: Path, pruned: Path, tmp_path: Path) -> None:
    done = run("compare", dense, pruned, "--data", data, "--save-dir", tmp_path)
    rows = json.loads((tmp_path / "comparison.json").read_text())
    assert [row["name"] for row in rows] == ["dense", "prune"]
    assert rows[1]["parameters"] == json.loads((pruned / "plan.json").read_text())["after"]["parameters"]
    assert rows[1]["flops"] == json.loads((pruned / "plan.json").read_text())["after"]["flops"]
    assert rows[0]["file_bytes"] == (dense / "weights.safetensors").stat().st_size
    for row in rows:
        assert set(row) >= {"name", "parameters", "flops", "file_bytes", "latency_ms", "metric"}
        assert all(row["latency_ms"][mode] > 0 for mode in ("onednn_on", "onednn_off"))
        assert row["metric"]["name"] == "acc1"
    assert rows[0]["metric"]["error"] is None
    assert 0 <= rows[1]["metric"]["error"] < 1
    assert "prune" in done.stdout
    assert (tmp_path / "comparison.md").read_text().startswith("| model |")


def test_predict_writes_pictures_and_json(data: Path, pruned: Path, tmp_path: Path) -> None:
    done = run("predict", pruned, data / "val" / "circle", "--save-dir", tmp_path)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == 8
    assert {"file", "label", "score"} <= set(results[0])
    assert json.loads((tmp_path / "predictions.json").read_text()) == results
    assert np.asarray(cv2.imread(str(tmp_path / "0.png"))).ndim == 3


def test_an_export_computes_the_same(data: Path, pruned: Path, tmp_path: Path) -> None:
    run("export", pruned, "--save-dir", tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"model.json", "model.pdiparams", "export.json"}
    record = json.loads((tmp_path / "export.json").read_text())
    assert record["inputs"] == [{"name": "input_0", "shape": [None, 3, 32, 32], "dtype": "float32"}]
    assert record["proof"]["runtime"].startswith("Paddle ")
    assert record["proof"]["data"] is None
    predictor = create_predictor(tmp_path / "model")
    images = np.random.default_rng(0).standard_normal((5, 3, 32, 32)).astype(np.float32)
    predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(images)
    predictor.run()
    got = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    from paddleprune.api.loading import open_model
    from paddleprune.measure.evaluation import eager_forward
    from paddleprune.registry import Registry

    expected = eager_forward(open_model(Registry.discover(), pruned).layer)((images,))[0]
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def test_an_export_that_differs_leaves_nothing(pruned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paddleprune.proofs.proof.TOLERANCE", -1.0)
    with pytest.raises(GraphError, match=r"another model: its output .*; nothing was written; export as ONNX instead"):
        paddleprune.export(pruned, save_dir=tmp_path / "new" / "deep")
    assert not (tmp_path / "new" / "deep").exists()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "model.json").write_text("before")
    with pytest.raises(GraphError):
        paddleprune.export(pruned, save_dir=tmp_path / "old")
    assert [(file.name, file.read_text()) for file in (tmp_path / "old").iterdir()] == [("model.json", "before")]


def test_an_onnx_export_computes_the_same(data: Path, pruned: Path, tmp_path: Path) -> None:
    done = run(
        "export", pruned, "--save-dir", tmp_path, "--format", "onnx", "--data", data, "--batch", 3, "--opset", 14
    )
    assert "10 of the data" in done.stderr
    record = json.loads((tmp_path / "export.json").read_text())
    assert (record["files"], record["opset"], record["inputs"][0]["shape"][0]) == (["model.onnx"], 14, 3)
    assert record["proof"]["runtime"].startswith("ONNX Runtime ")
    assert max(record["proof"]["data"]["differences"].values()) <= record["proof"]["tolerance"]
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    images = np.random.default_rng(0).standard_normal((3, 3, 32, 32)).astype(np.float32)
    got = session.run(None, {session.get_inputs()[0].name: images})[0]
    from paddleprune.api.loading import open_model
    from paddleprune.measure.evaluation import eager_forward
    from paddleprune.registry import Registry

    expected = eager_forward(open_model(Registry.discover(), pruned).layer)((images,))[0]
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def test_an_export_for_paddlex_is_proved_on_data(data: Path, pruned: Path, tmp_path: Path) -> None:
    done = run("export", pruned, "--save-dir", tmp_path, "--format", "paddlex", "--data", data)
    assert "10 of the data" in done.stderr
    record = json.loads((tmp_path / "export.json").read_text())
    assert record["files"] == ["inference.json", "inference.pdiparams", "inference.yml"]
    assert max(record["proof"]["data"]["differences"].values()) <= record["proof"]["tolerance"]


def test_explain_a_family_and_a_checkpoint(pruned: Path) -> None:
    done = run("explain", "classification", "--model", "mobilenet_v2", *SMALL)
    assert "features.2.conv.0.0" in done.stdout
    assert "feeds an output of the model" in done.stdout
    whole = json.loads(run("explain", "classification", "--model", "mobilenet_v2", *SMALL, "--json").stdout)
    small = json.loads(run("explain", pruned, "--json").stdout)
    assert small["total_parameters"] < whole["total_parameters"]
    touched = {group["name"]: group["parameters"] for group in whole["groups"]}
    assert {"features.2.conv.0.0.weight", "features.2.conv.1.0.weight"} <= set(touched["features.2.conv.0.0"])


def test_a_run_file_replaces_the_flags(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        f"""
model: mobilenet_v2
options: {{input_size: 32, scale: 0.25}}
train_dataset: {{data_dir: {data / "train"}}}
eval_dataset: {{data_dir: {data / "val"}}}
num_epochs: 5
lr_decay_epochs: [1]
train_batch_size: 16
save_dir: {tmp_path / "out"}
loss: {{label_smoothing: 0.1}}
sparsity: 60
"""
    )
    run("train", "classification", "--config", tmp_path / "run.yaml", "--num-epochs", 1)
    info = json.loads((tmp_path / "out" / "best_model" / "checkpoint.json").read_text())
    assert (info["completed_epochs"], info["loss"]) == (1, {"label_smoothing": 0.1})
    assert info["labels"] == ["circle", "square", "stripes"]
    filters = load_file(tmp_path / "out" / "best_model" / "weights.safetensors")["features.2.conv.0.0.weight"]
    assert 0 < (np.abs(filters).max(axis=(1, 2, 3)) == 0).sum() < len(filters)


def test_lists_are_instant_and_complete() -> None:
    code = "import sys, paddleprune; print(*paddleprune.families('classification')); assert 'paddle' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"mobilenet_v2", "resnet50", "darknet53", "xception65", "lenet"} <= set(done.stdout.split())
    assert "classification" in run("tasks").stdout
    assert "scale=1.0" in run("families", "classification").stdout
    assert "ok" in run("plugins").stdout
    assert "oneDNN" in run("doctor").stdout
    assert paddleprune.__version__ in run("--version").stdout


def test_every_public_name_is_there() -> None:
    for name in paddleprune.__all__:
        assert getattr(paddleprune, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'prunes'"):
        paddleprune.prunes  # noqa: B018
