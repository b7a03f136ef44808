"""What loss and metric get of the objects of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from paddleprune.interfaces import Array
from paddleprune.vision.frame import Frame
from paddleprune.vision.objects import Objects

PADDING = -1
"""The class of the rows that make the images of a batch equally long."""
Target: TypeAlias = tuple[Objects, Frame, int]
"""The objects of a sample, how its input lies in the original image, and its index in the dataset."""


def collate_targets(targets: Sequence[Target]) -> dict[str, Array]:
    """Targets of N samples as arrays that are padded to the same number of objects M, at least 1.

    Returns:
        `boxes` [N, M, 4] float32, `classes` [N, M] int64 (`PADDING` where there is no object), `difficult` and
        `crowd` [N, M] bool, `weights` [N, M] float32; `scale`, `offset` [N, 2] float64 and `size` [N, 2] int64 as in
        `Frame`; `image` [N] int64, the indices in the dataset.
    """
    count, most = len(targets), max(1, *(len(objects.classes) for objects, _, _ in targets))
    batch: dict[str, Array] = {
        "boxes": np.zeros((count, most, 4), np.float32),
        "classes": np.full((count, most), PADDING, np.int64),
        "difficult": np.zeros((count, most), np.bool_),
        "crowd": np.zeros((count, most), np.bool_),
        "weights": np.zeros((count, most), np.float32),
    }
    for row, (objects, _, _) in enumerate(targets):
        for name, part in objects._asdict().items():
            batch[name][row, : len(part)] = part
    for name in Frame._fields:
        batch[name] = np.stack([getattr(frame, name) for _, frame, _ in targets])
    batch["image"] = np.array([index for _, _, index in targets], np.int64)
    return batch
