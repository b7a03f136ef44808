"""Results on stdout."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from paddleprune.cli.spelling import flag
from paddleprune.console import counted
from paddleprune.specs import FamilyOptions

if TYPE_CHECKING:
    from paddleprune.api.demo import DemoResult
    from paddleprune.api.prune import PruneResult
    from paddleprune.api.sample_data import SampleData
    from paddleprune.graph import Explanation
    from paddleprune.quantization import Quantized
    from paddleprune.reports import Front, Latencies
    from paddleprune.sensitivity import SensitivityTable
    from paddleprune.sensitivity.table.imported import ImportedTable
    from paddleprune.training import TrainResult


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; wide as it needs to be where it isn't read on a terminal."""
    out = Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=200)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for title in head:
        drawn.add_column(title, overflow="fold")
    for row in rows:
        drawn.add_row(*map(Text, row))
    out.print(drawn)


def json_lines(items: Iterable[Any]) -> None:
    """One JSON value a line."""
    for item in items:
        typer.echo(json.dumps(item))


def values(metrics: Mapping[str, float]) -> None:
    """Names and numbers."""
    for name, value in metrics.items():
        typer.echo(f"{name} {value:.6g}")


def sampled(task: str, data: SampleData) -> None:
    """What was written, and the command that trains on it."""
    typer.echo(
        f"{data.folder}: {counted(data.train_samples, 'sample')} to train on, {data.eval_samples} to evaluate; "
        f"classes: {', '.join(data.labels)}"
    )
    words = ["paddleprune", "train", task, "--data", str(data.folder)]
    for name, value in data.settings.items():
        for each in (f"{key}={chosen}" for key, chosen in value.items()) if isinstance(value, dict) else (value,):
            words += [flag(name), str(each)]
    words += ["--save-dir", f"output/{data.settings['model']}"]
    typer.echo(f"next: {shlex.join(words)}")


def trained(result: TrainResult) -> None:
    """Where the model is, and how good."""
    typer.echo(f"best model: {result.best_model} (epoch {result.best_epoch})")
    values(result.metrics)


def pruned(result: PruneResult) -> None:
    """Where the model is, what went, and what that costs."""
    typer.echo(f"pruned model: {result.best_model}")
    typer.echo(result.plan.summary())
    if result.plan.latency is not None:
        typer.echo(result.plan.latency.describe())
    if result.plan.joint is not None:
        typer.echo(result.plan.joint.describe())
    values(result.metrics)


def fronted(front: Front, folder: Path) -> None:
    """A row a size, and where the picture is."""
    head = ("FLOPs", "parameters", *(("latency",) if front.by == "latency" else ()))
    rows = [
        (
            *(f"{share:.1%}" for share in (point.flops, point.params, point.latency) if share is not None),
            f"{point.cut:.4f}",
            f"{point.repaired:.4f}" + ("" if point.error is None else f" ± {point.error:.4f}"),
        )
        for point in front.points
    ]
    table((*head, "cut", "repaired"), rows)
    typer.echo(f"dense: {front.metric} {front.baseline:.4f} ({counted(front.samples, 'sample')})")
    again = f"--runtime {front.runtime} --latency" if front.runtime else f"--{front.by}"
    typer.echo(f"front: {folder / 'front.png'}; prune with {again} and what shall stay")


def timed(latencies: Latencies) -> None:
    """A row for each way to run the model, and which is fastest."""
    table(latencies.HEAD, latencies.cells())
    for line in latencies.fastest():
        typer.echo(line)
    typer.echo(
        f"One run, on the CPU, pre- and post-processing excluded; load and first run in a fresh process, with the most "
        f"memory that they took beside the library itself. {latencies.cpu}, {', '.join(latencies.runtimes)}"
    )


def quantized(record: Quantized, folder: Path) -> None:
    """FP32 and INT8 side by side, what stays in float, and where the file is."""
    rows = [
        (name, f"{found.metric:.4f}", f"{found.bytes / 1e6:.3g} MB", f"{found.latency.median_ms:.3g} ms")
        for name, found in (("FP32", record.float32), ("INT8", record.int8))
    ]
    table(("", record.metric, "size", "latency"), rows)
    typer.echo(record.describe())
    if record.left_in_float:
        typer.echo(f"in float: {', '.join(left.step for left in record.left_in_float)}")
    typer.echo(f"INT8 model: {folder / record.files[0]}")


def analyzed(sensitivities: SensitivityTable, path: Path) -> None:
    """Where the table is, and what the usual tolerances would leave."""
    typer.echo(f"table: {path} ({counted(len(sensitivities.groups), 'group')}, baseline {sensitivities.baseline:.4f})")
    worst = sorted(((points[-1].loss, name) for name, points in sensitivities.groups.items() if points), reverse=True)[
        :5
    ]
    typer.echo("most sensitive groups: " + ", ".join(f"{name} ({_lost(loss)})" for loss, name in worst))


def _lost(loss: float) -> str:
    return f"{loss:.1%}" if math.isfinite(loss) else "everything: the metric is no number"


def imported(result: ImportedTable, path: Path) -> None:
    """Where the table is, which parameter means which group, and what is left on either side."""
    table(("parameter", "group", "matched by"), [(name, m.group, m.by) for name, m in result.matches.items()])
    typer.echo(f"table: {path} ({counted(len(result.table.groups), 'group')})")
    if result.unmatched:
        typer.echo(f"not matched: {', '.join(result.unmatched)}")
    if result.unmeasured:
        typer.echo(f"groups without losses, which stay whole: {', '.join(result.unmeasured)}")


def explained(explanation: Explanation) -> None:
    """A row a group, and the totals."""
    table(
        ("group", "units", "filters", "parameters", "FLOPs", "touches", "remark"),
        [
            (
                group.name,
                str(group.units or "-"),
                group.counts,
                f"{group.parameter_share:.1%}",
                f"{group.flop_share:.1%}",
                f"{len(group.parameters)} tensors",
                group.remark,
            )
            for group in explanation.groups
        ]
        + [
            (
                branch.name,
                "-" if branch.protected else "1",
                "",
                f"{branch.parameter_share:.1%}",
                f"{branch.flop_share:.1%}",
                f"{counted(len(branch.layers), 'layer')}",
                branch.remark,
            )
            for branch in explanation.branches
        ],
    )
    typer.echo("\n".join(explanation.totals))


def options_of(options: type[FamilyOptions]) -> str:
    """A family's options with their defaults, on one line."""
    shown = []
    for name, info in options.model_fields.items():
        default = info.get_default(call_default_factory=True, validated_data={})
        shown.append(f"{name}={'x'.join(map(str, default)) if isinstance(default, tuple) else default}")
    return " ".join(shown)


def demonstrated(result: DemoResult) -> None:
    """What the demo proved."""
    result.comparison.show()
    typer.echo(result.summary)
    if not result.passed:
        raise typer.Exit(1)
