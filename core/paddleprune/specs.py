"""The data that crosses a hook: frozen pydantic models, no Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from paddleprune.errors import ConfigError, PluginError
from paddleprune.files import user_path

Split = Literal["train", "eval"]
_LONGEST_SIDE = 16_384
"""Pixels of the longest side of an input: more is a slip."""


class Contract(BaseModel):
    """Base of everything that crosses a hook or a file: frozen, and a misspelled field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @field_validator("*", mode="after")
    @classmethod
    def _home(cls, value: Any) -> Any:
        return user_path(value) if isinstance(value, Path) else value


class FamilyOptions(Contract):
    """What a user may choose about a family, whatever it reads. Subclass it, and say what the inputs are."""

    num_classes: int = Field(1000, ge=1, description="number of classes that the model tells apart")

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each input of the model, without the batch axis, such as ((1, 16000),). All are float32.

        Raises:
            PluginError: the family's options don't say.
        """
        raise PluginError(
            f"{type(self).__name__} has no input_shapes(): the options of a family of images are ImageOptions, those "
            "of any other override it"
        )


class ImageOptions(FamilyOptions):
    """What a user may choose about a family that reads one image. Subclass it to add options or change defaults."""

    input_size: tuple[int, int] = Field((224, 224), description="height and width of the input, in pixels")
    input_channels: int = Field(3, ge=1, description="channels of the input image")

    @field_validator("input_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        if isinstance(value, (str, bool, float, dict)):
            raise ValueError(f"must be a number, or a height and a width such as [64, 96], not {value!r}")
        return (value, value) if isinstance(value, int) else value

    @field_validator("input_size")
    @classmethod
    def _positive(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < 1 or max(value) > _LONGEST_SIDE:
            raise ValueError(f"input_size must be positive, and at most {_LONGEST_SIDE}, got {value[0]}x{value[1]}")
        return value

    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """One image, [C, H, W]."""
        return ((self.input_channels, *self.input_size),)


class DatasetConfig(Contract):
    """What a user says about the data of one split. A task's own config adds its fields."""

    transforms: tuple[Any, ...] | None = Field(None, description="preprocessing, in order; the task's default if unset")

    @classmethod
    def from_directory(cls, directory: Path, split: Split) -> DatasetConfig:
        """The config that the folder's conventional layout implies (`--data DIR`).

        Raises:
            DataError: the folder has no layout that the task knows.
        """
        raise ConfigError(f"this task has no conventional folder layout for {directory}; give its dataset's fields")


class TaskInfo(Contract):
    """A task: its name, and the models of what users may configure about it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    dataset: type[DatasetConfig]
    loss: type[Contract] = Contract
    metric: type[Contract] = Contract


class FamilyInfo(Contract):
    """A named architecture of a task, in the model-family registry."""

    task: str
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    description: str
    options: type[FamilyOptions] = ImageOptions


PUBLISHED = r"[A-Z][A-Z0-9_]*"
"""Names of what published weights were trained on, such as IMAGENET."""


class PublishedWeights(Contract):
    """A file of weights that everybody can download."""

    url: str = Field(pattern=r"^https?://\S+/[^/\s]+$")
    md5: str = Field(pattern=r"^[0-9a-f]{32}$")


class Demo(Contract):
    """A recipe that shows a task end to end in minutes on a CPU, on real data that it wrote itself."""

    family: str
    options: dict[str, Any]
    train_dataset: DatasetConfig
    eval_dataset: DatasetConfig
    settings: dict[str, Any] = Field(description="training settings of the dense model")
    retrain_settings: dict[str, Any] = Field(description="settings that differ when the pruned model is retrained")
    flops: float = Field(1 / 3, gt=0, lt=1, description="share of the FLOPs that the pruned model keeps")
    examples: Path | None = Field(None, description="folder of a few samples on which both models are drawn")
