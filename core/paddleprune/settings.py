"""What a user may choose about training and analysis. Imports no Paddle, so that `--help` is instant."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AfterValidator, ByteSize, Field, field_validator, model_validator

from paddleprune.amounts import AMOUNT, MOMENT, Amount, Device, Moment, Ratio, Seconds, Shard, Share, Tolerance
from paddleprune.specs import Contract

Criterion: TypeAlias = Literal["l1", "l2", "fpgm", "bn_scale", "lamp", "taylor", "obd"]
"""What ranks the units of a group."""
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
FilterCriterion: TypeAlias = Literal["l1", "l2", "fpgm"]
"""Those of them that look at each filter alone, or at a layer's filters; PaddleSlim has them, too."""
FILTER_CRITERIA: tuple[FilterCriterion, ...] = get_args(FilterCriterion)
DataCriterion: TypeAlias = Literal["taylor", "obd"]
"""Those of them that need labelled samples and the training loss."""
DATA_CRITERIA: tuple[DataCriterion, ...] = get_args(DataCriterion)
GLOBAL_CRITERIA: tuple[Criterion, ...] = ("lamp", *DATA_CRITERIA)
"""Those of them whose scores can be compared across groups."""
EngineName: TypeAlias = Literal["native", "paddleslim"]
"""What finds a network's groups and removes their units."""
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The shares of a group's units that a sweep removes, unless the user says otherwise."""

ORDERS: tuple[str, ...] = ("obs", *CRITERIA)
"""What puts units in order where no table does: Optimal Brain Surgeon, or a criterion."""

CostName: TypeAlias = Literal["flops", "params", "latency"]
"""What a network costs: FLOPs and parameters, and milliseconds of one image on this CPU."""

RuntimeName: TypeAlias = Literal["paddle", "onnxruntime", "openvino"]
"""What runs a model where its latency counts: Paddle Inference, ONNX Runtime or OpenVINO."""
RUNTIMES: tuple[RuntimeName, ...] = get_args(RuntimeName)

ExportFormat: TypeAlias = Literal["paddle", "onnx", "paddlex", "lite"]
"""What a checkpoint is exported as: for Paddle Inference, as ONNX, or as a model folder of PaddleX 3."""
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)

ExecutorName: TypeAlias = Literal["processes", "ray"]
"""What measures a table's groups: processes on this machine, or actors of a Ray cluster."""

Estimate: TypeAlias = Literal["taylor"]
"""What foretells a table instead of measuring it."""


def _named(value: str, names: tuple[str, ...]) -> str:
    if value not in names and not re.fullmatch(r"[\w.]+:\w+", value):
        raise ValueError(f"must be {', '.join(names)} or package.module:function, not {value!r}")
    return value


CriterionName: TypeAlias = Annotated[str, AfterValidator(lambda value: _named(value, CRITERIA))]
"""A criterion, or where a function of the user's own is: `package.module:function`."""
OrderName: TypeAlias = Annotated[str, AfterValidator(lambda value: _named(value, ORDERS))]
"""The same of orders."""


GROUPS_HELP = "names, globs such as 'features.0.*', or the type of the layers that make them, such as type:Linear"


class AnalyzeSettings(Contract):
    """Which entries of a table are measured, and with what."""

    criterion: CriterionName = Field(
        "l1",
        description=f"which units go first: {', '.join(CRITERIA)}, or a function of yours, package.module:function",
    )
    engine: EngineName = Field("native", description=f"what finds and removes the groups: {', '.join(ENGINES)}")
    ratios: tuple[Ratio, ...] = Field(RATIOS, description="shares of a group's units to remove")
    exclude: tuple[str, ...] = Field((), description=f"groups to leave out: {GROUPS_HELP}")
    tolerance: tuple[Tolerance, ...] = Field(
        (), description="measure only what plans for these metric losses need; all entries if unset"
    )
    until_loss: Tolerance | None = Field(None, description="measure only what plans for losses up to this one need")
    time_budget: Seconds | None = Field(
        None, description="measure what can be measured in this time, such as 90s, 10m or 2h"
    )
    samples: int | None = Field(
        None,
        ge=1,
        description="samples to measure on, drawn at random; all if unset, "
        "but 5000 where tolerance, until_loss or time_budget is given",
    )
    estimate: Estimate | None = Field(None, description="taylor: estimate the table from one backward pass instead")
    workers: int = Field(1, ge=1, description="processes that measure at once, sharing threads and memory")
    executor: ExecutorName = Field("processes", description="where they are: processes here, or a ray cluster's actors")
    address: str | None = Field(None, description="of the ray cluster, such as auto; one on this machine if unset")
    shard: Shard | None = Field(
        None, description="measure only every eighth group, for 1/8 to 8/8; `paddleprune merge` joins the files"
    )
    memory: ByteSize | None = Field(None, description="decoded samples to keep, such as 2GB; a quarter of what is free")
    batch_size: int = Field(64, ge=1, description="samples a forward pass, at most; changes the speed, not the result")
    device: Device = Field("auto", description="auto, cpu, gpu or gpu:N")

    @model_validator(mode="after")
    def _measured_there(self) -> AnalyzeSettings:
        if self.address is not None and self.executor != "ray":
            raise ValueError('`address` is that of a Ray cluster: give executor="ray" with it')
        if self.executor == "ray" and self.estimate is not None:
            raise ValueError('an estimate takes one pass, in this process: leave executor="ray" out')
        return self


USUAL_TOLERANCE = 0.05
"""What each group alone may lose, where a table is given and nothing is said."""
REPAIRED_RATE = 0.5
"""What the usual learning rate is multiplied by where training goes on from a repaired network."""


ORDER_HELP = (
    "without a table, which units go first: obs (what a repair can do without); per cost saved: taylor, obd, lamp; at "
    "one ratio for all groups: l1, l2, fpgm, bn_scale, or a function of yours, package.module:function"
)


class RepairSettings(Contract):
    """How what a cut left is repaired."""

    samples: int = Field(256, ge=1, description="samples that the repair is made from; their labels have no part in it")
    ridge: float = Field(
        1e-2, gt=0, allow_inf_nan=False, description="how strongly the repair keeps to the weights that the cut left"
    )
    memory: ByteSize | None = Field(None, description="memory for the repair, such as 2GB; a quarter of what is free")


class TimingSettings(Contract):
    """How a network is run where its latency counts."""

    runtime: RuntimeName = Field("paddle", description=f"what runs it for the latency: {', '.join(RUNTIMES)}")
    threads: int | None = Field(None, ge=1, description="CPU threads for the latency; all cores if unset")
    onednn: bool = Field(True, description="whether the latency is that with oneDNN")

    @model_validator(mode="after")
    def _can_be_off(self) -> TimingSettings:
        if not self.onednn and self.runtime != "paddle":
            raise ValueError(f"oneDNN can be off in paddle alone, not in {self.runtime}: leave one of the two out")
        return self


class Budget(TimingSettings):
    """What a pruned model may cost, and lose: every limit that is given is met, or the request refused."""

    flops: Amount | None = Field(None, description=f"FLOPs of the pruned model: {AMOUNT}")
    params: Amount | None = Field(None, description=f"its parameters: {AMOUNT}")
    latency: Moment | None = Field(None, description=f"time of one sample on this CPU, measured: {MOMENT}")
    max_loss: Tolerance | None = Field(
        None, description="share of the metric that the cut and repaired model may lose, measured"
    )
    eval_metric_loss: Tolerance | None = Field(
        None, description="with a table, instead: share of the metric that each group alone may lose"
    )
    save: CostName = Field("flops", description="with max_loss alone, what to save: flops, params or latency")

    @property
    def limits(self) -> dict[CostName, float | str]:
        """The limits of costs that are given: shares up to 1, or numbers; a time as `8ms`."""
        given: dict[CostName, float | str | None] = {
            "flops": self.flops,
            "params": self.params,
            "latency": self.latency,
        }
        return {name: limit for name, limit in given.items() if limit is not None}

    @property
    def given(self) -> dict[str, float | str]:
        """Every limit that is given."""
        names = ("flops", "params", "latency", "max_loss", "eval_metric_loss")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def tolerance(self) -> float:
        """What each group alone may lose where a table decides: the usual share, if none is given."""
        return USUAL_TOLERANCE if self.eval_metric_loss is None else self.eval_metric_loss

    @property
    def timed(self) -> bool:
        """Does latency count?"""
        return self.latency is not None or self.save == "latency"

    @model_validator(mode="after")
    def _one_kind(self) -> Budget:
        others = [name for name in self.given if name != "eval_metric_loss"]
        if self.eval_metric_loss is not None and others:
            raise ValueError(f"eval_metric_loss decides by itself what goes: leave it out, or {others[0]}")
        return self


DEPTH = "whole residual branches may go, too, so that a block becomes its shortcut"
"""What `depth` does."""


class CutSettings(RepairSettings):
    """What goes first, and how what is left is repaired and measured."""

    criterion: OrderName = Field("obs", description=ORDER_HELP)
    round_to: int = Field(
        1, ge=1, description="channels of every pruned convolution stay a multiple of this (oneDNN's blocks: 8, 16)"
    )
    depth: bool = Field(False, description=DEPTH)
    batch_size: int = Field(64, ge=1, description="samples a forward pass of the evaluation")
    device: Device = Field("auto", description="auto, cpu, gpu or gpu:N")

    @model_validator(mode="after")
    def _samples_choose(self) -> CutSettings:
        if self.depth and self.criterion != "obs":
            raise ValueError(
                f"depth chooses branches by samples, not by {self.criterion}: leave criterion out, or depth"
            )
        return self


class PruneSettings(CutSettings, Budget):
    """How much is cut at once, and how it is repaired."""


ROUNDS = "with flops or params: cut and retrain so many times, a step further each time; the epochs are shared out"
"""What `rounds` does."""


RecipeName: TypeAlias = Literal["fast", "best"]
"""How a cut model is retrained, where that is left to this project."""
RECIPE = "from pretrain_weights, cut or to be cut: how to retrain, as far as nothing else is said: fast or best"
"""What `recipe` does."""


class RetrainSettings(PruneSettings):
    """How much is cut before training, and in how many rounds."""

    rounds: int = Field(1, ge=1, description=ROUNDS)
    recipe: RecipeName | None = Field(None, description=RECIPE)


SHARES = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""What stays at the points of a front, of the dense model's cost, unless the user says otherwise."""


class FrontSettings(CutSettings, TimingSettings):
    """Which sizes of a model are measured."""

    by: CostName = Field("flops", description="the cost: flops, params or latency")
    shares: tuple[Share, ...] = Field(SHARES, min_length=1, description="what may stay of it, a point each")


class QuantizeSettings(Contract):
    """How a network is put into INT8, and what it may lose."""

    max_loss: Tolerance = Field(0.015, description="share of the metric that INT8 may lose, measured")
    samples: int = Field(256, ge=1, description="samples that the ranges are found on; their labels have no part in it")
    threads: int | None = Field(None, ge=1, description="CPU threads for the latency; all cores if unset")
    batch_size: int = Field(64, ge=1, description="samples a forward pass of the evaluation")


OptimizerName: TypeAlias = Literal["momentum", "adam", "adamw"]
"""What moves the weights."""
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)
ADAPTIVE_RATE = 1e-3
"""The highest learning rate of Adam and AdamW, unless the user says otherwise."""


AmpName: TypeAlias = Literal["bf16", "fp16"]
"""What mixed precision computes in, beside float32."""


class TrainSettings(Contract):
    """How a model is trained: an optimizer with weight decay, a learning rate per step, checkpoints per epoch."""

    num_epochs: int = Field(10, ge=1, description="passes over the training samples")
    train_batch_size: int = Field(64, ge=1, description="samples a training step; a last incomplete batch is left out")
    eval_batch_size: int = Field(64, ge=1, description="samples a batch of evaluation; changes speed, not results")
    optimizer: OptimizerName = Field("momentum", description=f"what moves the weights: {', '.join(OPTIMIZERS)}")
    learning_rate: float = Field(
        0.025, gt=0, allow_inf_nan=False, description=f"the highest learning rate; {ADAPTIVE_RATE:g} for adam and adamw"
    )
    lr_schedule: Literal["piecewise", "cosine"] = Field("piecewise", description="how the learning rate falls")
    lr_decay_epochs: tuple[int, ...] = Field(
        (30, 60, 90), description="piecewise: completed epochs after which the learning rate falls"
    )
    lr_decay_gamma: float = Field(0.1, gt=0, le=1, description="piecewise: what each fall multiplies it by")
    warmup_steps: int = Field(0, ge=0, description="steps over which the learning rate first rises, linearly")
    warmup_start_lr: float = Field(0.0, ge=0, allow_inf_nan=False, description="where the rise starts")
    momentum: float = Field(0.9, ge=0, lt=1, description="of the optimizer momentum")
    weight_decay: float = Field(
        1e-4, ge=0, allow_inf_nan=False, description="L2, added to the gradient; adamw takes it off the weights"
    )
    decay_norms: bool = Field(True, description="whether weights of norms and biases decay, too")
    mixup: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="of images with one class: blend pairs, by Beta(a, a), such as 0.2"
    )
    cutmix: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="likewise: paste a piece of another image, such as 1"
    )
    sparsity: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="for a later cut: how strongly channels are pulled towards 0, in all, such as 2; 0 is not at all",
    )
    clip_norm: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="longest gradient, over all parameters; a longer one is shortened"
    )
    ema: float | None = Field(
        None, gt=0, lt=1, description="keep a moving average of the weights, such as 0.999: it is evaluated and saved"
    )
    distill: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="with a teacher, what its outputs count beside the loss"
    )
    distill_layers: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="likewise what its layers give, if the model was cut from it"
    )
    parts: int = Field(
        1, ge=1, description="parts that a batch goes through the network in, to save memory; divides train_batch_size"
    )
    ranks: int = Field(
        1, ge=1, description="processes that train together, each on its share of every batch, on a GPU or CPU each"
    )
    sync_norms: bool = Field(False, description="batch norms see the batches of all ranks; needs GPUs")
    freeze: tuple[str, ...] = Field((), description="layers that stay as they are, by name or glob: backbone.*")
    max_time: Seconds | None = Field(
        None, description="stop after the epoch in which this is over, such as 90s, 30m or 8h; the same command goes on"
    )
    save_interval_epochs: int = Field(1, ge=1, description="epochs between evaluations, each with a checkpoint")
    log_interval_steps: int = Field(10, ge=1, description="steps between lines of the log")
    early_stop: bool = Field(False, description="stop when the primary metric no longer improves")
    early_stop_patience: int = Field(5, ge=1, description="evaluations in a row without improvement that stop it")
    use_vdl: bool = Field(False, description="write VisualDL scalars into save_dir/vdl_log")
    device: Device = Field("auto", description="auto, cpu, gpu or gpu:N")
    amp: AmpName | None = Field(
        None, description="mixed precision: convolutions and products in bf16 or fp16; needs a GPU"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="decides initial weights, order of samples and augmentation")
    num_workers: int = Field(2, ge=0, description="threads that decode samples ahead; 0 decodes between the steps")

    @field_validator("amp", mode="before")
    @classmethod
    def _earlier(cls, value: Any) -> Any:
        """Runs of earlier versions say whether, and it was float16."""
        return ("fp16" if value else None) if isinstance(value, bool) else value

    @field_validator("lr_decay_epochs")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(epoch < 1 for epoch in value) or any(b <= a for a, b in pairwise(value)):
            raise ValueError("must be positive and ascending, such as 30, 60, 90")
        return value

    @model_validator(mode="after")
    def _teaches(self) -> TrainSettings:
        if not self.distill and not self.distill_layers:
            raise ValueError("distill and distill_layers are both 0, so that a teacher counts nothing: leave it out")
        return self

    @model_validator(mode="after")
    def _even_parts(self) -> TrainSettings:
        if self.train_batch_size % (self.parts * self.ranks):
            over = f"{self.parts} equal parts" if self.ranks == 1 else f"equal parts for {self.ranks} ranks"
            each = f", {self.parts} each" if self.ranks > 1 and self.parts > 1 else ""
            raise ValueError(f"train_batch_size {self.train_batch_size} can't be split into {over}{each}")
        return self

    @model_validator(mode="after")
    def _devices_of_ranks(self) -> TrainSettings:
        if self.ranks > 1 and self.device.startswith("gpu:"):
            raise ValueError(
                f"ranks have a GPU each, not all of them {self.device}: give device=gpu, and say which GPUs there are "
                "with CUDA_VISIBLE_DEVICES"
            )
        if self.sync_norms and self.ranks == 1:
            raise ValueError("sync_norms is over several ranks, and there is one: leave it out, or give ranks")
        return self
