"""What a user may configure about data, loss and metric."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from paddleprune.errors import DataError
from paddleprune.specs import Contract, Split
from paddleprune.vision.class_weights import DESCRIPTION, ClassWeights
from paddleprune.vision.data import ImageData, lists_in
from paddleprune.vision.lists import sub_folders
from paddleprune_classification.transform_specs import Transform

_FOLDERS: dict[Split, str] = {"train": "train", "eval": "val"}


class ClassificationData(ImageData):
    """The images of one split: named by lists (ImageNet style), or in one folder for each class.

    With lists, each line of `file_list` is `path number`, the path relative to `data_dir`, and each line of
    `label_list` the name of a class, number 0 first. Without, each sub-folder of `data_dir` is a class,
    numbered by name.
    """

    data_dir: Path
    file_list: Path | None = None
    label_list: Path | None = None
    transforms: tuple[Transform, ...] | None = Field(None, description="preprocessing, in order")

    @model_validator(mode="after")
    def _both_lists(self) -> ClassificationData:
        if (self.file_list is None) != (self.label_list is None):
            missing = "label_list" if self.label_list is None else "file_list"
            raise ValueError(f"{missing} is missing: give file_list and label_list, or neither for a folder per class")
        return self

    @classmethod
    def from_directory(cls, directory: Path, split: Split) -> ClassificationData:
        """`train_list.txt`, `val_list.txt` and `labels.txt` in the folder, or a folder per class in `train`, `val`.

        Raises:
            DataError: the folder has neither, or `train` and `val` don't have the same classes.
        """
        file_list, label_list = lists_in(directory, split)
        if file_list.is_file() and label_list.is_file():
            return cls(data_dir=directory, file_list=file_list, label_list=label_list)
        folder = directory / _FOLDERS[split]
        if not folder.is_dir():
            raise DataError(
                f"{directory} holds no {split} images: expected {file_list.name} and {label_list.name} "
                f"(ImageNet layout), or a folder {_FOLDERS[split]} with one folder for each class"
            )
        _same_classes(*(directory / name for name in _FOLDERS.values()))
        return cls(data_dir=folder)


class ClassificationLoss(Contract):
    """Cross entropy."""

    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")
    aux_weight: float = Field(0.3, ge=0, allow_inf_nan=False, description="weight of each auxiliary head's loss")
    class_weights: ClassWeights = Field(None, description=DESCRIPTION)


class ClassificationMetric(Contract):
    """Accuracy."""

    top_k: int = Field(5, ge=1, description="also report whether the class is among this many best")


def _same_classes(train: Path, val: Path) -> None:
    """Numbers of classes come from the folders' names, so one missing in `val` would shift all after it."""
    if not (train.is_dir() and val.is_dir()):
        return
    names = [{entry.name for entry in sub_folders(folder)} for folder in (train, val)]
    different = sorted(names[0] ^ names[1])
    if different:
        lacking = val if different[0] in names[0] else train
        raise DataError(f"class {different[0]!r} has no folder in {lacking}; train and val need the same classes")
