"""What a user may configure about data, loss and metric."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from paddleprune.errors import DataError
from paddleprune.specs import Contract, Split
from paddleprune.vision.data import ImageData, lists_in
from paddleprune_detection.transform_specs import MixupImage, Transform

_ANNOTATIONS: dict[Split, str] = {"train": "train.json", "eval": "val.json"}
_IMAGES = "JPEGImages"


class DetectionData(ImageData):
    """The images and objects of one split: of VOC by `file_list` and `label_list`, of COCO by `ann_file`.

    VOC: each line of `file_list` is `image annotation.xml`, both relative to `data_dir`; each line of `label_list` is
    the name of a class, number 0 first. COCO: `ann_file` is a JSON file whose images are relative to `data_dir`; its
    categories are the classes, in the order of their ids.
    """

    data_dir: Path
    file_list: Path | None = None
    label_list: Path | None = None
    ann_file: Path | None = None
    transforms: tuple[Transform, ...] | None = Field(None, description="preprocessing, in order")

    @model_validator(mode="after")
    def _one_layout(self) -> DetectionData:
        if self.ann_file is not None and (self.file_list is not None or self.label_list is not None):
            raise ValueError("ann_file is COCO's, file_list and label_list are VOC's: give one kind, not both")
        if self.ann_file is None and (self.file_list is None or self.label_list is None):
            raise ValueError("give file_list and label_list (VOC), or ann_file (COCO)")
        return self

    @model_validator(mode="after")
    def _mixup_first(self) -> DetectionData:
        if any(isinstance(step, MixupImage) for step in (self.transforms or ())[1:]):
            raise ValueError("MixupImage must be the first of the transforms: it blends whole images")
        return self

    @classmethod
    def from_directory(cls, directory: Path, split: Split) -> DetectionData:
        """VOC: `train_list.txt`, `val_list.txt`, `labels.txt`. COCO: `train.json`, `val.json`, images in `JPEGImages`.

        Raises:
            DataError: the folder has neither.
        """
        file_list, label_list = lists_in(directory, split)
        if file_list.is_file() and label_list.is_file():
            return cls(data_dir=directory, file_list=file_list, label_list=label_list)
        ann_file, images = directory / _ANNOTATIONS[split], directory / _IMAGES
        if ann_file.is_file() and images.is_dir():
            return cls(data_dir=images, ann_file=ann_file)
        raise DataError(
            f"{directory} holds no {split} data: expected {file_list.name} and {label_list.name} (VOC layout), "
            f"or {ann_file.name} and a folder {_IMAGES} (COCO layout)"
        )


VOC_OVERLAP = 0.5
"""What VOC asks of a hit."""


class DetectionMetricConfig(Contract):
    """Mean average precision: COCO's, over ten thresholds of overlap, or VOC's, at one."""

    kind: Literal["coco", "voc"] = "coco"
    overlap: float = Field(VOC_OVERLAP, gt=0, le=1, description="voc: least intersection over union of a hit")
    integral: bool = Field(True, description="voc: the area under the whole curve, else its mean at 11 points (2007)")
    difficult: bool = Field(False, description="objects marked as difficult count, too, rather than nowhere")
    sizes: bool = Field(False, description="coco: also of small, medium and large objects alone, by 32x32 and 96x96")


class DetectionLoss(Contract):
    """What all families' losses have in common; the rest is in each one's paper."""

    box: Literal["own", "iou", "giou"] = Field(
        "own", description="how boxes are compared: as in the family's paper, or by that overlap too"
    )
    difficult: bool = Field(False, description="objects marked as difficult are learnt too")
