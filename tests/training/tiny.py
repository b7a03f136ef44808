"""The smallest real parts that training needs, and a command that trains with them in a process of its own."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.errors import DataError, PaddlePruneError
from paddleprune.hookspecs import hookimpl
from paddleprune.interfaces import Array, Dataset, Metric, Sample
from paddleprune.pruning.plan import Counts, GroupPlan, Plan
from paddleprune.pruning.surgery import resize
from paddleprune.specs import DatasetConfig, FamilyInfo, ImageOptions, TaskInfo
from paddleprune.training import CheckpointInfo, TrainResult, TrainSettings, fit, seed_everything
from paddleprune.training.weights import set_weights, weights_of

CLASSES = 3


class Stripes(Dataset):
    """Images of [1, 6, 6] with a bright row pair that tells the class; noise varies with seed and epoch."""

    labels = ("top", "middle", "bottom")

    def __init__(self, count: int = 24, noise: float = 0.3, seconds: float = 0.0, broken: int | None = None) -> None:
        self.count, self.noise, self.seconds, self.broken = count, noise, seconds, broken

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if index == self.broken:
            raise DataError(f"list.txt line {index}: cannot decode broken.png")
        time.sleep(self.seconds)
        label = index % CLASSES
        image = np.random.default_rng((self.seed, self.epoch, index)).normal(0, self.noise, (1, 6, 6))
        image[:, 2 * label : 2 * label + 2] += 1
        return (image.astype("float32"),), label


class Accuracy(Metric):
    """Share of right answers, or of wrong ones."""

    def __init__(self, wrong: bool = False) -> None:
        self.primary, self.higher_is_better = ("error", False) if wrong else ("accuracy", True)
        self.reset()

    def reset(self) -> None:
        self.right = self.total = 0

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        self.right += int((outputs[0].argmax(1) == targets).sum())
        self.total += len(targets)

    def accumulate(self) -> list[float]:
        share = self.right / self.total
        return [share if self.higher_is_better else 1 - share]

    def name(self) -> list[str]:
        return [self.primary]


class Script(Accuracy):
    """A metric that says what it is told, evaluation by evaluation."""

    def __init__(self, values: list[float], wrong: bool = False) -> None:
        super().__init__(wrong)
        self.values = list(values)

    def accumulate(self) -> list[float]:
        return [self.values.pop(0)]


def net(width: int = 4, classes: int = CLASSES) -> nn.Layer:
    """Convolution, batch norm, dropout, linear: everything that has state or draws random numbers."""
    layer: nn.Layer = nn.Sequential(
        nn.Conv2D(1, width, 3, padding=1),
        nn.BatchNorm2D(width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(width * 36, classes),
    )
    return layer


def loss(outputs: tuple[Any, ...], targets: Any) -> Any:
    """Cross entropy."""
    return nn.functional.cross_entropy(outputs[0], targets)


class Options(ImageOptions):
    """How wide."""

    width: int = 4


class Plugin:
    """The tiny network as a family, for checkpoints that a registry loads."""

    @staticmethod
    @hookimpl
    def paddleprune_register_tasks() -> list[TaskInfo]:
        return [TaskInfo(name="stripes", description="stripes", dataset=DatasetConfig)]

    @staticmethod
    @hookimpl
    def paddleprune_register_families() -> list[FamilyInfo]:
        return [FamilyInfo(task="stripes", name="tiny", description="tiny", options=Options)]

    @staticmethod
    @hookimpl
    def paddleprune_build_model(options: Options) -> nn.Layer:
        return net(options.width, options.num_classes)


def pruned() -> tuple[nn.Layer, Plan]:
    """The tiny network with three of its four channels, and the plan that says so."""
    layer, vectors = net(), ("0.bias", "1.weight", "1.bias", "1._mean", "1._variance")
    weights = {name: array[[0, 1, 3]] for name, array in weights_of(layer).items() if name in (*vectors, "0.weight")}
    weights["5.weight"] = weights_of(layer)["5.weight"].reshape(4, 36, CLASSES)[[0, 1, 3]].reshape(-1, CLASSES)
    resize(layer, {name: array.shape for name, array in weights.items()})
    set_weights(layer, weights)
    counts = Counts(parameters=1, flops=1)
    groups = {"0": GroupPlan(units=4, keep=(0, 1, 3), ratio=0.25)}
    return layer, Plan(eval_metric_loss=0.05, criterion="l1", groups=groups, before=counts, after=counts)


def info(**options: Any) -> CheckpointInfo:
    """What the checkpoints of these tests say."""
    return CheckpointInfo(task="stripes", family="tiny", options={"num_classes": CLASSES, **options})


def settings(**changes: Any) -> TrainSettings:
    """Fast and deterministic, with a schedule that changes at each epoch or so."""
    base = {
        "num_epochs": 4,
        "train_batch_size": 5,
        "learning_rate": 0.1,
        "lr_decay_epochs": (2, 3),
        "warmup_steps": 3,
        "device": "cpu",
    }
    return TrainSettings(**{**base, **changes})


def train(save_dir: Path, resume: Path | None = None, data: Dataset | None = None, **changes: Any) -> TrainResult:
    """Train the tiny network."""
    chosen = settings(**changes)
    seed_everything(chosen.seed, 0)
    return fit(net(), loss, Accuracy(), data or Stripes(), Stripes(12), chosen, save_dir, info(), resume=resume)


def main(save_dir: str, resume: str, seconds: str, limit: str) -> int:
    """Train slowly, or with a limit on the size of files; print an error as the command line does."""
    if int(limit):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    paddle.set_device("cpu")
    try:
        train(Path(save_dir), Path(resume) if resume else None, Stripes(seconds=float(seconds)))
    except PaddlePruneError as error:
        print(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
