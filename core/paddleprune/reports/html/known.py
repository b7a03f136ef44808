"""What is known of a run: read from its files, nothing measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from paddleprune.pruning import Plan
from paddleprune.quantization import Quantized
from paddleprune.reports import ComparisonRow, Front
from paddleprune.sensitivity import SensitivityTable
from paddleprune.training import Asked, CheckpointInfo, EpochRecord

Stage = Literal["dense", "control", "cut", "cut and repaired", "retrained"]
"""How far a model has come; a control is the dense model, trained on beside the pruned one."""
STAGES: tuple[Stage, ...] = ("dense", "control", "cut", "cut and repaired", "retrained")


@dataclass(frozen=True)
class Model:
    """A checkpoint, and the run that it is the best of.

    Attributes:
        name: of its folder.
        stage: how far it has come.
        info: what it is.
        plan: how it was cut; None if it wasn't.
        digest: hash of its weights, as plans and tables name the model that they belong to.
        file_bytes: size of its weights.
        history: the epochs of its training; empty without any.
        asked: what its training was asked for; None without one.
    """

    name: str
    stage: Stage
    info: CheckpointInfo
    plan: Plan | None
    digest: str
    file_bytes: int
    history: tuple[EpochRecord, ...] = ()
    asked: Asked | None = None


@dataclass(frozen=True)
class Picture:
    """A picture as it stands in the page.

    Attributes:
        name: of its file.
        uri: its content, as a data URI.
        width, height: in pixels.
    """

    name: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Known:
    """All that is known of one folder.

    Attributes:
        name: of the folder.
        models: its checkpoints, the dense ones first.
        rows: what `compare` measured of them; empty if it didn't.
        notes: how that was measured, a line each.
        front: what each size costs.
        table: the sensitivity table.
        quantized: what INT8 costs and saves.
        pictures: examples of what the models predict.
        unshown: how many more pictures there are.
        digests: file -> SHA-256 of its content, for files of which no checkpoint says it.
    """

    name: str
    models: tuple[Model, ...] = ()
    rows: tuple[ComparisonRow, ...] = ()
    notes: tuple[str, ...] = ()
    front: Front | None = None
    table: SensitivityTable | None = None
    quantized: Quantized | None = None
    pictures: tuple[Picture, ...] = ()
    unshown: int = 0
    digests: dict[Path, str] = field(default_factory=dict)

    def called(self, name: str) -> Known:
        """The same, under another name; a run's one model is called as the run is."""
        models = self.models
        if len(models) == 1 and not self.rows:
            models = (replace(models[0], name=name),)
        return replace(self, name=name, models=models)

    def cuts(self) -> list[tuple[Plan, list[Model]]]:
        """The plans, each once, with the models that they made."""
        found: list[tuple[Plan, list[Model]]] = []
        for model in self.models:
            if model.plan is None:
                continue
            same = next((models for plan, models in found if plan.same_cut(model.plan)), None)
            if same is None:
                found.append((model.plan, [model]))
            else:
                same.append(model)
        return found
