"""What the configurations of data of images share, and the layout of files that `--data` takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import model_validator

from paddleprune.files import write_text
from paddleprune.specs import DatasetConfig, Split
from paddleprune.vision.specs import Normalize

LABELS = "labels.txt"
LISTS: dict[Split, str] = {"train": "train_list.txt", "eval": "val_list.txt"}


class ImageData(DatasetConfig):
    """Base of the configurations of images: those of a task subclass it, and name the steps in `transforms`."""

    @model_validator(mode="after")
    def _normalize_last(self) -> ImageData:
        if any(isinstance(step, Normalize) for step in (self.transforms or ())[:-1]):
            raise ValueError("Normalize must be the last of the transforms: the others work on the image's own pixels")
        return self


def lists_in(directory: Path, split: Split) -> tuple[Path, Path]:
    """The list of a split's files, and that of the classes, in the folder that `--data` names."""
    return directory / LISTS[split], directory / LABELS


def write_lists(directory: Path, lines: Mapping[str, Iterable[str]], labels: Sequence[object]) -> None:
    """Those files: of each split, `train` and `val`, a line a sample, and the names of the classes.

    Raises:
        SaveError: a file can't be written.
    """
    for split, said in {**{f"{split}_list": said for split, said in lines.items()}, "labels": map(str, labels)}.items():
        write_text(directory / f"{split}.txt", "".join(f"{line}\n" for line in said))
