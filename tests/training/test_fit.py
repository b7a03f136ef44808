from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import paddle
import pytest

from paddleprune.errors import CheckpointError, ConfigError, DataError
from paddleprune.training import TrainResult, fit, read_checkpoint, read_info
from paddleprune.training.loader import TrainLoader


def run(tiny: ModuleType, save_dir: Path, metric: Any = None, **changes: Any) -> TrainResult:
    chosen = tiny.settings(**changes)
    return fit(
        tiny.net(),
        tiny.loss,
        metric or tiny.Accuracy(),
        tiny.Stripes(),
        tiny.Stripes(12),
        chosen,
        save_dir,
        tiny.info(),
    )


def test_it_learns_and_leaves_what_it_says(
    tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tiny.train(tmp_path, log_interval_steps=2)
    assert result.metrics["accuracy"] > 0.9
    assert [record.epoch for record in result.history] == [1, 2, 3, 4]
    assert result.history[-1].loss < result.history[0].loss
    assert result.history[-1].learning_rate == pytest.approx(0.001)
    assert (result.best_model, result.last_model) == (tmp_path / "best_model", tmp_path / "epoch_4")
    best = read_info(result.best_model)
    assert (best.completed_epochs, best.metrics) == (result.best_epoch, result.metrics)
    assert (best.primary_metric, best.higher_is_better) == ("accuracy", True)
    assert len(json.loads((tmp_path / "history.json").read_text())) == 4
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"best_model", "history.json", "epoch_1", "epoch_2", "epoch_3", "epoch_4"}
    said = capsys.readouterr().err
    assert "epoch 2/4 step 4/4 loss" in said
    assert "s/step eta 0:00:0" in said


@pytest.mark.parametrize(
    ("values", "wrong", "best_epoch"),
    [
        ([0.2, 0.6, 0.6, 0.4], False, 2),
        ([0.2, 0.1, 0.3, 0.1], True, 2),
        ([math.nan, 0.0, 0.2, math.nan], False, 3),
        ([math.nan] * 4, True, 1),
    ],
)
def test_the_best_model_goes_by_the_primary_metric(
    tiny: ModuleType, tmp_path: Path, values: list[float], wrong: bool, best_epoch: int
) -> None:
    result = run(tiny, tmp_path, tiny.Script(values, wrong))
    assert result.best_epoch == best_epoch
    assert read_info(result.best_model).completed_epochs == best_epoch
    assert (
        read_checkpoint(result.best_model).weights["0.bias"]
        == read_checkpoint(tmp_path / f"epoch_{best_epoch}").weights["0.bias"]
    ).all()


def test_early_stop_counts_evaluations_without_improvement(tiny: ModuleType, tmp_path: Path) -> None:
    metric = tiny.Script([0.5, 0.6, 0.6, 0.1, 0.9])
    result = run(tiny, tmp_path, metric, num_epochs=9, early_stop=True, early_stop_patience=2)
    assert (len(result.history), result.best_epoch) == (4, 2)


def test_only_every_nth_epoch_and_the_last_are_evaluated(tiny: ModuleType, tmp_path: Path) -> None:
    result = run(tiny, tmp_path, num_epochs=5, save_interval_epochs=2)
    assert [bool(record.metrics) for record in result.history] == [False, True, False, True, True]
    assert not (tmp_path / "epoch_3").exists()


def test_a_last_incomplete_batch_is_left_out_but_not_always_the_same(tiny: ModuleType) -> None:
    loader = TrainLoader(tiny.Stripes(12), 5, seed=1, num_workers=2)
    seen = [[part for (batch,) in loader.epoch(epoch) for part in batch[1].tolist()] for epoch in (1, 2, 1)]
    assert len(loader) == 2
    assert len(seen[0]) == 10
    assert seen[0] == seen[2] != seen[1]


def test_threads_change_nothing(tiny: ModuleType) -> None:
    batches = [list(TrainLoader(tiny.Stripes(), 4, seed=3, num_workers=n).epoch(2)) for n in (0, 3)]
    assert all((a[0][0] == b[0][0]).all() for (a,), (b,) in zip(*batches, strict=True))


def test_fewer_images_than_a_batch(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has 24 samples, fewer than train_batch_size 32; .* smaller"):
        run(tiny, tmp_path / "out", train_batch_size=32)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_broken_image_is_named_and_the_last_checkpoint_is_whole(
    tiny: ModuleType, tmp_path: Path, num_workers: int
) -> None:
    with pytest.raises(DataError, match=r"^list.txt line 7: cannot decode broken.png$"):
        tiny.train(tmp_path, data=tiny.Stripes(broken=7), num_workers=num_workers)


def test_a_loss_that_becomes_nan(tiny: ModuleType, tmp_path: Path) -> None:
    run(tiny, tmp_path, num_epochs=1)

    def broken(outputs: tuple[Any, ...], targets: Any) -> Any:
        return tiny.loss(outputs, targets) * paddle.to_tensor(float("nan"))

    parts = (tiny.Accuracy(), tiny.Stripes(), tiny.Stripes(12), tiny.settings(), tmp_path, tiny.info())
    with pytest.raises(ConfigError) as error:
        fit(tiny.net(), broken, *parts, resume=tmp_path)
    for part in ("nan", "epoch 2, step 1", "lower learning_rate", f"goes on after {tmp_path / 'epoch_1'}"):
        assert part in str(error.value)
    assert read_checkpoint(tmp_path / "best_model").info.completed_epochs == 1


def test_a_huge_learning_rate_is_caught_while_training(tiny: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the loss became (nan|inf) at epoch \d+, step \d+"):
        run(tiny, tmp_path, learning_rate=1e38, warmup_steps=0, num_epochs=20)


def test_devices_that_are_not_there(tiny: ModuleType, tmp_path: Path) -> None:
    if paddle.is_compiled_with_cuda():
        pytest.skip("this Paddle has GPU support")
    with pytest.raises(ConfigError, match=r"no GPU support; use device 'cpu'"):
        run(tiny, tmp_path, device="gpu:1")


@pytest.mark.filterwarnings("ignore:amp_guard can only be enabled")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_on_a_cpu_paddle_leaves_mixed_precision_off(dtype: str) -> None:
    """As long as this holds there is nothing to allow."""
    paddle.set_device("cpu")
    image, layer = paddle.ones([1, 3, 4, 4]), paddle.nn.Conv2D(3, 2, 3)
    with paddle.amp.auto_cast(dtype=dtype, level="O1"):
        assert layer(image).dtype == paddle.matmul(image, image).dtype == paddle.float32


@pytest.mark.skipif(not paddle.is_compiled_with_cuda(), reason="this Paddle has no GPU support")
@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_learns_what_float32_does(tiny: ModuleType, amp: str, tmp_path: Path) -> None:
    half, whole = (run(tiny, tmp_path / str(name), device="gpu", amp=name).history for name in (amp, None))
    for one, other in zip(half, whole, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=0.05, abs=0.01)


def test_an_earlier_run_says_whether_it_was_in_mixed_precision(tiny: ModuleType) -> None:
    assert [tiny.settings(amp=said).amp for said in (True, False)] == ["fp16", None]
    with pytest.raises(ValueError, match="amp"):
        tiny.settings(amp="int8")


def test_visualdl_scalars_are_written(tiny: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("visualdl")
    run(tiny, tmp_path, num_epochs=1, use_vdl=True, log_interval_steps=1)
    (log,) = (tmp_path / "vdl_log").glob("*.log")
    content = log.read_bytes()
    for tag in (b"train/loss", b"train/learning_rate", b"eval/accuracy"):
        assert tag in content


def test_resuming_from_best_model_says_where_to_resume_from(tiny: ModuleType, tmp_path: Path) -> None:
    tiny.train(tmp_path, num_epochs=1)
    with pytest.raises(CheckpointError, match="epoch_N"):
        tiny.train(tmp_path, resume=tmp_path / "best_model")
    with pytest.raises(CheckpointError, match="nowhere does not exist; give a save_dir"):
        tiny.train(tmp_path, resume=tmp_path / "nowhere")
