from __future__ import annotations

import math
import subprocess
import sys

import pytest
from pydantic import ValidationError

from paddleprune.errors import ConfigError
from paddleprune.settings import TrainSettings
from paddleprune.training.schedules import build_schedule, learning_rate_at
from paddleprune.validation import validated

BAD = [
    ("learning_rate", math.nan),
    ("learning_rate", math.inf),
    ("learning_rate", 0),
    ("learning_rate", -0.1),
    ("lr_decay_epochs", (30, 20)),
    ("lr_decay_epochs", (5, 5)),
    ("lr_decay_epochs", (0, 5)),
    ("lr_decay_gamma", 0),
    ("lr_decay_gamma", math.nan),
    ("lr_schedule", "linear"),
    ("momentum", 1.0),
    ("momentum", math.nan),
    ("weight_decay", -1e-4),
    ("weight_decay", math.inf),
    ("warmup_steps", -1),
    ("warmup_start_lr", math.nan),
    ("num_epochs", 0),
    ("train_batch_size", 0),
    ("early_stop_patience", 0),
    ("device", "tpu"),
    ("device", "gpu:x"),
    ("seed", -1),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_one_line_that_names_it(name: str, value: object) -> None:
    with pytest.raises(ConfigError) as error:
        validated(TrainSettings, {name: value}, "the training settings")
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_settings_are_frozen_and_reject_what_they_dont_know() -> None:
    with pytest.raises(ValidationError):
        TrainSettings(lerning_rate=0.1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        TrainSettings().num_epochs = 3  # type: ignore[misc]


def test_piecewise_falls_after_the_epochs_that_it_names() -> None:
    settings = TrainSettings(num_epochs=6, learning_rate=0.4, lr_decay_epochs=(2, 4), lr_decay_gamma=0.5)
    rates = [learning_rate_at(settings, 10, step) for step in (0, 19, 20, 39, 40, 59)]
    assert rates == [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]


def test_warm_up_rises_linearly_and_does_not_shift_the_falls() -> None:
    settings = TrainSettings(learning_rate=0.5, warmup_steps=10, warmup_start_lr=0.1, lr_decay_epochs=(2,))
    assert learning_rate_at(settings, 10, 0) == 0.1
    assert learning_rate_at(settings, 10, 5) == pytest.approx(0.3)
    assert learning_rate_at(settings, 10, 10) == 0.5
    assert learning_rate_at(settings, 10, 20) == pytest.approx(0.05)


def test_cosine_goes_from_the_end_of_warm_up_to_zero() -> None:
    settings = TrainSettings(num_epochs=3, learning_rate=0.2, lr_schedule="cosine", warmup_steps=10)
    assert learning_rate_at(settings, 10, 10) == pytest.approx(0.2)
    assert learning_rate_at(settings, 10, 20) == pytest.approx(0.1)
    assert learning_rate_at(settings, 10, 15) == pytest.approx(0.1 * (1 + math.cos(math.pi / 4)))
    assert learning_rate_at(settings, 10, 30) == pytest.approx(0.0)


def test_the_scheduler_gives_these_rates_and_its_state_goes_on() -> None:
    settings = TrainSettings(num_epochs=4, lr_schedule="cosine", warmup_steps=3)
    schedule, later = build_schedule(settings, 5), build_schedule(settings, 5)
    for step in range(8):
        assert schedule() == learning_rate_at(settings, 5, step)
        schedule.step()
    later.set_state_dict(schedule.state_dict())
    assert later() == learning_rate_at(settings, 5, 8)
    later.step()
    assert later() == learning_rate_at(settings, 5, 9)


def test_a_warm_up_longer_than_training_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"warmup_steps is 50.*only 20"):
        build_schedule(TrainSettings(num_epochs=4, warmup_steps=50), 5)


def test_the_settings_do_not_wait_for_paddle() -> None:
    code = "import sys; from paddleprune.settings import TrainSettings; sys.exit('paddle' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
