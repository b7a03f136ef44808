"""What pruning gave, and what it cost: checkpoints side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddle import nn

from paddleprune.api.data import Data
from paddleprune.api.loading import as_path, evaluation_of, open_model
from paddleprune.api.meter import small_enough, tally_of
from paddleprune.errors import ConfigError
from paddleprune.files import check_writable, user_path
from paddleprune.graph import build_graph
from paddleprune.measure.evaluation import Batches, eager_forward
from paddleprune.measure.latency import measure_latency
from paddleprune.pruning.outcome import JointLoss
from paddleprune.registry import Registry
from paddleprune.reports import Comparison, MetricValue, comparison_row, conditions
from paddleprune.reports.names import distinct_names
from paddleprune.runtimes.modes import Mode, modes_of, write_for
from paddleprune.training import WEIGHTS, CheckpointInfo, LoadedModel, read_info, select_device


def compare(
    checkpoints: Sequence[str | Path],
    *,
    eval_dataset: Data,
    save_dir: str | Path | None = None,
    metric: Mapping[str, Any] | None = None,
    batch_size: int = 64,
    runtime: str | Sequence[str] = "paddle",
    threads: int | None = None,
    device: str = "auto",
) -> Comparison:
    """Compare checkpoints: parameters, FLOPs, size of the weights file, latency on this CPU, metric.

    Args:
        checkpoints: checkpoint folders; the others are set against the first.
        eval_dataset: the data for the metric.
        save_dir: gets `comparison.json`, a list of rows, and `comparison.md`.
        metric: options of the task's metric, for all of them; by default those that they were trained with.
        batch_size: samples a forward pass, at most, for the metric.
        runtime: what runs the models for the latency: "paddle" (Paddle Inference, with oneDNN on and off),
            "onnxruntime", "openvino", several of them, or "all", which are those that are installed.
        threads: CPU threads for the latency; all cores by default.
        device: what evaluates the metric: "auto", "cpu", "gpu" or "gpu:N".

    Raises:
        ConfigError: no checkpoint, or the same one twice; or they have other tasks, classes or metric options, so that
            their metrics can't be set against each other.
        CheckpointError, DataError: what was given can't be used.
        DependencyError: a runtime isn't installed.
    """
    if isinstance(checkpoints, (str, Path)) or not isinstance(checkpoints, Sequence):
        raise ConfigError(f"compare takes a list of checkpoint folders, not a {type(checkpoints).__name__}")
    if not checkpoints:
        raise ConfigError("give at least one checkpoint to compare")
    select_device(device)
    modes = modes_of([runtime] if isinstance(runtime, str) else runtime)
    registry = Registry.discover()
    places = [as_path(path) for path in checkpoints]
    paths = dict(zip(distinct_names(places), places, strict=True))
    check_comparable(registry, {path: read_info(path) for path in paths.values()}, metric or {})
    if save_dir is not None:
        check_writable(user_path(save_dir) / "comparison.json")
    models = {name: open_model(registry, path) for name, path in paths.items()}
    metrics = measure_beside(registry, models, eval_dataset, metric, batch_size)
    comparison = set_beside(
        {
            name: Side(
                model.layer,
                model.options.input_shapes(),
                (paths[name] / WEIGHTS).stat().st_size,
                metrics[name],
                model.plan.joint if model.plan else None,
            )
            for name, model in models.items()
        },
        modes,
        threads,
    )
    if save_dir is not None:
        comparison.save(user_path(save_dir))
    return comparison


@dataclass(frozen=True)
class Side:
    """One of the networks that are compared.

    Attributes:
        layer: the network.
        shapes: of its inputs, without the batch axis.
        file_bytes: size of its weights.
        metric: how good it is; None if nobody asks.
        joint: what its plan cost when it was carried out.
    """

    layer: nn.Layer
    shapes: Sequence[tuple[int, ...]]
    file_bytes: int
    metric: MetricValue | None
    joint: JointLoss | None = None


def set_beside(sides: Mapping[str, Side], modes: Sequence[Mode], threads: int | None) -> Comparison:
    """Count and time some networks; the latencies are measured in turns."""
    with tempfile.TemporaryDirectory() as folder:
        exported = {name: Path(folder) / str(i) / "model" for i, name in enumerate(sides)}
        for name, side in sides.items():
            write_for(modes, side.layer, side.shapes, exported[name])
        latencies = measure_latency(exported, threads=threads, modes=modes)
    rows = []
    for name, side in sides.items():
        cost = build_graph(side.layer, [(1, *shape) for shape in side.shapes]).cost()
        rows.append(
            comparison_row(
                name,
                parameters=cost.parameters,
                flops=cost.flops,
                file_bytes=side.file_bytes,
                latency=latencies[name],
                metric=side.metric,
                joint=side.joint,
            )
        )
    return Comparison(conditions=conditions(latencies.values()), rows=tuple(rows))


def check_comparable(registry: Registry, infos: Mapping[Path, CheckpointInfo], metric: Mapping[str, Any]) -> None:
    """Refuse checkpoints that no one metric can judge.

    Args:
        registry: knows the tasks.
        infos: path -> what the checkpoint there is.
        metric: options of the metric that the user chose for all of them.

    Raises:
        ConfigError: naming the first difference of task, classes or metric, and both checkpoints.
    """
    (first, one), *others = infos.items()
    for path, other in others:
        for what in ("task", "labels"):
            if getattr(one, what) != getattr(other, what):
                here, there = (_said(getattr(info, what)) for info in (one, other))
                word = "classes" if what == "labels" else what
                raise ConfigError(
                    f"{word}: {here} in {first}, {there} in {path}; these can't be compared on one data set"
                )
        configs = [registry.metric_config(one.task, {**info.metric, **metric}) for info in (one, other)]
        mine, theirs = (config.model_dump(mode="json") for config in configs)
        name = next((name for name in mine if mine[name] != theirs[name]), None)
        if name is not None:
            raise ConfigError(
                f"metric {name} is {mine[name]} in {first} and {theirs[name]} in {path}, so that their metrics mean "
                f"different things; say which counts for all: --metric {name}={mine[name]}"
            )


def _said(value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{len(value)} ({', '.join(value[:4])}{', …' * (len(value) > 4)})"


def measure_beside(
    registry: Registry,
    models: Mapping[str, LoadedModel],
    data: Data,
    chosen: Mapping[str, Any] | None,
    batch_size: int,
) -> dict[str, MetricValue]:
    """The metric of each model on the same data; of the others also how sure their difference to the first is.

    Args:
        registry: knows their task.
        models: name -> checkpoint.
        data: what to evaluate on.
        chosen: options of the metric for all of them; None for their own.
        batch_size: samples a forward pass, at most.
    """
    found, first = dict[str, MetricValue](), None
    for name, model in models.items():
        evaluation = evaluation_of(registry, model, data, chosen)
        batches = Batches(evaluation.dataset, small_enough(batch_size, evaluation.dataset), memory=0)
        dense = None if first is None else first.scores
        tally = tally_of(eager_forward(model.layer), evaluation.metric, batches, dense, f"evaluate {name}")
        found[name] = MetricValue(name=evaluation.metric.primary, value=tally.value(), error=tally.error)
        first = first or tally
    return found
