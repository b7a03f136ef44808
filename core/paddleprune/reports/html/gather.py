"""A folder -> what is known of it. Reads files alone: no network is built, and Paddle isn't imported."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from pydantic import RootModel

from paddleprune.errors import CheckpointError, PaddlePruneError, TableError
from paddleprune.files import read_bytes, read_json, unreadable
from paddleprune.pruning import Plan
from paddleprune.quantization import Quantized
from paddleprune.reports import ComparisonRow, Front
from paddleprune.reports.html.examples import read_pictures
from paddleprune.reports.html.known import STAGES, Known, Model, Stage
from paddleprune.sensitivity import SensitivityTable
from paddleprune.sensitivity.table.file import weights_digest
from paddleprune.signed import read_signed
from paddleprune.training import WEIGHTS, Asked, EpochRecord, read_checkpoint
from paddleprune.training.checkpoint import INFO, PLAN, STATE
from paddleprune.training.folder import existing
from paddleprune.training.places import BEST, HISTORY
from paddleprune.training.state import TrainState

_MOST_NOTES = 1_000_000


class History(RootModel[tuple[EpochRecord, ...]]):
    """What `history.json` holds."""


class ComparisonRows(RootModel[tuple[ComparisonRow, ...]]):
    """What `comparison.json` holds."""


def gather(folder: Path) -> Known:
    """Read what commands have left in a folder: a checkpoint, a run, or a folder of those.

    Args:
        folder: a checkpoint; a folder with `best_model`; one that holds such folders; or what `front`, `compare`
            or `quantize` wrote.

    Raises:
        CheckpointError, TableError, PlanError: a file is damaged, or there is nothing.
    """
    place = existing(folder)
    if not place.is_dir():
        raise CheckpointError(f"{folder} is a file; give a folder" if place.exists() else f"{folder} does not exist")
    try:
        known = _gathered(folder)
    except OSError as error:
        raise CheckpointError(unreadable(folder, error)) from error
    if not (known.models or known.rows or known.front or known.table or known.quantized):
        raise CheckpointError(
            f"{folder} is no checkpoint and no run: it holds no {INFO}, no {BEST}, no folder with one, and nothing "
            "that analyze, front, compare or quantize wrote"
        )
    return known


def run_of(folder: Path) -> Path:
    """The run that a checkpoint is the best of; the folder itself if it is none."""
    whole = folder.resolve()
    return whole.parent if whole.name == BEST and _is_checkpoint(whole) else folder


def _gathered(folder: Path) -> Known:
    run = run_of(folder)
    rows = _rows(run)
    models = _staged(_models(run))
    order = [row.name for row in rows]
    models.sort(key=lambda model: order.index(model.name) if model.name in order else len(order))
    pictures, unshown = read_pictures(run / "examples")
    table, digests = _table(run, models)
    return Known(
        name=run.resolve().name,
        models=tuple(models),
        rows=rows,
        notes=_notes(run),
        front=_front(run),
        table=table,
        quantized=_quantized(run),
        pictures=pictures,
        unshown=unshown,
        digests=digests,
    )


def _is_checkpoint(folder: Path) -> bool:
    return (existing(folder) / INFO).is_file()


def _models(folder: Path) -> list[Model]:
    """The folder's own model; or else those of the folders in it."""
    if _is_checkpoint(folder) or _is_checkpoint(folder / BEST):
        return [_model(folder)]
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [_model(path) for path in inside if _is_checkpoint(path) or _is_checkpoint(path / BEST)]


def _model(folder: Path) -> Model:
    alone = _is_checkpoint(folder)
    place = folder if alone else folder / BEST
    read = read_checkpoint(place)
    asked, history = (None, _epochs_of(place)) if alone else (Asked.of(folder), _history(folder))
    return Model(
        name=folder.resolve().name,
        stage=_stage(read.plan, bool(asked or history), pruned=not alone and (folder / PLAN).exists()),
        info=read.info,
        plan=read.plan,
        digest=weights_digest(read.weights),
        file_bytes=(existing(place) / WEIGHTS).stat().st_size,
        history=history,
        asked=asked,
    )


def _stage(plan: Plan | None, trained: bool, pruned: bool) -> Stage:
    """How far a model has come; of a cut one that was copied elsewhere only that it is cut is known."""
    if plan is None:
        return "dense"
    if trained:
        return "retrained"
    return "cut and repaired" if pruned and plan.repair is not None else "cut"


def _staged(models: list[Model]) -> list[Model]:
    """In the order of their stages; a dense model that goes on from another one here is a control."""
    weights = {model.info.weights_sha256 for model in models}

    def control(model: Model) -> bool:
        start = None if model.asked is None else model.asked.pretrain_weights
        return model.stage == "dense" and start is not None and start.sha256 in weights

    found = [replace(model, stage="control") if control(model) else model for model in models]
    return sorted(found, key=lambda model: STAGES.index(model.stage))


def _history(run: Path) -> tuple[EpochRecord, ...]:
    file = run / HISTORY
    return read_json(file, History, CheckpointError).root if file.exists() else ()


def _epochs_of(checkpoint: Path) -> tuple[EpochRecord, ...]:
    file = existing(checkpoint) / STATE
    return read_signed(file, TrainState, CheckpointError).history if file.exists() else ()


def _rows(folder: Path) -> tuple[ComparisonRow, ...]:
    file = folder / "comparison.json"
    return read_json(file, ComparisonRows, CheckpointError).root if file.exists() else ()


def _notes(folder: Path) -> tuple[str, ...]:
    """How `compare` measured, as it wrote that below its table."""
    file = folder / "comparison.md"
    if not (folder / "comparison.json").exists() or not file.exists():
        return ()
    lines = read_bytes(file, CheckpointError, most=_MOST_NOTES).decode(errors="replace").splitlines()
    return tuple(line.removeprefix("- ") for line in lines if line.startswith("- "))


def _front(folder: Path) -> Front | None:
    file = _first(folder, "front.json")
    return None if file is None else read_json(file, Front, CheckpointError)


def _quantized(folder: Path) -> Quantized | None:
    file = _first(folder, "quantized.json")
    return None if file is None else read_json(file, Quantized, CheckpointError)


def _first(folder: Path, name: str) -> Path | None:
    """A file of the folder's own; or else the first in a folder in it."""
    return next((file for file in (folder / name, *sorted(folder.glob(f"*/{name}"))) if file.is_file()), None)


def _table(folder: Path, models: list[Model]) -> tuple[SensitivityTable | None, dict[Path, str]]:
    """The table that lies here; or else the one that a run here pruned with, if it is still where it was."""
    here = sorted([*folder.glob("sensitivities.json"), *folder.glob("*.sensi.json")])
    if here:
        return SensitivityTable.load(here[0]), {Path(here[0].name): _sha256(here[0])}
    for source in (model.asked.sensitivities_file for model in models if model.asked):
        try:
            if source is not None and source.path.is_file() and _sha256(source.path) == source.sha256:
                return SensitivityTable.load(source.path), {source.path: source.sha256}
        except (OSError, PaddlePruneError):  # it isn't this run's file
            continue
    return None, {}


def _sha256(file: Path) -> str:
    return hashlib.sha256(read_bytes(file, TableError)).hexdigest()
