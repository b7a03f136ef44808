"""How often the right class is the best, and among the k best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array, Metric
from paddleprune_classification.config import ClassificationMetric


class TopK(Metric):
    """`acc1` (primary), and `acc<k>` where there are more than k classes; shares of the images, in [0, 1].

    Of equal scores, that of the lower class number counts as the better one. A score that is no number counts
    as better than the right class's, so a model that has diverged is wrong.
    """

    primary = "acc1"

    def __init__(self, config: ClassificationMetric, labels: Sequence[str]) -> None:
        self.ks = (1, config.top_k) if 1 < config.top_k < len(labels) else (1,)
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self.hits = [0 for _ in self.ks]
        self.images = 0

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        """Take in a batch: the first output is the scores [N, classes], the targets are class numbers [N]."""
        rank = _rank(outputs, targets)
        self.hits = [hits + int((rank < k).sum()) for hits, k in zip(self.hits, self.ks, strict=True)]
        self.images += len(rank)

    def sample_scores(self, outputs: tuple[Array, ...], targets: Any) -> Array:
        """1 for each image [N] whose class is the best, else 0."""
        return (_rank(outputs, targets) < 1).astype(np.float64)

    def accumulate(self) -> list[float]:
        """The accuracies over all images since `reset`.

        Raises:
            DataError: there were none.
        """
        if not self.images:
            raise DataError("accuracy over no images is undefined; the evaluation data is empty")
        return [hits / self.images for hits in self.hits]

    def state(self) -> dict[str, Array]:
        """The hits, and of how many images."""
        return {"counts": np.array([*self.hits, self.images], np.int64)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` gave."""
        *self.hits, self.images = state["counts"].tolist()

    def name(self) -> list[str]:
        """`acc1`, `acc<k>`."""
        return [f"acc{k}" for k in self.ks]


def _rank(outputs: tuple[Array, ...], targets: Any) -> Array:
    """How many classes count as better than the right one, for each image [N]."""
    scores, numbers = outputs[0], np.asarray(targets).reshape(-1, 1)
    right = np.take_along_axis(scores, numbers, axis=1)
    ties_before = (scores == right) & (np.arange(scores.shape[1]) < numbers)
    return np.asarray((~(scores <= right) | ties_before).sum(axis=1))
