"""A network that is cut, repaired, measured and put back, as often as it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from paddle import nn

from paddleprune.console import say
from paddleprune.engines import Engine
from paddleprune.errors import PlanError
from paddleprune.graph import ChannelGraph
from paddleprune.pruning import Plan
from paddleprune.pruning.outcome import JointLoss
from paddleprune.pruning.surgery import snapshot
from paddleprune.repair import Cut, Record, repair
from paddleprune.sensitivity.measuring.scores import Score
from paddleprune.solver import Path, search


class Cutter:
    """Carries plans out on one network.

    Args:
        layer: the dense network.
        graph: its channel graph.
        engine: what cuts.
        record: what the dense network gave for the calibration samples; None where nothing is repaired.
        ridge: of the repair.
        probe: inputs that prove each cut.
        leave: layers that are never refitted.

    Attributes:
        restore: what makes the network dense again, bit for bit.
    """

    def __init__(
        self,
        layer: nn.Layer,
        graph: ChannelGraph,
        engine: Engine,
        record: Record | None,
        ridge: float,
        probe: Sequence[Any],
        leave: frozenset[str] = frozenset(),
    ) -> None:
        self._layer, self._engine, self._record, self._ridge, self._probe = layer, engine, record, ridge, probe
        self._leave = leave
        self.restore = snapshot(layer, graph)
        self._cut: Cut | None = None

    def cut(self, plan: Plan) -> Plan:
        """Carry a plan out, certified."""
        self._cut = self._engine.cut(plan)
        return self._engine.prune(plan, self._probe)

    def repair(self, plan: Plan) -> Plan:
        """Repair what the cut left; the plan says how well."""
        if self._record is None or self._cut is None or not plan.cuts:
            return plan
        done = repair(self._layer, self._record, self._cut, ridge=self._ridge, leave=self._leave)
        return plan.model_copy(update={"repair": done})

    def undo(self) -> None:
        """The dense network again, bit for bit."""
        self.restore(self._layer)


def measured(cutter: Cutter, plan: Plan, measure: Callable[[], Score]) -> Score:
    """What a plan costs, cut and repaired; the network is dense again afterwards."""
    try:
        cutter.repair(cutter.cut(plan))
        return measure()
    finally:
        cutter.undo()


def cut_and_repaired(cutter: Cutter, plan: Plan, measure: Callable[[], Score]) -> tuple[Score, Score]:
    """What a plan costs, cut alone and repaired; the network is dense again afterwards."""
    try:
        done = cutter.cut(plan)
        cut = measure()
        return cut, measure() if cutter.repair(done).repair is not None else cut
    finally:
        cutter.undo()


def largest_cut(cutter: Cutter, path: Path, measure: Callable[[], Score], max_loss: float) -> tuple[Plan, int]:
    """The plan furthest along a path whose measured joint loss is within a limit, and how many were measured.

    Raises:
        PlanError: not even the smallest one that was tried is.
    """

    found = search(lambda place: measured(cutter, path.plan(place), measure), max_loss)
    plan = path.plan(found.place)
    if not plan.cuts:
        place, score = min(found.tried.items())
        error = "" if score.error is None else f" ± {score.error:.4f}"
        raise PlanError(
            f"no cut within max_loss {max_loss:g} was found: the smallest one tried, {place:.1%} of the way, lost "
            f"{score.loss:.4f}{error} after its repair; allow more, or give more evaluation samples"
        )
    return plan, len(found.tried)


def carry_out(
    cutter: Cutter,
    plan: Plan,
    measure: Callable[[], Score],
    *,
    asked: float | None = None,
    tried: int = 0,
    earlier: int = 0,
) -> Plan:
    """Cut, measure, repair, measure, and say it all; the network stays cut.

    Args:
        cutter: of the network.
        plan: what goes.
        measure: the network's loss as it stands, on samples that no search has seen.
        asked: the most that it might lose.
        tried: how many plans a search measured.
        earlier: how many cuts the network has been through.
    """
    expected = plan.expected
    plan = cutter.cut(plan)
    say(plan.summary())
    if plan.latency is not None:
        say(plan.latency.describe())
    if plan.certificate is not None:
        say(f"certificate: {plan.certificate.describe()}")
    after_cut = measure()
    plan = cutter.repair(plan)
    repaired = measure() if plan.repair is not None else after_cut
    joint = JointLoss(
        asked=asked,
        expected=sum(expected) if expected else None,
        cut=after_cut.loss,
        repaired=repaired.loss,
        error=repaired.error,
        samples=repaired.samples,
        tried=tried,
        earlier=earlier,
    )
    if plan.repair is not None:
        say(f"repair: {plan.repair.describe()}")
        for name, why in plan.repair.left.items():
            say(f"repair: {name} is left as cut: {why}")
    say(joint.describe())
    return plan.model_copy(update={"joint": joint})
