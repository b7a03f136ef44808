"""Every command, in the order in which a user meets them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

import paddleprune
from paddleprune.api.runs import (
    AnalyzeRun,
    CompareRun,
    EvaluateRun,
    FrontRun,
    LatencyRun,
    PruneRun,
    QuantizeRun,
    TrainRun,
)
from paddleprune.cli import show
from paddleprune.cli.flags import parse_pairs, resolve, takes
from paddleprune.cli.interrupts import Computing, Interruptible, compute
from paddleprune.cli.launch import launch
from paddleprune.cli.spelling import flag, speak_flags
from paddleprune.errors import ConfigError
from paddleprune.launched import rank_here, ranks_here
from paddleprune.settings import FILTER_CRITERIA
from paddleprune.validation import choose_from

app = typer.Typer(
    name="paddleprune",
    cls=Interruptible,
    help="Prunes the channels of any Paddle model, and proves that what it cut is what it measured.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
Checkpoint = Annotated[Path, typer.Argument(help="checkpoint folder, such as output/mobilenetv2/best_model")]
Task = Annotated[str, typer.Argument(help="task, such as classification; `paddleprune tasks` lists them")]
NEW = {"show_default": False}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"paddleprune {paddleprune.__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Options of every command."""
    command = context.command.get_command(context, context.invoked_subcommand or "")  # type: ignore[attr-defined]
    if command is not None:
        speak_flags({parameter.name for parameter in command.params if parameter.param_type_name == "option"})


@app.command(cls=Computing)
def sample_data(
    task: Task,
    save_dir: Annotated[Path, typer.Option(help="folder for the data, which must be empty", **NEW)],
) -> None:
    """Write a small data set to try the commands on, and say the next one."""
    show.sampled(task, paddleprune.sample_data(task, save_dir=save_dir))


@app.command()
@takes(TrainRun)
def train(task: Task, *, values: dict[str, Any]) -> None:
    """Train a model; with --sensitivities-file or a budget, prune it first and retrain."""
    run = resolve(TrainRun, values, "train")
    if run.ranks > 1 and ranks_here() == 1:
        launch(run.ranks)
        return
    compute()
    data = _required(train_dataset=run.train_data(), eval_dataset=run.eval_data())
    said = run.model_dump(exclude_unset=True, exclude={"data", "train_dataset", "eval_dataset", "save_dir"})
    result = paddleprune.train(task, train_dataset=data[0], eval_dataset=data[1], save_dir=run.save_dir, **said)
    if rank_here() == 0:
        show.trained(result)


@app.command(cls=Computing)
@takes(AnalyzeRun)
def analyze(checkpoint: Checkpoint, *, values: dict[str, Any]) -> None:
    """Measure the sensitivity of every group; a run that was killed goes on where it stopped."""
    run = resolve(AnalyzeRun, values, "analyze")
    said = run.model_dump(exclude_unset=True, exclude={"data", "train_dataset", "eval_dataset", "save_file"})
    data, training = _required(eval_dataset=run.eval_data())[0], run.train_data()
    table = paddleprune.analyze(checkpoint, eval_dataset=data, train_dataset=training, save_file=run.save_file, **said)
    show.analyzed(table, run.save_file)


@app.command(cls=Computing)
@takes(PruneRun)
def prune(checkpoint: Checkpoint, *, values: dict[str, Any]) -> None:
    """Cut a checkpoint to a budget and repair it, without training: it works at once."""
    run = resolve(PruneRun, values, "prune")
    said = run.model_dump(exclude_unset=True, exclude={"data", "train_dataset", "eval_dataset", "save_dir"})
    data, training = _required(eval_dataset=run.eval_data())[0], run.train_data()
    result = paddleprune.prune(checkpoint, eval_dataset=data, train_dataset=training, save_dir=run.save_dir, **said)
    show.pruned(result)


@app.command(cls=Computing)
@takes(FrontRun)
def front(checkpoint: Checkpoint, *, values: dict[str, Any]) -> None:
    """Draw what each size costs: cut, repaired and measured at several, without training."""
    run = resolve(FrontRun, values, "front")
    said = run.model_dump(exclude_unset=True, exclude={"data", "train_dataset", "eval_dataset", "save_dir"})
    data, training = _required(eval_dataset=run.eval_data())[0], run.train_data()
    found = paddleprune.front(checkpoint, eval_dataset=data, train_dataset=training, save_dir=run.save_dir, **said)
    show.fronted(found, run.save_dir)


@app.command(cls=Computing)
def import_table(
    file: Annotated[Path, typer.Argument(help="sensitivities that PaddleX 1.3 or PaddleSlim pickled")],
    model: Annotated[Path, typer.Option(help="checkpoint folder of the model that will be pruned", **NEW)],
    save_file: Annotated[Path, typer.Option(help="the table")] = Path("sensitivities.json"),
    shapes: Annotated[Path | None, typer.Option(help="YAML of parameter: shape, such as PaddleX's prune.yml")] = None,
    criterion: Annotated[str, typer.Option(help=f"what ranked the filters: {', '.join(FILTER_CRITERIA)}")] = "l1",
) -> None:
    """Turn a pickled sensitivity file into a table; the pickle is read, never run."""
    known = next((choice for choice in FILTER_CRITERIA if choice == criterion), None)
    if known is None:
        raise ConfigError(f"unknown criterion {criterion!r}{choose_from(criterion, FILTER_CRITERIA)}")
    show.imported(
        paddleprune.import_table(file, model=model, save_file=save_file, shapes=shapes, criterion=known), save_file
    )


@app.command(cls=Computing)
def merge(
    files: Annotated[list[Path], typer.Argument(help="tables that analyze --shard wrote")],
    save_file: Annotated[Path, typer.Option(help="the whole table")] = Path("sensitivities.json"),
    gaps: Annotated[bool, typer.Option("--gaps", help="groups may be missing; plans leave them whole")] = False,
) -> None:
    """Join the parts of a table that were measured apart."""
    show.analyzed(paddleprune.merge(files, save_file=save_file, gaps=gaps), save_file)


@app.command(cls=Computing)
def import_weights(
    file: Annotated[
        Path, typer.Argument(help="weights: .pdparams, .safetensors, or .pdiparams, or the folder of an exported model")
    ],
    task: Annotated[str, typer.Option(help="whose network they are of; `paddleprune tasks` lists them", **NEW)],
    model: Annotated[str, typer.Option(help="its family; `paddleprune families TASK` lists them", **NEW)],
    save_dir: Annotated[Path, typer.Option(help="folder for best_model")] = Path("output/imported"),
    options: Annotated[list[str] | None, typer.Option(help="option of the family, as name=value", **NEW)] = None,
    data: Annotated[Path | None, typer.Option(help="data that says the classes, and evaluates")] = None,
    names: Annotated[Path | None, typer.Option(help="YAML of `the network's name: the file's name`")] = None,
    overwrite: Annotated[bool, typer.Option(help="replace a model that the folder holds")] = False,
) -> None:
    """Make a checkpoint of weights that another program saved; the file is read, never run."""
    chosen = parse_pairs(options or [], "options")
    found = paddleprune.import_weights(
        file,
        task=task,
        model=model,
        save_dir=save_dir,
        options=chosen,
        eval_dataset=data,
        names=names,
        overwrite=overwrite,
    )
    show.values(found.metrics)
    typer.echo(found.best_model)


@app.command(cls=Computing)
def visualize(
    table: Annotated[Path, typer.Argument(help="sensitivity table, as analyze wrote it")],
    model: Annotated[Path, typer.Option(help="checkpoint folder that the table was measured of", **NEW)],
    save_dir: Annotated[Path | None, typer.Option(help="folder for the pictures; beside the table if unset")] = None,
    data: Annotated[Path | None, typer.Option(help="folder with the data: also measure what whole plans lose")] = None,
) -> None:
    """Draw a table: what a tolerance would remove, and where the network is sensitive."""
    for path in paddleprune.visualize(table, model=model, save_dir=save_dir, eval_dataset=data, train_dataset=data):
        typer.echo(path)


@app.command(cls=Computing)
@takes(CompareRun)
def compare(
    checkpoints: Annotated[
        list[Path], typer.Argument(help="checkpoint folders; the first is what others are set against")
    ],
    *,
    values: dict[str, Any],
) -> None:
    """Compare checkpoints: parameters, FLOPs, size, latency on this CPU, metric."""
    run = resolve(CompareRun, values, "compare")
    said = run.model_dump(exclude={"data", "eval_dataset"})
    paddleprune.compare(checkpoints, eval_dataset=_required(eval_dataset=run.eval_data())[0], **said).show()


@app.command(cls=Computing)
@takes(LatencyRun)
def latency(checkpoint: Checkpoint, *, values: dict[str, Any]) -> None:
    """Time a checkpoint on this CPU in every runtime that is installed, and say which is fastest."""
    run = resolve(LatencyRun, values, "latency")
    show.timed(paddleprune.latency(checkpoint, **run.model_dump()))


@app.command(cls=Computing)
@takes(EvaluateRun)
def evaluate(checkpoint: Checkpoint, *, values: dict[str, Any]) -> None:
    """Print the metric of a checkpoint."""
    run = resolve(EvaluateRun, values, "evaluate")
    said = run.model_dump(exclude={"data", "eval_dataset"})
    show.values(paddleprune.evaluate(checkpoint, eval_dataset=_required(eval_dataset=run.eval_data())[0], **said))


@app.command(cls=Computing)
def predict(
    checkpoint: Checkpoint,
    images: Annotated[Path, typer.Argument(help="a file that the model reads, such as an image, or a folder of them")],
    save_dir: Annotated[Path | None, typer.Option(help="folder for pictures and predictions.json")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu or gpu:N")] = "auto",
) -> None:
    """Run a checkpoint on files, such as images; one JSON object a line."""
    show.json_lines(paddleprune.predict(checkpoint, images, save_dir=save_dir, device=device))


@app.command(cls=Computing)
def explain(
    target: Annotated[str, typer.Argument(help="checkpoint folder; or, with --model, a task")],
    model: Annotated[str | None, typer.Option(help="a family of the task; nothing needs to be trained")] = None,
    options: Annotated[list[str] | None, typer.Option(help="options of the family, as name=value (repeatable)")] = None,
    depth: Annotated[
        bool, typer.Option("--depth", help="list residual branches, too, which may go as a whole")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON, with the parameters of every group")] = False,
) -> None:
    """List the groups of a model: size, share of parameters and FLOPs, or why a group is protected."""
    explanation = paddleprune.explain(target, model=model, options=parse_pairs(options or [], "options"), depth=depth)
    show.json_lines([explanation.model_dump(mode="json")]) if json else show.explained(explanation)


@app.command(cls=Computing)
def export(
    checkpoint: Checkpoint,
    save_dir: Annotated[Path, typer.Option(help="folder for the files, and export.json", **NEW)],
    format: Annotated[
        str, typer.Option(help="paddle (Paddle Inference), onnx (needs paddleprune[onnx]), paddlex (PaddleX 3) or lite")
    ] = "paddle",
    model_name: Annotated[
        str | None, typer.Option(help="which of PaddleX's models this is to pass for; that of the family if unset")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="folder with the data: compare the file on ten samples, too")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="samples a run; any number if unset")] = None,
    opset: Annotated[int | None, typer.Option(help="of ONNX's operators, at least; 13 if unset")] = None,
    with_preprocessing: Annotated[
        bool,
        typer.Option("--with-preprocessing", help="the file takes pixels, N x H x W x 3 of 0 to 255, and normalizes"),
    ] = False,
    with_nms: Annotated[
        bool, typer.Option("--with-nms", help="a detector's file gives objects: decoded, no doubles")
    ] = False,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="inputs of any height and width")] = False,
) -> None:
    """Export a checkpoint for Paddle Inference, ONNX, PaddleX or Paddle Lite; the file is compared with the model."""
    files = paddleprune.export(
        checkpoint,
        save_dir=save_dir,
        format=format,
        model_name=model_name,
        eval_dataset=data,
        batch=batch,
        opset=opset,
        with_preprocessing=with_preprocessing,
        with_nms=with_nms,
        dynamic=dynamic,
    )
    for path in files:
        typer.echo(path)


@app.command(cls=Computing)
@takes(QuantizeRun)
def quantize(checkpoint: Checkpoint, *, values: dict[str, Any]) -> None:
    """Write a checkpoint as ONNX in INT8; refused where that is slower than FP32, or loses too much."""
    run = resolve(QuantizeRun, values, "quantize")
    said = run.model_dump(exclude_unset=True, exclude={"data", "train_dataset", "eval_dataset", "save_dir"})
    data, training = _required(eval_dataset=run.eval_data())[0], run.train_data()
    record = paddleprune.quantize(checkpoint, eval_dataset=data, train_dataset=training, save_dir=run.save_dir, **said)
    show.quantized(record, run.save_dir)


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="checkpoints, runs, or folders of runs; several stand side by side")
    ],
    save_file: Annotated[
        Path | None, typer.Option(help="the file; report.html in the run, or here for several, if unset", **NEW)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a file that is there")] = False,
) -> None:
    """Show what a run left as one HTML file that needs no network; nothing is measured."""
    typer.echo(paddleprune.report(runs, save_file=save_file, overwrite=overwrite))


@app.command(cls=Computing)
def demo(
    task: Annotated[str, typer.Option(help="the task to show")] = "classification",
    save_dir: Annotated[Path, typer.Option(help="folder for everything that the demo leaves")] = Path("output/demo"),
) -> None:
    """Show a task end to end on real data: train, analyze, prune, retrain, compare."""
    show.demonstrated(paddleprune.demo(task, save_dir=save_dir))


@app.command()
def tasks() -> None:
    """List the tasks that installed plugins bring."""
    show.table(("task", "what it does"), [(t.name, t.description) for t in paddleprune.tasks().values()])


@app.command()
def families(task: Task) -> None:
    """List a task's model families and their options."""
    rows = [(f.name, f.description, show.options_of(f.options)) for f in paddleprune.families(task).values()]
    show.table(("family", "what it is", "options (defaults)"), rows)


@app.command()
def plugins() -> None:
    """List every plugin that was found, with what is wrong with it."""
    rows = [
        (p.name, f"{p.distribution} {p.version}".strip(), ", ".join(p.tasks), str(len(p.families)), p.error or "ok")
        for p in paddleprune.plugins()
    ]
    show.table(("plugin", "package", "tasks", "families", "state"), rows)


@app.command()
def new_plugin(
    name: Annotated[str, typer.Argument(help="of the family or task, such as wave_net")],
    kind: Annotated[str, typer.Option(help="family (of classification) or task", **NEW)],
    save_dir: Annotated[Path, typer.Option(help="folder for the package, which must be empty", **NEW)],
) -> None:
    """Write a plugin to start from, with a test that passes."""
    typer.echo(f"plugin: {paddleprune.new_plugin(name, kind=kind, save_dir=save_dir)}")
    folder = shlex.quote(str(save_dir))
    typer.echo(f"next: pip install -e {folder} && pytest {folder}")


@app.command()
def doctor() -> None:
    """Check this installation: Python, Paddle, devices, optional packages, plugins. Exits with 2 on a problem."""
    from paddleprune.cli.doctor import examine

    rows, healthy = examine()
    show.table(("what", "found", "state"), rows)
    if not healthy:
        raise typer.Exit(2)


def _required(**data: Any) -> tuple[Any, ...]:
    missing = [flag(name) for name, part in data.items() if part is None]
    if missing:
        ways = "" if len(missing) == len(data) > 1 else f", or {missing[0]}"
        raise ConfigError(f"say where the data is: --data DIR{ways}; or its fields in a run file, with --config FILE")
    return tuple(data.values())
