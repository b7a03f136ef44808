"""A task end to end on real data: train, analyze, prune, retrain, compare with a dense control."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paddleprune.api.analyze import analyze
from paddleprune.api.background import BackgroundTraining
from paddleprune.api.compare import compare, measure_beside
from paddleprune.api.loading import open_model
from paddleprune.api.predict import predict
from paddleprune.api.prune import prune
from paddleprune.api.report import leave_report
from paddleprune.api.train import train
from paddleprune.api.visualize import visualize
from paddleprune.console import counted, say
from paddleprune.errors import ConfigError
from paddleprune.files import user_path, write_bytes, write_text
from paddleprune.pruning import Plan
from paddleprune.registry import Registry
from paddleprune.reports import Comparison
from paddleprune.specs import Contract, Demo
from paddleprune.training import read_info

POINT = 0.01
"""How far below the dense control the pruned model may stay."""
LEAST = 0.1
"""The share of the FLOPs or of the parameters that must go: who cuts nothing, loses nothing."""
_FOLDERS = ("", "_repaired", "_prune", "_control")
"""What is added to the family's name: the dense model, the cut and repaired one, the same retrained, the control."""
_BATCH = 64
_MARK = ".paddleprune-demo"
_WIDEST = 1024
"""Pixels that a picture is enlarged to, at most."""


class DemoResult(Contract):
    """What a demo gave.

    Attributes:
        comparison: the dense model, the dense control of equal epochs, the cut and repaired model, which no training
            has seen, and the same retrained.
        summary: what goes, the certificate, and the verdict.
        passed: whether the pruned model is at most one point below the control, give or take the standard error of
            their difference, and really smaller.
    """

    comparison: Comparison
    summary: str
    passed: bool


def demo(task: str = "classification", *, save_dir: str | Path = "output/demo") -> DemoResult:
    """Show a task end to end, in minutes on a CPU.

    Leaves in `save_dir` the data, the checkpoints, `sensitivities.json` and its pictures, `plan.json`,
    `comparison.json`, `comparison.md`, `report.html` and `control.log`; where the recipe has examples also `examples/`,
    what the dense model and the pruned one make of each, side by side. An earlier demo there is replaced. The control
    trains in a process of its own, beside the analysis and the pruned model.

    Args:
        task: a task whose plugin has a demo.
        save_dir: where everything goes.

    Raises:
        UnknownNameError: there is no such task, or it has no demo.
        ConfigError: `save_dir` holds something else.
        CertificateError: the shrunk model doesn't compute what the masked one does.
        WorkerError: the control's training failed.
    """
    folder = user_path(save_dir)
    registry = Registry.discover()
    registry.task(task)
    _clear(folder)
    recipe = registry.demo(task, folder / "data")
    dense, repaired, pruned, control = (folder / f"{recipe.family}{suffix}" for suffix in _FOLDERS)
    epochs, more = recipe.settings["num_epochs"], recipe.retrain_settings["num_epochs"]

    say(f"[1/5] train {recipe.family} for {counted(epochs, 'epoch')}")
    train(**_training(task, recipe, dense, recipe.settings), model=recipe.family, options=recipe.options)
    start = dense / "best_model"
    again, log = {**recipe.settings, **recipe.retrain_settings}, folder / "control.log"
    say(f"      from here on a control trains beside: the dense model, for {more} more epochs too ({log})")
    with BackgroundTraining(log, **_training(task, recipe, control, again), pretrain_weights=start) as background:
        say("[2/5] analyze: the metric without each group, at every ratio")
        table = folder / "sensitivities.json"
        analyze(start, eval_dataset=recipe.eval_dataset, save_file=table)
        data: dict[str, Any] = {"eval_dataset": recipe.eval_dataset, "train_dataset": recipe.train_dataset}
        visualize(table, model=start, **data)
        say(f"[3/5] cut to {recipe.flops:.0%} of the FLOPs, and repair: no training")
        done = prune(start, **data, save_dir=repaired, sensitivities_file=table, flops=recipe.flops)
        say(f"[4/5] retrain the repaired model for {counted(more, 'epoch')}")
        train(**_training(task, recipe, pruned, again), pretrain_weights=done.best_model)
        say("      the pruned model is done; the control goes on")
        background.wait()
    done.plan.save(folder / "plan.json")
    say("[5/5] compare")
    models = [place / "best_model" for place in (dense, control, repaired, pruned)]
    comparison = compare(models, eval_dataset=recipe.eval_dataset, save_dir=folder, threads=1)
    if recipe.examples is not None:
        draw_both(models[0], models[-1], recipe.examples, folder / "examples")
    leave_report(folder)
    rivals = {place.name: open_model(registry, place / "best_model") for place in (control, pruned)}
    values = measure_beside(registry, rivals, recipe.eval_dataset, None, _BATCH)
    return _verdict(comparison, values[pruned.name].error, done.plan, read_info(models[0]).higher_is_better)


def _training(task: str, recipe: Demo, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `train` that each of the three trainings needs."""
    data = {"train_dataset": recipe.train_dataset, "eval_dataset": recipe.eval_dataset}
    return {"task": task, **data, "save_dir": folder, **settings}


def draw_both(dense: Path, pruned: Path, images: Path, folder: Path) -> None:
    """What both models make of each image, the dense one at the left, and first where they differ in most pixels.

    Tiny pictures are enlarged.
    """
    with tempfile.TemporaryDirectory() as place:
        sides = [Path(place) / name for name in ("dense", "pruned")]
        for model, side in zip((dense, pruned), sides, strict=True):
            predict(model, images, save_dir=side)
        names = sorted(file.name for file in sides[0].glob("*.png"))
        pairs = {name: [np.asarray(cv2.imread(str(side / name))) for side in sides] for name in names}
        names.sort(key=lambda name: -np.not_equal(*pairs[name]).mean())
        for number, name in enumerate(names, 1):
            picture = np.hstack(pairs[name])
            factor = max(1, _WIDEST // picture.shape[1])
            enlarged = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
            write_bytes(folder / f"{number:02}_{name}", cv2.imencode(".png", enlarged)[1].tobytes())


def _verdict(comparison: Comparison, error: float | None, plan: Plan, higher_is_better: bool) -> DemoResult:
    """Is the pruned model as good as the control?

    Args:
        comparison: control second, pruned model last.
        error: the standard error of the difference of these two.
        plan: what went.
        higher_is_better: the metric's direction.
    """
    control, pruned = comparison.rows[1].metric, comparison.rows[-1].metric
    assert control is not None
    assert pruned is not None
    behind = control.value - pruned.value if higher_is_better else pruned.value - control.value
    before, after = plan.before, plan.after
    gone = max(1 - after.parameters / before.parameters, 1 - after.flops / max(before.flops, 1))
    sure = error or 0.0
    problems = [f"more than {POINT:g} behind the dense control"] if behind - sure > POINT + 1e-9 else []
    if gone < LEAST:
        problems.append(f"only {gone:.1%} of the FLOPs or parameters are gone, less than {LEAST:.0%}")
    certificate = plan.certificate.describe() if plan.certificate else "none"
    verdict = f"failed: {'; '.join(problems)}" if problems else "passed"
    values = (
        f"pruned {pruned.value:.4f}, dense control of equal epochs {control.value:.4f}, "
        f"{abs(behind):.4f} ± {sure:.4f} {'behind' if behind > 0 else 'ahead'}"
    )
    summary = f"{plan.summary()}\ncertificate: {certificate}\n{pruned.name}: {values}: {verdict}"
    return DemoResult(comparison=comparison, summary=summary, passed=not problems)


def _clear(folder: Path) -> None:
    """Make room for a demo, without ever removing anything but an earlier one."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; choose another save_dir")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise ConfigError(f"{folder} holds something that no demo left there; choose another save_dir")
        shutil.rmtree(folder)
    write_text(folder / _MARK, "paddleprune demo replaces this folder\n")
