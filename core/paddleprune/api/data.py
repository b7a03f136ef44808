"""From what a user says about data to an open dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from paddleprune.errors import ConfigError, DataError
from paddleprune.files import user_path
from paddleprune.interfaces import Dataset
from paddleprune.registry import Registry
from paddleprune.specs import DatasetConfig, FamilyOptions, Split

Data: TypeAlias = "str | Path | Mapping[str, Any] | DatasetConfig | Dataset"
"""A folder in the task's conventional layout, the fields of the task's dataset, or an open dataset."""


def open_dataset(
    registry: Registry,
    task: str,
    data: Data,
    split: Split,
    options: FamilyOptions,
    transforms: Sequence[Mapping[str, Any]] = (),
) -> Dataset:
    """Open the data of a split.

    Args:
        registry: knows the task.
        task: whose data it is.
        data: what the user said.
        split: "train" or "eval".
        options: of the family that the data is for.
        transforms: the preprocessing that a checkpoint asks for, unless the user chose another.

    Raises:
        ConfigError, DataError: naming the field, file or line.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (str, Path)):
        config = registry.task(task).dataset.from_directory(_folder(data), split)
    elif isinstance(data, DatasetConfig):
        config = data
    elif isinstance(data, Mapping):
        config = registry.dataset_config(task, data)
    else:
        raise ConfigError(
            f"the {split} dataset must be a folder, the fields of a {task} dataset or a Dataset, "
            f"got {type(data).__name__}"
        )
    if transforms and config.transforms is None:
        config = registry.dataset_config(task, {**config.model_dump(exclude_unset=True), "transforms": transforms})
    return registry.build_dataset(task, config, split, options)


def _folder(data: str | Path) -> Path:
    """A folder with data.

    Raises:
        DataError: it isn't there, or is a file.
    """
    place = user_path(data)
    if not place.exists():
        raise DataError(f"{place} does not exist; give the folder with the data")
    if not place.is_dir():
        raise DataError(f"{place} is a file; give the folder with the data")
    return place
