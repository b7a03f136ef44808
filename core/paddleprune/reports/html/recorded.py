"""What files say of how a model was made, and what of a model card they know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from paddleprune.console import counted
from paddleprune.pruning import Plan
from paddleprune.reports.html.known import Known, Model
from paddleprune.settings import Budget
from paddleprune.training import Asked, Source

Facts: TypeAlias = tuple[tuple[str, str], ...]
"""What it is, and what is known of it."""
_MOST = 40
"""Names of classes that are listed."""
_HOW = ("round_to", "depth", "rounds", "repair", "exclude", "only")


def recorded(known: Known) -> tuple[tuple[str, Facts], ...]:
    """For each model, and for the table, what is on disk about how it came to be."""
    found = [(model.name, tuple(_model(model))) for model in known.models]
    table = known.table
    if table is not None:
        who = table.identity
        facts = [
            ("metric", f"{who.metric} of {counted(who.samples, 'sample')}, {table.criterion}, {who.engine} engine"),
            ("weights that it was measured of", who.model),
            ("data that it was measured on", who.data),
            *((f"SHA-256 of {file}", digest) for file, digest in known.digests.items()),
        ]
        found.append(("sensitivity table", tuple((what, said) for what, said in facts if said)))
    return tuple(found)


def card(known: Known) -> Facts:
    """What a model card can say without a person; of the model that has come furthest."""
    if not known.models:
        return ()
    model = next((m for m in reversed(known.models) if m.stage != "control"), known.models[-1])
    info, asked = model.info, model.asked
    facts = [
        ("model", f"{model.name}: {info.family}, {model.stage}"),
        ("task", info.task),
        ("classes", _listed(info.labels)),
        ("preprocessing", _steps(info.transforms)),
        ("weights from", info.imported),
        ("trained on", f"{asked.training_samples:,} samples" if asked else ""),
        ("evaluated on", f"{asked.evaluation_samples:,} samples" if asked else ""),
        ("metrics", ", ".join(f"{name} {value:.4f}" for name, value in info.metrics.items())),
    ]
    return tuple((what, said) for what, said in facts if said)


def _model(model: Model) -> Iterator[tuple[str, str]]:
    info = model.info
    yield "made by", f"paddleprune {info.paddleprune_version}"
    if info.command:
        yield "command", info.command
    yield "family", f"{info.task}, {info.family}"
    if info.options:
        yield "options", _pairs(info.options)
    if model.asked is not None:
        yield from _asked(model.asked)
    if model.plan is not None:
        yield from _plan(model.plan)
    yield "SHA-256 of the weights", info.weights_sha256
    if info.plan_sha256:
        yield "SHA-256 of the plan", info.plan_sha256


def _asked(asked: Asked) -> Iterator[tuple[str, str]]:
    """What `run.json` says."""
    sources = {"starts from": asked.pretrain_weights, "goes on from": asked.resumed, "learns from": asked.teacher}
    for what, source in sources.items():
        if source is not None:
            yield what, _source(source)
    if asked.sensitivities_file is not None:
        yield "prunes with", _source(asked.sensitivities_file)
    budget = {name: value for name in (*Budget.model_fields, *_HOW) if (value := getattr(asked, name, None))}
    if asked.repair is not None:
        yield "pruned to", _pairs(budget)
    yield "loss", _pairs(asked.loss)
    yield "metric", _pairs(asked.metric)
    yield "training", _pairs(asked.settings.model_dump(mode="json"))
    yield "training steps on images", _steps(asked.train_transforms)


def _plan(plan: Plan) -> Iterator[tuple[str, str]]:
    """What `plan.json` says."""
    budget = {**plan.budget, **({} if plan.eval_metric_loss is None else {"eval_metric_loss": plan.eval_metric_loss})}
    if budget:
        yield "budget", _pairs(budget)
    yield "criterion", f"{plan.criterion}, {plan.engine} engine"
    if plan.repair is not None:
        yield "repair", f"{counted(plan.repair.samples, 'sample')}, ridge {plan.repair.ridge:g}"
    if plan.joint is not None:
        yield "measured", plan.joint.describe()
    if plan.latency is not None:
        yield "timed", f"{plan.latency.describe()}, {plan.latency.machine}"
    if plan.model:
        yield "weights that it was made for", plan.model


def _source(source: Source) -> str:
    return f"{source.path} ({source.sha256})"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_said(value)}" for name, value in values.items() if value not in (None, (), []))


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _steps(steps: tuple[dict[str, Any], ...]) -> str:
    return " → ".join(
        f"{step.get('name', '?')}({_pairs({name: value for name, value in step.items() if name != 'name'})})"
        for step in steps
    )


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{len(names)}: {', '.join(names[:_MOST])}{more}" if names else ""
