"""Units that training pulls towards zero: by how much, which of them, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.interfaces import Dataset, Sample
from paddleprune.training import fit, read_checkpoint, seed_everything
from paddleprune.training.sparsity import Lasso, growing
from paddleprune.training.weights import weights_of


def digits(layer: nn.Layer) -> ChannelGraph:
    return build_graph(layer, [(1, 1, 8, 8)])


def stripes(layer: nn.Layer) -> ChannelGraph:
    return build_graph(layer, [(1, 1, 6, 6)])


class Block(nn.Layer):
    """Two convolutions that share their channels, one of them with a norm, and a third that nobody shares."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2D(1, 6, 3, padding=1), nn.Conv2D(1, 6, 1, bias_attr=False)
        self.norm, self.third = nn.BatchNorm2D(6), nn.Conv2D(6, 4, 1)
        self.last = nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        shared = nn.functional.relu(self.first(x) + self.norm(self.second(x)))
        return self.last(nn.functional.relu(self.third(shared)).mean([2, 3]))


def units_of(weights: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    """What each unit of `Block` is made of, by hand."""
    shared = ("first.weight", "first.bias", "second.weight", "norm.weight", "norm.bias")
    return [
        *([weights[name][i].ravel() for name in shared] for i in range(6)),
        *([weights[name][i].ravel() for name in ("third.weight", "third.bias")] for i in range(4)),
    ]


def test_a_step_is_what_numpy_computes_and_what_makes_no_channel_stays() -> None:
    paddle.seed(0)
    layer = Block()
    before = weights_of(layer)
    lasso = Lasso(layer, stripes(layer), np.array([0.0, 0.9]))
    sizes = np.array([np.sqrt((np.concatenate(unit) ** 2).mean()) for unit in units_of(before)])
    np.testing.assert_allclose(lasso.sizes().numpy(), sizes, rtol=1e-5)
    lasso(0)
    np.testing.assert_allclose(weights_of(layer)["first.weight"], before["first.weight"], rtol=1e-6)
    lasso(1)
    after = weights_of(layer)
    gone = 0
    for group in (slice(0, 6), slice(6, 10)):
        mean = sizes[group].mean()
        left = np.maximum(sizes[group] - 0.9 * mean, 0)
        scale = mean / left.mean()
        gone += int((left == 0).sum())
        for size, then, now in zip(sizes[group], units_of(before)[group], units_of(after)[group], strict=True):
            then, now = np.concatenate(then), np.concatenate(now) / scale
            np.testing.assert_allclose(now, then * max(0, 1 - 0.9 * mean / size), rtol=1e-3, atol=1e-6)
            if now.any():  # what went is the gradient of what is added to the loss, at where the unit ended
                gradient = 0.9 * mean * np.sqrt(now.size) * now / np.linalg.norm(now)
                np.testing.assert_allclose(then - now, gradient, rtol=1e-3, atol=1e-5)
    assert 0 < gone < 10
    np.testing.assert_allclose(lasso.sizes()[:6].mean(), sizes[:6].mean(), rtol=1e-5)
    for name in ("last.weight", "last.bias", "norm._mean", "norm._variance"):
        np.testing.assert_array_equal(after[name], before[name])


def test_what_is_taken_grows_with_the_steps_and_adds_up_to_what_was_asked_for(tiny: ModuleType) -> None:
    flat = tiny.settings(num_epochs=2, lr_decay_epochs=(5,), warmup_steps=0, sparsity=0.3)
    np.testing.assert_allclose(growing(flat, 3), 0.3 * np.arange(1, 7) / 21)
    falling = growing(flat.model_copy(update={"lr_decay_epochs": (1,), "lr_decay_gamma": 0.1}), 3)
    assert falling.sum() == pytest.approx(0.3)
    assert falling[3] / falling[2] == pytest.approx(0.1 * 4 / 3)


def test_frozen_units_stay_and_a_network_without_units_is_refused() -> None:
    layer = Block()
    for parameter in layer.third.parameters():
        parameter.stop_gradient = True
    before = weights_of(layer)
    Lasso(layer, stripes(layer), np.array([0.5]))(0)
    after = weights_of(layer)
    assert (after["first.weight"] != before["first.weight"]).all()
    np.testing.assert_array_equal(after["third.weight"], before["third.weight"])
    alone = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    with pytest.raises(ConfigError, match="this network has none: leave it out"):
        Lasso(alone, stripes(alone), np.ones(1))


class Digits(Dataset):
    """Handwritten digits, 8x8, as scikit-learn brings them."""

    labels = tuple("0123456789")

    def __init__(self, start: int, end: int) -> None:
        from sklearn.datasets import load_digits

        images, self.answers = load_digits(return_X_y=True)
        self.images = images.reshape(-1, 1, 8, 8).astype("float32")[start:end] / 16
        self.answers = self.answers[start:end]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        return (self.images[index],), int(self.answers[index])


def test_units_become_more_unequal_and_the_network_still_knows_its_digits(tiny: ModuleType, tmp_path: Path) -> None:
    def trained(strength: float) -> tuple[float, float]:
        paddle.seed(0)
        layer = nn.Sequential(
            *(nn.Conv2D(1, 32, 3, bias_attr=False), nn.BatchNorm2D(32), nn.ReLU()),
            *(nn.Conv2D(32, 32, 3, bias_attr=False), nn.BatchNorm2D(32), nn.ReLU()),
            *(nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(32, 10)),
        )
        said = {"num_epochs": 4, "train_batch_size": 32, "learning_rate": 0.05, "lr_schedule": "cosine"}
        settings = tiny.settings(**said, sparsity=strength)
        parts = layer, tiny.loss, tiny.Accuracy(), Digits(0, 1200), Digits(1200, 1500)
        result = fit(*parts, settings, tmp_path / str(strength), tiny.info(), graph_of=digits)
        sizes = Lasso(layer, digits(layer), np.ones(1)).sizes().numpy()
        return float((sizes < 0.01 * np.median(sizes)).mean()), result.history[-1].metrics["accuracy"]

    (few, plain), (many, sparse) = trained(0.0), trained(2.0)
    assert few == 0
    assert many > 0.1
    assert sparse > plain - 0.05


@pytest.mark.parametrize("pruned", [False, True])
def test_a_run_that_was_stopped_ends_like_one_that_was_not(tiny: ModuleType, tmp_path: Path, pruned: bool) -> None:
    def trained(folder: str, resume: str | None = None, strength: float = 1.0, **changes: Any) -> Any:
        settings = tiny.settings(sparsity=strength, ema=0.9, **changes)
        seed_everything(settings.seed, 0)
        layer, plan = tiny.pruned() if pruned and resume is None else (tiny.net(), None)
        parts = layer, tiny.loss, tiny.Accuracy(), tiny.Stripes(), tiny.Stripes(12), settings, tmp_path / folder
        start = None if resume is None else tmp_path / resume
        fit(*parts, tiny.info(), plan, start, graph_of=stripes)
        return read_checkpoint(tmp_path / folder / f"epoch_{settings.num_epochs}").weights

    whole, plain = trained("whole"), trained("plain", strength=0.0)
    trained("parts")
    rest = trained("rest", "parts/epoch_2")
    for name, array in whole.items():
        np.testing.assert_array_equal(rest[name], array, err_msg=name)
    assert np.abs(whole["0.weight"] - plain["0.weight"]).max() > 0
