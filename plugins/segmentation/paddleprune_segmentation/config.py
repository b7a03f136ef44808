"""What a user may configure about data and loss."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field, model_validator

from paddleprune.errors import DataError
from paddleprune.specs import Contract, Split
from paddleprune.vision.class_weights import DESCRIPTION, ClassWeights
from paddleprune.vision.data import ImageData, lists_in
from paddleprune_segmentation.transform_specs import Transform

Weight: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SegmentationData(ImageData):
    """The images and masks of one split.

    Each line of `file_list` is `image mask`, both relative to `data_dir`; each line of `label_list` is the name of
    a class, number 0 first. A mask is an 8-bit image with one channel or a palette: the class of every pixel, 255 to
    ignore it.
    """

    data_dir: Path
    file_list: Path
    label_list: Path
    transforms: tuple[Transform, ...] | None = Field(None, description="preprocessing, in order")

    @classmethod
    def from_directory(cls, directory: Path, split: Split) -> SegmentationData:
        """`train_list.txt`, `val_list.txt` and `labels.txt` in the folder.

        Raises:
            DataError: one of them is missing.
        """
        file_list, label_list = lists_in(directory, split)
        for file, holds in ((file_list, "`image mask` in each line"), (label_list, "a class name in each line")):
            if not file.is_file():
                raise DataError(f"{directory} holds no {split} data: it needs {file.name}, with {holds}")
        return cls(data_dir=directory, file_list=file_list, label_list=label_list)


class SegmentationLoss(Contract):
    """A weighted sum of losses over the pixels that aren't ignored."""

    cross_entropy: Weight = Field(1.0, description="weight of the cross entropy")
    dice: Weight = Field(0.0, description="weight of the Dice loss, the mean over the classes")
    bootstrapped: Weight = Field(0.0, description="weight of the cross entropy over the hardest pixels alone")
    hardest: float = Field(0.25, gt=0, le=1, description="bootstrapped: share of the batch's pixels that counts")
    aux_weight: Weight = Field(0.4, description="weight of each auxiliary head's loss")
    class_weights: ClassWeights = Field(None, description=f"of both cross entropies: {DESCRIPTION}")

    @model_validator(mode="after")
    def _something(self) -> SegmentationLoss:
        if not self.cross_entropy + self.dice + self.bootstrapped:
            raise ValueError("cross_entropy, dice and bootstrapped are all 0, so that there is nothing to minimise")
        return self
