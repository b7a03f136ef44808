"""The main job with PaddleSlim, by the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from command import SHORT, run

import paddleprune
from paddleprune.runtimes.inference import create_predictor


@pytest.fixture(scope="module")
def table(data: Path, work: Path, dense: Path) -> Path:
    file = work / "slim.json"
    words = ("--data", data, "--save-file", file, "--ratios", "0.3,0.6", "--batch-size", 24)
    run("analyze", dense, *words, "--engine", "paddleslim")
    return file


def test_a_table_of_one_engine_is_refused_by_the_other(data: Path, dense: Path, table: Path) -> None:
    assert json.loads(table.read_text())["identity"]["engine"] == "paddleslim"
    done = run("analyze", dense, "--data", data, "--save-file", table, code=2)
    assert "was measured with the engine paddleslim, not native; choose another file or analyze again" in done.stderr
    again = run("analyze", dense, "--data", data, "--save-file", table, "--ratios", "0.3 0.6", "--engine", "paddleslim")
    assert "continuing" in again.stderr


def test_analyze_prune_retrain_reload_export(data: Path, dense: Path, table: Path, tmp_path: Path) -> None:
    what = ("--pretrain-weights", dense, "--sensitivities-file", table, "--eval-metric-loss", 0.5, "--round-to", 2)
    words = ("--data", data, "--save-dir", tmp_path / "out", *SHORT, "--num-epochs", 1)
    done = run("train", "classification", *words, *what)
    assert "certificate: masked and shrunk outputs differ by at most" in done.stderr
    best = tmp_path / "out" / "best_model"
    plan = json.loads((best / "plan.json").read_text())
    assert plan["after"]["parameters"] < 0.8 * plan["before"]["parameters"]
    assert all(len(part["keep"]) % 2 == 0 for part in plan["groups"].values())
    assert any("_depthwise_conv" in name for name in plan["attributes"])
    assert paddleprune.explain(best).total_parameters == plan["after"]["parameters"]
    metrics = dict(line.split() for line in run("evaluate", best, "--data", data).stdout.splitlines())
    stored = json.loads((best / "checkpoint.json").read_text())["metrics"]
    assert float(metrics["acc1"]) == pytest.approx(stored["acc1"], abs=1e-5)
    model = next(path for path in paddleprune.export(best, save_dir=tmp_path / "exported") if path.suffix == ".json")
    predictor = create_predictor(model.with_suffix(""))
    handle = predictor.get_input_handle(predictor.get_input_names()[0])
    handle.copy_from_cpu(np.zeros((1, 3, 32, 32), np.float32))
    predictor.run()
    outputs = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    assert np.isfinite(outputs).all()


def test_a_table_of_paddleslim_is_drawn(dense: Path, table: Path, tmp_path: Path) -> None:
    files = paddleprune.visualize(table, model=dense, save_dir=tmp_path)
    removed = [point["parameters_removed"] for point in json.loads(files[1].read_text())["points"]]
    assert removed == sorted(removed)
    assert removed[-1] > 0.3


def test_a_missing_paddleslim_is_one_line_with_the_way_out(
    data: Path, dense: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "paddleslim.py").write_text("raise ModuleNotFoundError('no', name='paddleslim')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    file = tmp_path / "table.json"
    done = run("analyze", dense, "--data", data, "--save-file", file, "--engine", "paddleslim", code=2)
    assert done.stderr.strip().splitlines()[-1] == (
        "error: --engine paddleslim needs PaddleSlim 2.6.0, but the module 'paddleslim' is not installed: "
        "pip install --no-deps paddleslim==2.6.0 && pip install 'paddleprune[paddleslim]'"
    )
    assert not file.exists()
