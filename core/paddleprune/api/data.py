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
    config = _config(registry, task, data, split)
    if transforms and config.transforms is None:
        config = _with_transforms(registry, task, config, transforms)
    return registry.build_dataset(task, config, split, options)


def open_plain(
    registry: Registry, task: str, data: Data, options: FamilyOptions, transforms: Sequence[Mapping[str, Any]]
) -> Dataset:
    """Open training data without its augmentation: preprocessed as a checkpoint's evaluation is.

    Args and errors are those of `open_dataset`; an open dataset is taken as it is.
    """
    if isinstance(data, Dataset):
        return data
    config = _with_transforms(registry, task, _config(registry, task, data, "train"), transforms)
    return registry.build_dataset(task, config, "eval", options)


def _with_transforms(
    registry: Registry, task: str, config: DatasetConfig, transforms: Sequence[Mapping[str, Any]]
) -> DatasetConfig:
    return registry.dataset_config(
        task, {**config.model_dump(exclude_unset=True), "transforms": transforms if transforms else None}
    )


def _config(registry: Registry, task: str, data: Data, split: Split) -> DatasetConfig:
    if isinstance(data, (str, Path)):
        return registry.task(task).dataset.from_directory(_folder(data), split)
    if isinstance(data, DatasetConfig):
        return data
    if isinstance(data, Mapping):
        return registry.dataset_config(task, data)
    raise ConfigError(
        f"the {split} dataset must be a folder, the fields of a {task} dataset or a Dataset, got {type(data).__name__}"
    )


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
