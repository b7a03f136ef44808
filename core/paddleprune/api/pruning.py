"""Shrinking an analyzed model as its table and a tolerance say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paddleprune.api.loading import check_labels, graph_of_loaded, open_model
from paddleprune.console import say
from paddleprune.engines import left_whole, open_engine
from paddleprune.errors import ConfigError
from paddleprune.interfaces import Dataset, Scorer, read_sample
from paddleprune.pruning import Plan, solve
from paddleprune.registry import Registry
from paddleprune.sensitivity import Prunable, Question, SensitivityTable, criterion_of, model_digest, unsure
from paddleprune.specs import FamilyOptions
from paddleprune.training import LoadedModel

PROBE = 8
"""Images in the probe batch of a certificate, at most."""


@dataclass(frozen=True)
class Wish:
    """How to prune; as the arguments of `train`."""

    eval_metric_loss: float
    round_to: int
    exclude: str | Sequence[str]
    criterion: Scorer | None


def open_analyzed(registry: Registry, weights: str | Path, options: FamilyOptions, evaluation: Dataset) -> LoadedModel:
    """The analyzed model.

    Raises:
        ConfigError: the user wants other options or classes than it has.
    """
    loaded = open_model(registry, weights)
    check_labels(evaluation, loaded.info.labels, str(weights))
    if loaded.options != options:
        before, now = loaded.options.model_dump(), options.model_dump()
        name = next(name for name in now if now[name] != before.get(name))
        raise ConfigError(f"{weights} has the {name} {before.get(name)}, not {now[name]}; leave the options out")
    return loaded


def prune_with_table(
    registry: Registry,
    loaded: LoadedModel,
    table_file: Path,
    wish: Wish,
    evaluation: Dataset,
) -> Plan:
    """Shrink the analyzed network, in place, as its table and the tolerance say, with a certificate.

    Args:
        registry: knows what the network's plugin protects.
        loaded: the network, as `open_analyzed` gives it.
        table_file: its table.
        wish: how to prune.
        evaluation: gives the probe of the certificate.

    Raises:
        TableError: the table belongs to another model.
        CertificateError: the shrunk network doesn't compute what the masked one does.
    """
    table = SensitivityTable.load(table_file)
    table.check_model(model_digest(loaded.layer), str(table_file))
    identity = table.identity
    ranking = criterion_of(identity.criterion, wish.criterion)
    engine = open_engine(identity.engine, loaded.layer, graph_of_loaded(registry, loaded), ranking)
    whole = left_whole(engine, wish.exclude)
    plan = solve(engine, table, wish.eval_metric_loss, wish.round_to, whole)
    groups = [group for group in engine.groups if group.name not in whole]
    _say_what_is_estimated(table, groups, wish.eval_metric_loss, table_file)
    samples = [read_sample(evaluation, i) for i in range(min(PROBE, len(evaluation)))]
    plan = engine.prune(plan, evaluation.collate(samples)[0])
    before = loaded.plan.attributes if loaded.plan else {}
    plan = plan.model_copy(update={"attributes": {**before, **plan.attributes}})
    say(plan.summary())
    if plan.certificate is not None:
        say(f"certificate: {plan.certificate.describe()}")
    return plan


def _say_what_is_estimated(
    table: SensitivityTable, groups: Sequence[Prunable], eval_metric_loss: float, file: Path
) -> None:
    if table.identity.estimated is not None:
        say(f"{file} is an estimate: its losses are rises of the training loss, and so is eval_metric_loss")
        return
    estimated = unsure(table, groups, Question((eval_metric_loss,)))
    if estimated:
        say(
            f"{file} wasn't measured for eval_metric_loss {eval_metric_loss:g}: the shares of {len(estimated)} groups "
            f"are estimates; `paddleprune analyze --tolerance {eval_metric_loss:g}` with this file measures them"
        )
