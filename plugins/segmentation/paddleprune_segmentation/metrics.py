"""How far the predicted regions are the true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paddleprune.errors import DataError
from paddleprune.interfaces import Array, Metric, Reduction
from paddleprune.vision.values import IGNORED

if TYPE_CHECKING:
    from paddle import Tensor


class Overlap(Metric):
    """`miou` (primary), `acc`, `kappa` and `iou_<class>`, all from one confusion matrix over all pixels.

    A class's intersection over union is that of its true and predicted pixels; `miou` is the mean over the classes
    that occur in either. A class that occurs in neither has 1: nothing of it is wrong. `acc` is the share of right
    pixels, `kappa` Cohen's: 0 as good as chance, 1 perfect. Ignored pixels (255) count nowhere. Where a score is no
    number the pixel has no predicted class, so a model that has diverged is wrong.
    """

    primary = "miou"

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.reset()

    def reset(self) -> None:
        """Forget all pixels."""
        self.confusion = np.zeros((len(self.labels), len(self.labels) + 1), np.int64)
        """[true class, predicted class]: pixels; the last column is that of no class."""

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        """Take in a batch: the first output is the scores [N, classes, H, W], or the class [N, H, W] that has the
        highest, as the reduction gives it; the targets are classes [N, H, W]."""
        said, there = outputs[0], np.asarray(targets)
        if said.ndim == 4:
            said = predicted(said, none=len(self.labels))
        counted = there != IGNORED
        rows, columns = self.confusion.shape
        pairs = there[counted].astype(np.int64) * columns + said[counted]
        self.confusion += np.bincount(pairs, minlength=rows * columns).reshape(rows, columns)

    def reduction(self) -> Reduction:
        """The class of every pixel, [N, H, W], uint8: a byte for what were four a class."""
        none = len(self.labels)

        def best(outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            import paddle

            scores = outputs[0].transpose([0, 2, 3, 1])  # along the last axis both take a fraction of the time
            said, broken = paddle.argmax(scores, axis=-1, dtype="int32"), paddle.isnan(scores.sum(axis=-1))
            return (paddle.where(broken, paddle.full_like(said, none), said).astype("uint8"),)

        return best

    def accumulate(self) -> list[float]:
        """The values over all pixels since `reset`.

        Raises:
            DataError: there were none.
        """
        pixels = int(self.confusion.sum())
        if not pixels:
            raise DataError("mean IoU over no pixels is undefined; the evaluation data is empty, or ignored throughout")
        right = np.diag(self.confusion)
        there, said = self.confusion.sum(1), self.confusion.sum(0)[:-1]
        union = there + said - right
        ious = np.where(union > 0, right / np.maximum(union, 1), 1.0)
        accuracy, chance = right.sum() / pixels, float(there @ said) / pixels**2
        kappa = (accuracy - chance) / (1 - chance) if chance < 1 else 1.0
        return [float(value) for value in (ious[union > 0].mean(), accuracy, kappa, *ious)]

    def state(self) -> dict[str, Array]:
        """The confusion matrix."""
        return {"confusion": self.confusion}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` gave."""
        self.confusion = np.array(state["confusion"])

    def name(self) -> list[str]:
        """`miou`, `acc`, `kappa`, `iou_<class>`."""
        return ["miou", "acc", "kappa", *(f"iou_{label}" for label in self.labels)]


def predicted(scores: Array, none: int) -> Array:
    """The class with the highest score: [N, classes, H, W] -> [N, H, W]; of equals the first.

    Where the scores have no sum (one is no number, or there are infinities of both signs), it is `none`.

    One pass over the classes: NumPy's argmax along an axis that isn't the last takes several times as long.
    """
    best, said = scores[:, 0].copy(), np.zeros(scores[:, 0].shape, np.int64)
    for number in range(1, scores.shape[1]):
        better = scores[:, number] > best
        np.copyto(best, scores[:, number], where=better)
        said[better] = number
    with np.errstate(invalid="ignore"):
        if np.isnan(scores.sum()):
            said[np.isnan(scores.sum(axis=1))] = none
    return said
