"""What becomes of a run's folder: the same command goes on, another one is refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from paddleprune.errors import ConfigError, SaveError
from paddleprune.training import Asked, Source, TrainResult, go_on, read_info


@pytest.fixture
def asked(tiny: ModuleType) -> Asked:
    return Asked(
        task="stripes",
        family="tiny",
        options={"width": 4},
        loss={},
        metric={"threshold": 0.5},
        training_samples=24,
        evaluation_samples=12,
        labels=("top", "middle", "bottom"),
        train_transforms=({"name": "Flip", "prob": 0.5},),
        eval_transforms=(),
        settings=tiny.settings(),
    )


def other(asked: Asked, **changes: Any) -> Asked:
    return asked.model_copy(update=changes)


def run(tiny: ModuleType, folder: Path, asked: Asked, resume: Path | None = None, **settings: Any) -> TrainResult:
    last = go_on(folder, asked, resume, overwrite=False)
    result: TrainResult = tiny.train(folder, resume=last, **settings)
    return result


def test_the_same_again_goes_on_and_ends(
    tiny: ModuleType, asked: Asked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(tiny, tmp_path / "whole", asked)
    run(tiny, tmp_path / "parts", asked, num_epochs=2)
    for left in ("epoch_2", "epoch_1"):  # killed after the first epoch, and before its checkpoint was whole
        shutil.rmtree(tmp_path / "parts" / left)
        assert go_on(tmp_path / "parts", asked, None, overwrite=False) == (
            tmp_path / "parts" / "epoch_1" if left == "epoch_2" else None
        )
    result = run(tiny, tmp_path / "parts", asked)
    a, b = ((r.last_model / "weights.safetensors").read_bytes() for r in (whole, result))
    assert a == b
    (tmp_path / "parts" / "history.json").unlink()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").glob("*/*")}
    capsys.readouterr()
    assert run(tiny, tmp_path / "parts", asked).metrics == whole.metrics
    assert "nothing left to train" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").glob("*/*")} == times
    assert (tmp_path / "parts" / "history.json").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {"learning_rate": 0.01}}, "learning_rate is 0.01, but was 0.1"),
        ({"settings": {"num_epochs": 9}}, "num_epochs is 9, but was 4"),
        ({"settings": {"early_stop": True}}, "early_stop is True, but was False"),
        ({"options": {"width": 8}}, "options width is 8, but was 4"),
        ({"metric": {"threshold": 0.4}}, "metric threshold is 0.4, but was 0.5"),
        ({"training_samples": 25}, "training_samples is 25, but was 24"),
        ({"train_transforms": ()}, "train_transforms is [], but was Flip(prob=0.5)"),
        ({"round_to": 8}, "round_to is 8, but was not set"),
        ({"pretrain_weights": Source(path=Path("a/b"), sha256="1" * 64)}, "is a/b (11111111), but was not set"),
    ],
)
def test_anything_else_is_refused_by_name_and_nothing_is_touched(
    tiny: ModuleType, asked: Asked, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    (tmp_path / "best_model").mkdir()
    asked.write(tmp_path)
    before = (tmp_path / "run.json").read_bytes()
    if "settings" in changes:
        changes = {"settings": tiny.settings(**changes["settings"])}
    with pytest.raises(ConfigError) as error:
        go_on(tmp_path, other(asked, **changes), None, overwrite=False)
    for part in (str(tmp_path), said, "overwrite"):
        assert part in str(error.value)
    assert (tmp_path / "run.json").read_bytes() == before


def test_what_changes_nothing_may_differ_and_so_may_paths(tiny: ModuleType, asked: Asked, tmp_path: Path) -> None:
    here, there = (Source(path=Path(name), sha256="1" * 64) for name in ("here", "there"))
    run(tiny, tmp_path, other(asked, pretrain_weights=here), num_epochs=1)
    again = other(asked, pretrain_weights=there, settings=tiny.settings(num_workers=0, log_interval_steps=1))
    assert go_on(tmp_path, again, None, overwrite=False) == tmp_path / "epoch_1"


def test_what_left_no_results_may_be_asked_otherwise(asked: Asked, tmp_path: Path) -> None:
    assert go_on(tmp_path, asked, None, overwrite=False) is None
    assert go_on(tmp_path, other(asked, options={}), None, overwrite=False) is None
    assert Asked.of(tmp_path) == other(asked, options={})


def test_overwrite_removes_a_run_and_nothing_else(tiny: ModuleType, asked: Asked, tmp_path: Path) -> None:
    run(tiny, tmp_path, asked, num_epochs=1)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "epoch_7").mkdir()
    inside = Source(path=tmp_path / "best_model", sha256="1" * 64)
    with pytest.raises(ConfigError, match="overwrite would remove pretrain_weights"):
        go_on(tmp_path, other(asked, pretrain_weights=inside), None, overwrite=True)
    with pytest.raises(ConfigError, match=r"overwrite would remove .*epoch_1, which is to be resumed"):
        go_on(tmp_path, asked, tmp_path / "epoch_1", overwrite=True)
    assert read_info(tmp_path / "best_model").completed_epochs == 1
    assert go_on(tmp_path, other(asked, options={}), None, overwrite=True) is None
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "epoch_7", "run.json"}


def test_rounds_belong_to_the_run_that_made_them(tiny: ModuleType, asked: Asked, tmp_path: Path) -> None:
    run(tiny, tmp_path / "round_1", asked, num_epochs=1)
    assert go_on(tmp_path, asked, None, overwrite=True) is None  # somebody's own run, which has such a name
    assert read_info(tmp_path / "round_1" / "best_model").completed_epochs == 1
    rounds = other(asked, rounds=2)
    assert go_on(tmp_path, rounds, None, overwrite=False) is None
    with pytest.raises(ConfigError, match="rounds is not set, but was 2"):
        go_on(tmp_path, asked, None, overwrite=False)
    assert go_on(tmp_path, rounds, None, overwrite=False) is None
    assert go_on(tmp_path, asked, None, overwrite=True) is None
    assert not list((tmp_path / "round_1").iterdir())


def test_a_run_that_does_not_say_what_it_was_is_never_overwritten(
    tiny: ModuleType, asked: Asked, tmp_path: Path
) -> None:
    tiny.train(tmp_path, num_epochs=1)
    with pytest.raises(ConfigError) as error:
        go_on(tmp_path, asked, None, overwrite=False)
    assert f"{tmp_path} already holds a trained model" in str(error.value)
    assert f"resume_checkpoint={tmp_path / 'epoch_1'}" in str(error.value)


def test_resuming_goes_on_exactly_or_not_at_all(tiny: ModuleType, asked: Asked, tmp_path: Path) -> None:
    run(tiny, tmp_path / "one", asked, num_epochs=2)
    first, last = (tmp_path / "one" / f"epoch_{n}" for n in (1, 2))
    for change, said in (
        ({"settings": tiny.settings(learning_rate=0.01)}, r"can't be resumed with learning_rate=0.01 \(was 0.1\)"),
        ({"training_samples": 30}, r"training samples=30 \(was 24\)"),
        ({"metric": {"threshold": 0.4}}, "can't be resumed: metric threshold is 0.4, but was 0.5"),
        ({"eval_transforms": ({"name": "Flip"},)}, "eval_transforms is Flip, but was"),
        ({"sensitivities_file": Source(path=Path("t"), sha256="1" * 64)}, "sensitivities_file is t .*but was not set"),
    ):
        with pytest.raises(ConfigError, match=said) as error:
            go_on(tmp_path / "two", other(asked, **change), last, overwrite=False)
        assert f"pretrain_weights={last}" in str(error.value)
    assert not (tmp_path / "two").exists()
    more = other(asked, settings=tiny.settings(num_epochs=6))
    assert go_on(tmp_path / "one", more, first, overwrite=False) == first
    assert go_on(tmp_path / "one", more, None, overwrite=False) == last


def test_a_resumed_run_elsewhere_goes_on_there(tiny: ModuleType, asked: Asked, tmp_path: Path) -> None:
    whole = run(tiny, tmp_path / "one", asked)
    start = tmp_path / "one" / "epoch_1"
    resumed = other(asked, resumed=Source(path=start, sha256="1" * 64))
    assert run(tiny, tmp_path / "two", resumed, start, num_epochs=3).last_model.name == "epoch_3"
    assert go_on(tmp_path / "two", resumed, start, overwrite=False) == tmp_path / "two" / "epoch_3"
    result = run(tiny, tmp_path / "two", resumed, start)
    assert result.metrics == whole.metrics
    with pytest.raises(ConfigError, match=r"already holds another run: resumed is .*, but was"):
        go_on(tmp_path / "two", other(resumed, resumed=Source(path=start, sha256="2" * 64)), start, overwrite=False)


def test_a_place_that_cannot_be_written_is_found_before_training(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="file"):
        go_on(tmp_path / "file", asked, None, overwrite=False)
