"""The objects that a task plugin hands to the core: dataset, metric, loss, predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from paddleprune.errors import DataError, PaddlePruneError
from paddleprune.files import unreadable
from paddleprune.specs import Contract

if TYPE_CHECKING:
    from paddle import Tensor, nn

Array: TypeAlias = NDArray[Any]
Sample: TypeAlias = tuple[tuple[Array, ...], Any]
"""One item of a dataset: the model's inputs (without a batch axis) and the target."""
Batch: TypeAlias = tuple[tuple[Array, ...], Any]
"""Many samples: the model's inputs, each [N, ...], and the targets, as the loss and metric want them."""
Loss: TypeAlias = "Callable[[tuple[Tensor, ...], Any], Tensor]"
"""(the model's outputs, the targets of a batch as tensors) -> a scalar tensor to minimise."""

Scorer: TypeAlias = Callable[[str, Array], Array]
"""An own criterion: (structured name of a weight, its filters [filters, weights a filter]) -> a score [filters].

A filter with a higher score matters more. Tables and plans call the criterion by the function's name.
"""
Distillation: TypeAlias = "Callable[[tuple[Tensor, ...], tuple[Tensor, ...]], Tensor]"
"""(the model's outputs, a teacher's for the same inputs) -> a scalar tensor to minimise."""
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

    def number_by(self, labels: Sequence[str], whose: str) -> None:  # noqa: B027 (there is nothing to do by default)
        """Number the classes as another split or a model does; called before samples are read.

        By default they keep their numbers, and other labels are an error. Override it where annotations know
        classes by name, so that the order of a file doesn't matter.

        Args:
            labels: names of classes, in the order of their numbers.
            whose: who numbers them so, for the message.

        Raises:
            DataError: naming the file and the classes that differ.
        """

    def targets(self) -> Iterator[Any]:
        """The target of every sample, in order. Override it where that takes no decoding of inputs."""
        return (self[index][1] for index in range(len(self)))

    def listing(self) -> str:
        """What names the samples, such as a hash of a list: with some decoded ones it tells large data apart.

        Called where there are too many samples to decode them all; nothing unless overridden.
        """
        return ""

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Called before each pass over the training split."""
        self.seed, self.epoch = seed, epoch

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Samples to a batch; override where targets vary in size."""
        inputs = tuple(np.stack(parts) for parts in zip(*(s[0] for s in samples), strict=True))
        return inputs, np.stack([np.asarray(s[1]) for s in samples])


def read_sample(dataset: Dataset, index: int) -> Sample:
    """A sample of a dataset.

    Raises:
        DataError: as the dataset says; or naming the sample, where it fails in a way that isn't meant for the user.
    """
    try:
        return dataset[index]
    except PaddlePruneError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or "no message"
        name = type(dataset).__name__
        raise DataError(f"sample {index} of {name} can't be read: {type(error).__name__}: {said}") from error


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

    def state(self) -> dict[str, Array] | None:
        """All that was taken in since `reset`, as arrays that `restore` understands.

        A sweep keeps them on disk, so that a stop in the middle costs seconds. None, the default, where the metric
        can't be kept: the entries that are being measured then begin anew.
        """
        return None

    def restore(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` gave, in another process perhaps; needed where that isn't None."""
        raise NotImplementedError(f"{type(self).__name__} has a state, but no restore")


class Predictor(ABC):
    """From a file, such as an image, to something a person can read.

    What `read` gives, an image for most tasks, is what the other methods get. Where it is something else (a
    recording, a row of numbers), override `read` and `suffixes`.
    """

    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
    """Of the files that are taken out of a folder."""

    def read(self, file: Path) -> Array:
        """Decode a file: an image [H, W, 3], BGR, uint8, unless overridden.

        Raises:
            DataError: it can't be read, or isn't an image.
        """
        import cv2

        try:
            content = np.fromfile(file, np.uint8)
        except OSError as error:
            raise DataError(unreadable(file, error)) from error
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
        if image is None:
            raise DataError(f"{file} can't be decoded as an image")
        return np.asarray(image)

    @abstractmethod
    def prepare(self, image: Array) -> tuple[Array, ...]:
        """What `read` gives to the model's inputs, without a batch axis."""

    @abstractmethod
    def interpret(self, outputs: tuple[Array, ...], image: Array) -> dict[str, Any]:
        """The outputs for one file (no batch axis) to a JSON-able result."""

    def draw(self, image: Array, result: dict[str, Any]) -> Array | None:
        """The picture of a result: [H, W, 3], BGR, uint8; none unless overridden."""
        return None


@dataclass(frozen=True)
class BoxModel:
    """A detector that says its boxes, for `export --with-nms`.

    Attributes:
        layer: the network's inputs -> boxes [N, K, 4], in pixels of the input, and their scores [N, classes, K].
        suppression: a `paddleprune.vision.suppression.Suppression`, which leaves the best of boxes that overlap.
    """

    layer: nn.Layer
    suppression: nn.Layer


@dataclass(frozen=True)
class PaddleXModel:
    """A network as PaddleX 3 wants it: what it reads and gives, and what `inference.yml` says.

    Attributes:
        config: what `inference.yml` says: PaddleX's name of the model, preprocessing, names of classes.
        layer: the network between what PaddleX feeds and what it reads, but for the last step.
        inputs: name -> shape, without the batch axis, of each argument of the layer; None is any size. All are float32.
        feeds: a batch of the network's own inputs -> batches of the layer's, on which the file is proved.
        choose: the last step, if it chooses by comparing numbers: the best class of a pixel, the best of boxes that
            overlap. It gets what the layer gives. Of two numbers that rounding makes equal either may be the larger,
            so that its results can't be compared with the network's; it is proved on the numbers of the file itself.
    """

    config: Mapping[str, Any]
    layer: nn.Layer
    inputs: Mapping[str, tuple[int | None, ...]]
    feeds: Callable[[tuple[Array, ...]], Sequence[tuple[Array, ...]]]
    choose: nn.Layer | None = None
