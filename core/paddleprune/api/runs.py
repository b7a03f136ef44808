"""What a command may be told: by flags of these names, or by a YAML or JSON run file with these fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from paddleprune.amounts import Device
from paddleprune.settings import (
    DEPTH,
    GROUPS_HELP,
    ORDER_HELP,
    RECIPE,
    ROUNDS,
    RUNTIMES,
    AnalyzeSettings,
    Budget,
    FrontSettings,
    OrderName,
    PruneSettings,
    QuantizeSettings,
    RecipeName,
    RuntimeName,
    TrainSettings,
)
from paddleprune.specs import Contract

_DATASET = "the fields of the task's dataset (run file), or a folder; instead of `data`"


class _DataRun(Contract):
    data: Path | None = Field(None, description="folder with the data, in the task's conventional layout")
    eval_dataset: Path | dict[str, Any] | None = Field(None, description=f"evaluation data: {_DATASET}")

    def eval_data(self) -> Any:
        """What evaluates: `eval_dataset`, or `data`."""
        return self.data if self.eval_dataset is None else self.eval_dataset


class _SampledRun(_DataRun):
    """What reads training samples, too; each says what for."""

    train_dataset: Path | dict[str, Any] | None = None

    def train_data(self) -> Any:
        """What training samples are drawn from: `train_dataset`, or `data`."""
        return self.data if self.train_dataset is None else self.train_dataset


class _ModelRun(_SampledRun, Budget):
    model: str | None = Field(None, description="a family of the task; `paddleprune families TASK` lists them")
    options: dict[str, Any] = Field(default_factory=dict, description="options of the family, as name=value")
    train_dataset: Path | dict[str, Any] | None = Field(None, description=f"training data: {_DATASET}")
    save_dir: Path = Field(Path("output"), description="folder for best_model, epoch_N and plan.json")
    pretrain_weights: Path | None = Field(None, description="checkpoint folder to start from, or IMAGENET")
    teacher: Path | None = Field(None, description="checkpoint folder of a model to learn from, beside the labels")
    sensitivities_file: Path | None = Field(
        None, description="table of pretrain_weights: prune with it, then train; eval_metric_loss is 0.05 if unset"
    )
    rounds: int = Field(1, ge=1, description=ROUNDS)
    recipe: RecipeName | None = Field(None, description=RECIPE)
    repair: bool = Field(True, description="repair the cut network before training goes on from it")
    criterion: OrderName | None = Field(None, description=f"{ORDER_HELP} [default: obs]")
    round_to: int = Field(
        1, ge=1, description="channels of every pruned convolution stay a multiple of this (oneDNN's blocks: 8, 16)"
    )
    depth: bool = Field(False, description=DEPTH)
    exclude: tuple[str, ...] = Field((), description=f"groups that pruning leaves whole: {GROUPS_HELP}")
    only: tuple[str, ...] = Field((), description="groups that may be pruned, if not all: likewise")
    resume_checkpoint: Path | None = Field(None, description="epoch_N folder of an earlier run, to continue exactly")
    overwrite: bool = Field(False, description="remove an earlier run in save_dir, and start again")
    loss: dict[str, Any] = Field(default_factory=dict, description="options of the task's loss, as name=value")
    metric: dict[str, Any] = Field(default_factory=dict, description="options of the task's metric, as name=value")


class TrainRun(TrainSettings, _ModelRun):
    """`paddleprune train`."""


class AnalyzeRun(AnalyzeSettings, _SampledRun):
    """`paddleprune analyze`."""

    train_dataset: Path | dict[str, Any] | None = Field(
        None, description=f"what taylor and obd draw labelled samples from: {_DATASET}"
    )
    save_file: Path = Field(Path("sensitivities.json"), description="the table: goes on where the file stops")


class _CutRun(_SampledRun):
    train_dataset: Path | dict[str, Any] | None = Field(
        None, description=f"what the samples of the repair, taylor and obd are drawn from: {_DATASET}"
    )
    calibration: Path | dict[str, Any] | None = Field(
        None, description="other samples for the repair: a folder, or the fields of the task's dataset"
    )
    sensitivities_file: Path | None = Field(
        None, description="table of the checkpoint: its losses say how much of each group goes"
    )
    exclude: tuple[str, ...] = Field((), description=f"groups that pruning leaves whole: {GROUPS_HELP}")
    only: tuple[str, ...] = Field((), description="groups that may be pruned, if not all: likewise")


class PruneRun(PruneSettings, _CutRun):
    """`paddleprune prune`."""

    save_dir: Path = Field(Path("output/pruned"), description="folder for best_model and plan.json")
    overwrite: bool = Field(False, description="replace a model that save_dir holds")


class FrontRun(FrontSettings, _CutRun):
    """`paddleprune front`."""

    save_dir: Path = Field(Path("output/front"), description="folder for front.png, front.json and the plans")


class QuantizeRun(QuantizeSettings, _SampledRun):
    """`paddleprune quantize`."""

    train_dataset: Path | dict[str, Any] | None = Field(
        None, description=f"what the samples for the ranges are drawn from: {_DATASET}"
    )
    calibration: Path | dict[str, Any] | None = Field(
        None, description="other samples for the ranges: a folder, or the fields of the task's dataset"
    )
    save_dir: Path = Field(Path("output/int8"), description="folder for model.onnx and quantized.json")


class EvaluateRun(_DataRun):
    """`paddleprune evaluate`."""

    batch_size: int = Field(64, ge=1, description="samples a forward pass")
    device: Device = Field("auto", description="auto, cpu, gpu or gpu:N")


class LatencyRun(Contract):
    """`paddleprune latency`."""

    runtime: tuple[Literal[RuntimeName, "all"], ...] = Field(
        ("all",), min_length=1, description=f"what runs the model: {', '.join(RUNTIMES)}, or all that are installed"
    )
    threads: tuple[int, ...] = Field((), description="CPU threads, several of which are tried; 1 and all if unset")
    batch: tuple[int, ...] = Field((1,), min_length=1, description="samples a run, several of which are tried")


class CompareRun(_DataRun):
    """`paddleprune compare`."""

    save_dir: Path = Field(Path("output/comparison"), description="folder for comparison.json and comparison.md")
    metric: dict[str, Any] = Field(default_factory=dict, description="options of the metric for all, as name=value")
    batch_size: int = Field(64, ge=1, description="samples a forward pass, for the metric")
    runtime: tuple[Literal[RuntimeName, "all"], ...] = Field(
        ("paddle",), min_length=1, description=f"what runs the models for the latency: {', '.join(RUNTIMES)}, or all"
    )
    threads: int | None = Field(None, ge=1, description="CPU threads for the latency; all cores if unset")
    device: Device = Field("auto", description="what evaluates the metric: auto, cpu, gpu or gpu:N")
