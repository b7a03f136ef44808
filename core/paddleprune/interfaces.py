"""The objects that a task plugin hands to the core: dataset, metric, loss, predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from paddleprune.errors import DataError
from paddleprune.specs import Contract

if TYPE_CHECKING:
    from paddle import Tensor

Array: TypeAlias = NDArray[Any]
Sample: TypeAlias = tuple[tuple[Array, ...], Any]
"""One item of a dataset: the model's inputs (without a batch axis) and the target."""
Batch: TypeAlias = tuple[tuple[Array, ...], Any]
"""Many samples: the model's inputs, each [N, ...], and the targets, as the loss and metric want them."""
Loss: TypeAlias = "Callable[[tuple[Tensor, ...], Any], Tensor]"
"""(the model's outputs, the targets of a batch as tensors) -> a scalar tensor to minimise."""

Reduction: TypeAlias = "Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]"
"""(the model's outputs) -> what is left of them, in Paddle operations that can be traced."""


class Dataset(ABC):
    """The samples of one split.

    Randomness (augmentation) must be a pure function of `self.seed`, `self.epoch` and the index,
    so that a resumed run sees what an uninterrupted one would have seen.
    """

    labels: Sequence[str]
    """The names of the classes, in the order of their numbers."""
    transforms: Sequence[Contract] = ()
    """The preprocessing, resolved; a checkpoint stores that of the evaluation split."""
    seed: int = 0
    epoch: int = 0

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Decode and preprocess one sample. Called from several threads at once.

        Raises:
            DataError: naming the file and the line of the list that named it.
        """

    def label_at(self, index: int) -> int | None:
        """The class of a sample, where it is known without decoding it; None, the default, where there is none.

        Samples that calibrate a repair are drawn evenly from the classes.
        """
        return None

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Called before each pass over the training split."""
        self.seed, self.epoch = seed, epoch

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Samples to a batch; override where targets vary in size."""
        inputs = tuple(np.stack(parts) for parts in zip(*(s[0] for s in samples), strict=True))
        return inputs, np.stack([np.asarray(s[1]) for s in samples])


class Metric(ABC):
    """How good outputs are. The protocol is `paddle.metric.Metric`'s, plus which value decides."""

    primary: str
    """The name, among `name()`, that sensitivity and `best_model` go by."""
    higher_is_better: bool = True

    @abstractmethod
    def reset(self) -> None:
        """Forget everything; called before each pass."""

    @abstractmethod
    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        """Take in the model's outputs for one batch (NumPy) and the batch's targets as `collate` made them."""

    @abstractmethod
    def accumulate(self) -> list[float]:
        """The values over everything since `reset`, in the order of `name()`."""

    @abstractmethod
    def name(self) -> list[str]:
        """The names of the values."""

    def sample_scores(self, outputs: tuple[Array, ...], targets: Any) -> Array | None:
        """A score [N] for each sample of a batch, whose mean over all samples is the primary value.

        From them come the standard errors of a sensitivity table. None, the default, where the primary value is no
        such mean (mAP, mIoU): the errors then come from the values of whole batches, and are coarser.
        """
        return None

    def reduction(self) -> Reduction | None:
        """What makes of outputs all that `update` and `sample_scores` need of them, where that is much smaller.

        A sensitivity sweep computes it inside of the compiled network and hands on its results in the outputs' place:
        of [N, classes, H, W] scores the best class of every pixel, say. Those methods must take either, and find the
        same. None, the default, where they need the outputs themselves.
        """
        return None


class Predictor(ABC):
    """From an image file's pixels to something a person can read."""

    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
    """Of the files that are taken out of a folder."""

    def read(self, file: Path) -> Array:
        """Decode an image file: [H, W, 3], BGR, uint8. Override it where images have other channels.

        Raises:
            DataError: it isn't an image.
        """
        import cv2

        image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR) if file.stat().st_size else None
        if image is None:
            raise DataError(f"{file} can't be decoded as an image")
        return np.asarray(image)

    @abstractmethod
    def prepare(self, image: Array) -> tuple[Array, ...]:
        """An image as `read` gives it to the model's inputs, without a batch axis."""

    @abstractmethod
    def interpret(self, outputs: tuple[Array, ...], image: Array) -> dict[str, Any]:
        """The outputs for one image (no batch axis) to a JSON-able result."""

    @abstractmethod
    def draw(self, image: Array, result: dict[str, Any]) -> Array:
        """The picture of a result: [H, W, 3], BGR, uint8."""
