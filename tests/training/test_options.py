"""Each option of training does what it says, against NumPy or against a run without it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.errors import CheckpointError, ConfigError
from paddleprune.training import TrainSettings, read_checkpoint
from paddleprune.training.average import Average
from paddleprune.training.optimizer import build_optimizer
from paddleprune.training.step import TrainStep
from paddleprune.training.weights import weights_of

RATE = 0.1


def stepped(factor: float, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weights of a small network before and after a step on a loss times a factor."""
    paddle.seed(0)
    layer = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    for tensor in layer.parameters():
        tensor.set_value(tensor + 0.5)
    before = weights_of(layer)
    optimizer = build_optimizer(layer, TrainSettings(learning_rate=RATE, **settings), RATE)
    images = paddle.ones([2, 3])
    (layer(images).square().mean() * factor).backward()
    optimizer.step()
    return before, weights_of(layer)


@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
@pytest.mark.parametrize("decay_norms", [True, False])
def test_weights_decay_and_norms_and_biases_where_it_is_said(optimizer: str, decay_norms: bool) -> None:
    before, after = stepped(0.0, optimizer=optimizer, weight_decay=0.5, decay_norms=decay_norms)
    for name, array in before.items():
        kept = 1 - RATE * 0.5 if array.ndim > 1 or decay_norms else 1
        np.testing.assert_allclose(after[name], array * kept, rtol=1e-6, err_msg=name)


def test_adam_moves_every_weight_by_the_rate_at_first() -> None:
    before, after = stepped(3.0, optimizer="adam", weight_decay=0.0)
    moved = np.abs(after["2.bias"] - before["2.bias"])
    np.testing.assert_allclose(moved, RATE, rtol=1e-3)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_a_long_gradient_is_shortened_and_a_short_one_is_left(factor: float) -> None:
    def length(**settings: Any) -> float:
        before, after = stepped(factor, weight_decay=0.0, **settings)
        return float(np.sqrt(sum(np.square(after[name] - before[name]).sum() for name in before))) / RATE

    assert length(clip_norm=1.0) == pytest.approx(min(length(), 1.0), rel=1e-3)


def test_the_average_is_that_of_the_formula() -> None:
    layer = nn.Linear(2, 2)
    average, mean = Average(layer, 0.5), layer.weight.numpy()
    for step in range(1, 9):
        layer.weight.set_value(layer.weight + step)
        average.update()
        kept = min(0.5, (1 + step) / (10 + step))
        mean = kept * mean + (1 - kept) * layer.weight.numpy()
    last = layer.weight.numpy()
    with average.applied() as raw:
        np.testing.assert_allclose(layer.weight.numpy(), mean, rtol=1e-6)
        np.testing.assert_array_equal(raw["weight/raw"], last)
    np.testing.assert_array_equal(layer.weight.numpy(), last)


def test_an_averaged_run_that_was_stopped_ends_like_one_that_was_not(tiny: ModuleType, tmp_path: Path) -> None:
    tiny.train(tmp_path / "whole", ema=0.9)
    tiny.train(tmp_path / "half", ema=0.9, num_epochs=2)
    tiny.train(tmp_path / "rest", tmp_path / "half" / "epoch_2", ema=0.9)
    tiny.train(tmp_path / "plain")
    whole, rest, plain = (read_checkpoint(tmp_path / name / "epoch_4").weights for name in ("whole", "rest", "plain"))
    for name, array in whole.items():
        np.testing.assert_array_equal(rest[name], array, err_msg=name)
    assert np.abs(whole["5.weight"] - plain["5.weight"]).max() > 0
    np.testing.assert_array_equal(whole["1._mean"], plain["1._mean"])  # the network that is trained is the same
    with pytest.raises(CheckpointError, match="resume an epoch_N of a run with `ema`"):
        tiny.train(tmp_path / "other", tmp_path / "plain" / "epoch_2", ema=0.9)


def test_a_batch_in_parts_gives_the_gradient_of_the_whole(tiny: ModuleType) -> None:
    found = []
    for parts in (1, 4):
        paddle.seed(0)
        layer = nn.Sequential(nn.Flatten(), nn.Linear(36, tiny.CLASSES))
        settings = tiny.settings(train_batch_size=8, parts=parts)
        step = TrainStep(layer, tiny.loss, build_optimizer(layer, settings, RATE), _Constant(), amp=None)
        data = tiny.Stripes(8)
        size = 8 // parts
        batch = [data.collate([data[i] for i in range(start, start + size)]) for start in range(0, 8, size)]
        found.append((step(batch), weights_of(layer)))
    (loss, whole), (sum_of_parts, in_parts) = found
    assert sum_of_parts == pytest.approx(loss, rel=1e-5)
    for name, array in whole.items():
        np.testing.assert_allclose(in_parts[name], array, atol=1e-6)


class _Constant:
    def step(self) -> None:
        """The learning rate stays."""


def test_parts_are_equal(tiny: ModuleType) -> None:
    with pytest.raises(ValueError, match="train_batch_size 5 can't be split into 2 equal parts"):
        tiny.settings(parts=2)


def test_frozen_layers_stay_as_they_are_with_their_statistics(tiny: ModuleType, tmp_path: Path) -> None:
    tiny.train(tmp_path / "one", num_epochs=1, freeze=("0", "1"))
    tiny.train(tmp_path / "two", num_epochs=2, freeze=("[01]",))
    tiny.train(tmp_path / "free", num_epochs=2)
    one, two, free = (
        read_checkpoint(tmp_path / place).weights for place in ("one/epoch_1", "two/epoch_2", "free/epoch_2")
    )
    for name, array in one.items():
        assert (np.abs(two[name] - array).max() == 0) == (name[0] in "01"), name
        assert np.abs(free[name] - array).max() > 0
    with pytest.raises(ConfigError, match="no layer is called 'backbone'"):
        tiny.train(tmp_path / "none", freeze=("backbone",))
    with pytest.raises(ConfigError, match="no parameter of the model can be trained; freeze fewer layers"):
        tiny.train(tmp_path / "all", freeze=("*",))


def test_a_run_whose_time_is_over_goes_on(tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = tiny.train(tmp_path, max_time="0.001s", save_interval_epochs=3)
    assert (len(first.history), first.last_model.name) == (1, "epoch_1")
    assert f"max_time is over; the same command goes on after {tmp_path / 'epoch_1'}" in capsys.readouterr().err
    tiny.train(tmp_path, tmp_path / "epoch_1", max_time="1h", save_interval_epochs=3)
    tiny.train(tmp_path / "whole", save_interval_epochs=3)
    ends = [read_checkpoint(place / "epoch_4").weights for place in (tmp_path, tmp_path / "whole")]
    for name, array in ends[0].items():
        np.testing.assert_array_equal(ends[1][name], array)
