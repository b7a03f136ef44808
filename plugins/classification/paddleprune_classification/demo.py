"""Real data that needs no download: scikit-learn's 1797 handwritten digits, as PNG files in ImageNet layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddleprune.files import write_bytes
from paddleprune.interfaces import Array
from paddleprune.specs import Demo
from paddleprune.vision.data import write_lists
from paddleprune.vision.specs import RandomCrop, Resize
from paddleprune_classification.config import ClassificationData
from paddleprune_classification.transform_specs import Normalize

_SIZE = 64
_EVERY = 5
"""One digit in so many, of each class, is for evaluation."""
_NORMALIZE = Normalize(mean=(0.5,), std=(0.5,))
_CROP = RandomCrop(crop_size=_SIZE, lower_scale=0.9, lower_ratio=0.9, upper_ratio=1.1)
_TRAIN = {"transforms": (_CROP, _NORMALIZE)}
_EVAL = {"transforms": (Resize(target_size=_SIZE), _NORMALIZE)}


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
        train_dataset=ClassificationData.from_directory(directory, "train").model_copy(update=_TRAIN),
        eval_dataset=ClassificationData.from_directory(directory, "eval").model_copy(update=_EVAL),
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
            lists["val" if position % _EVERY == 0 else "train"].append(f"{name} {number}")
    write_lists(directory, lists, [str(number) for number in np.unique(labels)])


def _png(image: Array) -> bytes:
    import cv2

    from paddleprune.vision.scraps import png

    pixels = np.rint(image * 255).astype(np.uint8)
    return png(np.asarray(cv2.resize(pixels, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)))
