"""`paddleprune quantize`: the file, its record, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from command import SHORT, run

import paddleprune
from paddleprune.api.loading import open_model
from paddleprune.api.quantize import check_pays
from paddleprune.errors import ConfigError, PlanError
from paddleprune.files import read_json
from paddleprune.measure.evaluation import eager_forward
from paddleprune.quantization import Quantized
from paddleprune.registry import Registry


@pytest.fixture(scope="module")
def int8(shapes: Path, wide: Path, work: Path) -> tuple[Path, str]:
    """The folder of a network in INT8, and what the command said."""
    words = ("--data", shapes, "--save-dir", work / "int8", "--max-loss", 0.4, "--threads", 1, "--samples", 24)
    return work / "int8", run("quantize", wide, *words).stdout


def recorded(folder: Path) -> Quantized:
    return read_json(folder / "quantized.json", Quantized, ConfigError)


def test_the_file_and_its_record(int8: tuple[Path, str], wide: Path) -> None:
    folder, said = int8
    assert {file.name for file in folder.iterdir()} == {"model.onnx", "quantized.json"}
    record = recorded(folder)
    assert (record.metric, record.samples, record.threads, record.max_loss) == ("acc1", 12, 1, 0.4)
    assert (record.calibration.samples, record.calibration.method) == (24, "minmax")
    assert record.int8.bytes == (folder / "model.onnx").stat().st_size < 0.3 * record.float32.bytes
    assert record.int8.latency.median_ms <= record.float32.latency.median_ms
    assert record.loss == pytest.approx((record.float32.metric - record.int8.metric) / record.float32.metric)
    assert record.steps >= 20 + 8 + 1  # convolutions, additions, the classifier
    assert record.proof.data is not None
    assert record.proof.data.largest < 1e-4
    head, float32, in_int8, *_ = said.splitlines()
    assert head.split() == ["acc1", "size", "latency"]
    assert (float32.split()[0], in_int8.split()[0]) == ("FP32", "INT8")
    assert f"{record.int8.metric:.4f}" in in_int8
    assert said.rstrip().endswith(f"INT8 model: {folder / 'model.onnx'}")


def test_a_report_sets_it_beside_float(int8: tuple[Path, str], tmp_path: Path) -> None:
    page = paddleprune.report(int8[0], save_file=tmp_path / "page.html").read_text()
    assert "<h2>In INT8</h2>" in page
    assert f"{recorded(int8[0]).int8.metric:.4f}<small>loss" in page


def test_the_file_gives_nearly_the_model_s_scores(int8: tuple[Path, str], wide: Path) -> None:
    images = np.random.default_rng(0).standard_normal((5, 3, 64, 64)).astype(np.float32).clip(-2, 2)
    (got,) = onnxruntime.InferenceSession(int8[0] / "model.onnx").run(None, {"input_0": images})
    (wanted,) = eager_forward(open_model(Registry.discover(), wide).layer)((images,))
    assert 0 < np.abs(got - wanted).max() < 0.3 * np.abs(wanted).max()


def test_what_loses_too_much_stays_in_float(shapes: Path, wide: Path, tmp_path: Path) -> None:
    """Calibrated on black images INT8 clips all others: few steps can stand that, if any."""
    (tmp_path / "black" / "train" / "circle").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "black" / "train" / "circle" / "0.png"), np.zeros((32, 32, 3), np.uint8))
    how = {"eval_dataset": shapes, "calibration": tmp_path / "black", "save_dir": tmp_path / "int8", "threads": 1}
    try:
        record = paddleprune.quantize(wide, **how)
    except PlanError:
        assert not (tmp_path / "int8").exists()
        return
    assert record.calibration.samples == 1
    assert 0 < len(record.left_in_float) < record.steps
    assert 1 < record.searched < record.steps
    errors = [left.error for left in record.left_in_float]
    assert errors == sorted(errors, reverse=True)
    assert record.loss <= record.max_loss


def test_int8_that_is_slower_is_refused_and_leaves_nothing(shapes: Path, work: Path, tmp_path: Path) -> None:
    """A LeNet takes microseconds: its conversions alone take longer than it saves."""
    words = ("--model", "lenet", "--data", shapes, "--save-dir", work / "small", *SHORT, "--num-epochs", 3)
    run("train", "classification", *words)
    words = ("--data", shapes, "--save-dir", tmp_path / "int8", "--threads", 1)
    done = run("quantize", work / "small" / "best_model", *words, code=2)
    assert not done.stdout
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert line.startswith("error: INT8 is slower than FP32 on this CPU")
    assert "acc1" in line
    assert "ms a sample (ONNX Runtime " in line
    assert line.endswith("nothing was written; export FP32 instead")
    assert not list(tmp_path.iterdir())


def test_what_does_not_pay_is_refused_with_its_figures(int8: tuple[Path, str]) -> None:
    record = recorded(int8[0]).model_copy(update={"loss": 0.01, "error": 0.002})
    check_pays(record)
    slow = record.model_copy(update={"float32": record.int8, "int8": record.float32})
    with pytest.raises(PlanError, match=r"^INT8 is slower than FP32 on this CPU: .* ms a sample .*; export FP32"):
        check_pays(slow)
    lossy = record.model_copy(update={"max_loss": 0.005})
    with pytest.raises(PlanError, match=r"^INT8 loses more than max_loss 0\.005: .*\(loss 0\.0100 ± 0\.0020, 12 samp"):
        check_pays(lossy)
    both = slow.model_copy(update={"max_loss": 0.005})
    with pytest.raises(PlanError, match=r"^INT8 is slower than FP32 on this CPU and loses more than max_loss"):
        check_pays(both)


def test_what_was_there_stays_where_it_is_refused(
    shapes: Path, wide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(record: Quantized) -> None:
        raise PlanError("no")

    monkeypatch.setattr("paddleprune.api.quantize.check_pays", refuse)
    (tmp_path / "model.onnx").write_text("before")
    how = {"eval_dataset": shapes, "max_loss": 0.4, "samples": 24}
    with pytest.raises(PlanError):
        paddleprune.quantize(wide, save_dir=tmp_path, **how)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("model.onnx", "before")]


def test_settings_are_checked_before_any_work(wide: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"max_loss` must be a share of the metric, .* not 2; 2% is 0.02"):
        paddleprune.quantize(wide, eval_dataset=tmp_path, save_dir=tmp_path, max_loss=2)
