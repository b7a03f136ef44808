"""Real data that needs no download: scikit-learn's 1797 handwritten digits, as PNG files in ImageNet layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddleprune.files import write_bytes, write_text
from paddleprune.interfaces import Array
from paddleprune.specs import Demo
from paddleprune.vision.specs import RandomCrop, Resize
from paddleprune_classification.config import ClassificationData
from paddleprune_classification.transform_specs import Normalize, Transform

_SIZE = 64
_EVERY = 5
"""One digit in so many, of each class, is for evaluation."""
_NORMALIZE = Normalize(mean=(0.5,), std=(0.5,))


def digits_demo(directory: Path) -> Demo:
    """Write the digits to `directory` and say how MobileNetV2 learns them in minutes on two CPU cores.

    Raises:
        DependencyError: scikit-learn is not installed.
        SaveError: a file can't be written.
    """
    write_digits(directory)
    return Demo(
        family="mobilenet_v2",
        options={"num_classes": 10, "input_size": _SIZE, "scale": 0.35},
        train_dataset=_data(
            directory, "train", RandomCrop(crop_size=_SIZE, lower_scale=0.9, lower_ratio=0.9, upper_ratio=1.1)
        ),
        eval_dataset=_data(directory, "val", Resize(target_size=_SIZE)),
        settings={
            "num_epochs": 5,
            "train_batch_size": 16,
            "eval_batch_size": 64,
            "learning_rate": 0.05,
            "lr_schedule": "cosine",
            "warmup_steps": 20,
            "warmup_start_lr": 0.005,
        },
        retrain_settings={"num_epochs": 5, "learning_rate": 0.04, "warmup_start_lr": 0.004},
    )


def write_digits(directory: Path) -> None:
    """`images/<class>/<index>.png`, `train_list.txt`, `val_list.txt` and `labels.txt`.

    The files are 64x64, 8 bits grey. Every fifth of each class is for evaluation.
    """
    from paddleprune.vision.scraps import load_digits

    images, labels = load_digits()
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for number in np.unique(labels):
        for position, index in enumerate(np.flatnonzero(labels == number)):
            name = f"images/{number}/{index:04d}.png"
            write_bytes(directory / name, _png(images[index]))
            lists["val" if position % _EVERY == 0 else "train"].append(f"{name} {number}\n")
    for split, lines in lists.items():
        write_text(directory / f"{split}_list.txt", "".join(lines))
    write_text(directory / "labels.txt", "".join(f"{number}\n" for number in np.unique(labels)))


def _data(directory: Path, split: str, step: Transform) -> ClassificationData:
    return ClassificationData(
        data_dir=directory,
        file_list=directory / f"{split}_list.txt",
        label_list=directory / "labels.txt",
        transforms=(step, _NORMALIZE),
    )


def _png(image: Array) -> bytes:
    import cv2

    from paddleprune.vision.scraps import png

    pixels = np.rint(image * 255).astype(np.uint8)
    return png(np.asarray(cv2.resize(pixels, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)))
