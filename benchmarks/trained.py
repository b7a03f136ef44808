"""The trained networks that a repair is judged on: each is trained once, and kept in a folder."""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import paddleprune
from paddleprune.api.calibration import calibration_inputs, choose, open_calibration
from paddleprune.api.loading import Evaluation, evaluation_of, graph_of_loaded, open_model
from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Array, Dataset
from paddleprune.measure.drawn import Part
from paddleprune.registry import Registry
from paddleprune.training import LoadedModel

TASKS = {
    "digits": "classification",
    "fashion": "classification",
    "segmentation": "segmentation",
    "detection": "detection",
}
FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its four files."""
_CLASSES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
_NORMALIZE = {"name": "Normalize", "mean": [0.5], "std": [0.5]}


SHARES = (0.3, 0.5, 0.7, 0.85)
"""Of the dense network's FLOPs that go."""


def parser_of(description: str | None, samples: str | None = None) -> argparse.ArgumentParser:
    """The arguments of a benchmark that cuts these networks.

    Args:
        description: of the benchmark.
        samples: what it makes of its samples; None if it takes as many as `train` does.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("networks", nargs="*", default=list(TASKS), help=f"of {', '.join(TASKS)}")
    parser.add_argument("--folder", type=Path, default=Path("output/bench-repair"), help="keeps the dense networks")
    if samples is not None:
        parser.add_argument("--samples", type=int, default=256, help=samples)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of the FLOPs that go")
    parser.add_argument("--epochs", type=int, default=0, help="of retraining; 0 for none")
    parser.add_argument("--seeds", type=int, default=3, help="of the retraining")
    parser.add_argument("--full", action="store_true", help="all of Fashion-MNIST")
    return parser


@dataclass(frozen=True)
class Trained:
    """A dense network, and its data.

    Attributes:
        name: of the work.
        task: what it does.
        data: the fields of its two data sets.
        settings: how it was trained.
        checkpoint: its folder.
    """

    name: str
    task: str
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    checkpoint: Path


@dataclass(frozen=True)
class Opened:
    """A dense network in memory.

    Attributes:
        registry: knows its plugin.
        loaded: the network.
        graph: its channel graph.
        evaluation: what evaluates it.
        drawn: training samples, preprocessed as for evaluation, with their labels.
        samples: their inputs alone, which a repair is made from.
    """

    registry: Registry
    loaded: LoadedModel
    graph: ChannelGraph
    evaluation: Evaluation
    drawn: Dataset
    samples: tuple[Array, ...]


def trained(name: str, folder: Path, full: bool = False, fashion: Path = FASHION) -> Trained:
    """Train a network, unless the folder holds it already.

    Args:
        name: one of `TASKS`.
        folder: gets `NAME/data` and `NAME/dense`, which is `NAME/training` until it has been trained to the end.
        full: all images of Fashion-MNIST, not 12,000 and 2,500.
        fashion: where its files are.
    """
    task, place = TASKS[name], folder / name
    if name == "fashion":
        data, model, options, settings = _fashion(place / "data", fashion, full)
    else:
        recipe = Registry.discover().demo(task, place / "data")
        data = {"train_dataset": recipe.train_dataset, "eval_dataset": recipe.eval_dataset}
        model, options, settings = recipe.family, recipe.options, recipe.settings
    if not (place / "dense").exists():
        paddleprune.train(task, model=model, options=options, save_dir=place / "training", **data, **settings)
        (place / "training").rename(place / "dense")
    return Trained(name, task, data, settings, place / "dense" / "best_model")


def opened(network: Trained, samples: int) -> Opened:
    """Load a network and draw its calibration samples."""
    registry = Registry.discover()
    loaded = open_model(registry, network.checkpoint)
    evaluation = evaluation_of(registry, loaded, network.data["eval_dataset"])
    drawn = open_calibration(registry, loaded, None, network.data["train_dataset"], network.data["eval_dataset"])
    graph = graph_of_loaded(registry, loaded)
    part = Part(drawn, choose(drawn, samples))
    return Opened(registry, loaded, graph, evaluation, part, calibration_inputs(drawn, samples))


def retrained(network: Trained, folder: Path, epochs: int, rate: float, seed: int) -> list[float]:
    """Train on from a checkpoint, as the dense network was trained; the primary metric after each epoch.

    Args:
        network: the dense network.
        folder: holds `start`, a checkpoint, and gets `seed_SEED`.
        epochs: how many.
        rate: what the learning rate is multiplied by.
        seed: of the training.
    """
    settings = dict(network.settings)
    settings |= {
        "num_epochs": epochs,
        "save_interval_epochs": 1,
        "learning_rate": settings["learning_rate"] * rate,
        "warmup_start_lr": settings.get("warmup_start_lr", 0.0) * rate,
        "seed": seed,
    }
    result = paddleprune.train(
        network.task, pretrain_weights=folder / "start", save_dir=folder / f"seed_{seed}", **network.data, **settings
    )
    history = json.loads((folder / f"seed_{seed}" / "history.json").read_text())
    primary = next(iter(result.metrics))
    return [record["metrics"][primary] for record in history]


def _fashion(folder: Path, files: Path, full: bool) -> tuple[dict[str, Any], str, dict[str, Any], dict[str, Any]]:
    """Photographs of clothes, 28x28, as PNG files: MobileNetV2 x0.35 learns them at 64x64."""
    for split, kind, count in (("train", "train", None if full else 12000), ("val", "t10k", None if full else 2500)):
        if not (folder / f"{split}_list.txt").exists():
            _write(folder, split, files / f"{kind}-images-idx3-ubyte.gz", files / f"{kind}-labels-idx1-ubyte.gz", count)
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in _CLASSES))
    settings = {
        "num_epochs": 8,
        "train_batch_size": 32,
        "learning_rate": 0.08,
        "lr_schedule": "cosine",
        "warmup_steps": 100,
        "warmup_start_lr": 0.005,
        "log_interval_steps": 200,
    }
    steps = {"train": [{"name": "RandomHorizontalFlip"}], "val": []}
    data = {
        key: {
            "data_dir": str(folder),
            "file_list": str(folder / f"{split}_list.txt"),
            "label_list": str(folder / "labels.txt"),
            "transforms": [*steps[split], {"name": "Resize", "target_size": 64}, _NORMALIZE],
        }
        for key, split in (("train_dataset", "train"), ("eval_dataset", "val"))
    }
    return data, "mobilenet_v2", {"input_size": 64, "scale": 0.35}, settings


def _write(folder: Path, split: str, images: Path, labels: Path, count: int | None) -> None:
    pixels = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28)[:count]
    classes = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)[:count]
    (folder / split).mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (image, label) in enumerate(zip(pixels, classes, strict=True)):
        name = f"{split}/{number:05d}.png"
        cv2.imwrite(str(folder / name), image)
        lines.append(f"{name} {label}\n")
    (folder / f"{split}_list.txt").write_text("".join(lines))
