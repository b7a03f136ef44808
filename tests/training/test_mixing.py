"""Images that are two in one: by how much, what the loss makes of it, and the same after a stop."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import paddle
import pytest

from paddleprune.errors import ConfigError
from paddleprune.interfaces import Dataset, Sample
from paddleprune.training import read_checkpoint
from paddleprune.training.mixing import Mixing

IMAGES = np.random.default_rng(0).normal(size=(6, 1, 6, 6)).astype("float32")


def mixed(tiny: ModuleType, step: int, part: int = 0, **said: float) -> tuple[np.ndarray, float, np.ndarray]:
    """Images, the share of each that stayed, and whom each was mixed with, told by a loss of the targets alone."""
    mixing = Mixing(tiny.settings(**said), tiny.Stripes())
    images = (paddle.to_tensor(IMAGES),)

    def loss(outputs: Any, targets: Any) -> Any:
        return targets

    (found,), both = mixing(images, loss, step, part)
    first = both((), paddle.to_tensor(np.eye(6, dtype="float32"))).numpy()
    others = np.array([row.argmax() if row.max() < 1 else i for i, row in enumerate(first - np.diag(np.diag(first)))])
    share = float(np.min(np.diag(first)))
    others = np.where(np.diag(first) > share + 1e-6, np.arange(6), others)
    return found.numpy(), share, others


def test_mixup_blends_and_the_loss_knows_how_much(tiny: ModuleType) -> None:
    found, share, others = mixed(tiny, 3, mixup=0.4)
    assert 0 < share < 1
    np.testing.assert_allclose(found, share * IMAGES + (1 - share) * IMAGES[others], rtol=1e-5, atol=1e-6)
    again, other, part = (mixed(tiny, *where, mixup=0.4)[1] for where in ((3,), (4,), (3, 1)))
    assert again == share
    assert len({share, other, part}) == 3


def test_cutmix_pastes_a_rectangle_and_the_loss_knows_how_large(tiny: ModuleType) -> None:
    for step in range(5):
        found, share, others = mixed(tiny, step, cutmix=1.0)
        strange = (found != IMAGES).any(axis=(0, 1))
        assert share == pytest.approx(1 - strange.mean())
        rows, columns = strange.any(axis=1).sum(), strange.any(axis=0).sum()
        assert strange.sum() == rows * columns
        np.testing.assert_array_equal(found[:, :, strange], IMAGES[others][:, :, strange])


def test_both_take_turns(tiny: ModuleType) -> None:
    pasted = [(mixed(tiny, step, mixup=1.0, cutmix=1.0)[0] == IMAGES).any() for step in range(12)]
    assert 0 < sum(pasted) < 12


def test_what_has_more_than_a_class_is_refused(tiny: ModuleType) -> None:
    class Masks(tiny.Stripes):  # type: ignore[name-defined,misc]
        def __getitem__(self, index: int) -> Sample:
            return super().__getitem__(index)[0], np.zeros((6, 6), "int64")

    masks: Dataset = Masks()
    with pytest.raises(ConfigError, match="for images with one class each"):
        Mixing(tiny.settings(mixup=0.2), masks)


def test_a_run_that_was_stopped_ends_like_one_that_was_not(tiny: ModuleType, tmp_path: Path) -> None:
    said = {"mixup": 0.2, "cutmix": 1.0, "train_batch_size": 12, "parts": 2}
    whole = tiny.train(tmp_path / "whole", **said)
    tiny.train(tmp_path / "parts", **said, num_epochs=2)
    rest = tiny.train(tmp_path / "rest", resume=tmp_path / "parts" / "epoch_2", **said)
    plain = tiny.train(tmp_path / "plain", train_batch_size=12, parts=2)
    first, second, third = (read_checkpoint(run.last_model).weights for run in (whole, rest, plain))
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array, err_msg=name)
    assert np.abs(first["0.weight"] - third["0.weight"]).max() > 0
