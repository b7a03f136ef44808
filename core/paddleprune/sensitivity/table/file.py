"""The sensitivity table: group -> ratio -> metric and metric loss. A file that grows safely."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict, Field

from paddleprune.errors import TableError
from paddleprune.interfaces import Array
from paddleprune.measure.drawn import SAMPLED
from paddleprune.settings import EngineName, Estimate
from paddleprune.signed import Signed, read_signed, write_signed
from paddleprune.specs import Contract

if TYPE_CHECKING:
    from paddle import nn


class Identity(Contract):
    """What a table belongs to.

    Attributes:
        model: hash of the measured network's weights.
        data: hash of the decoded evaluation data, of large data of a part of it; empty where it isn't known.
        samples: how many samples it has; 0 where that isn't known.
        metric: name of the primary metric.
        higher_is_better: its direction.
        criterion: what ranked the units, by its name.
        engine: what found the groups and removed their units.
        imported: what the losses were taken from, if another program measured them.
        estimated: how the losses were foretold, if they weren't measured: they are rises of the training loss then.
    """

    model: str
    data: str
    samples: int
    metric: str
    higher_is_better: bool
    criterion: str
    engine: EngineName = "native"
    imported: str | None = None
    estimated: Estimate | None = None


class Point(Contract):
    """One entry of the table.

    Attributes:
        ratio: share of the group's units that was asked to go.
        removed: the share that really went: whole units, and every axis keeps a channel; None where that isn't known.
        metric: the primary metric then; None where it is no number.
        loss: (baseline - metric) / |baseline|, the sign turned where lower is better; negative where masking helped,
            "Infinity" where the metric is no number.
        error: the standard error of the loss, from the differences to the dense network sample by sample; None
            where it isn't known.
        samples: how many samples were looked at; None where that isn't known.
        implied: whether these were only so many that the rest can't matter to the tolerances that were asked for
            (or that time allowed): metric and loss are then estimates.
    """

    model_config = ConfigDict(ser_json_inf_nan="strings")

    ratio: float = Field(gt=0, lt=1)
    removed: float | None = None
    metric: float | None
    loss: float
    error: float | None = None
    samples: int | None = None
    implied: bool = False


class SensitivityTable(Signed):
    """How much the metric drops for every group and ratio.

    Attributes:
        identity: what the table belongs to.
        baseline: the dense network's metric.
        groups: group name -> points, by ascending ratio; in the network's order.
        scores: group name -> the score that each of its units was ranked by, where scores come from data.
    """

    signed_since: ClassVar[int] = 3
    way_out: ClassVar[str] = "use another copy, or analyze again into another file"

    schema_version: int = 3
    identity: Identity
    baseline: float
    groups: dict[str, tuple[Point, ...]]
    scores: dict[str, tuple[float, ...]] | None = None

    @property
    def criterion(self) -> str:
        """What ranked the units, by its name."""
        return self.identity.criterion

    def with_point(self, group: str, point: Point) -> SensitivityTable:
        """The table with one more entry, or another one in its place."""
        others = [p for p in self.groups.get(group, ()) if abs(p.ratio - point.ratio) >= 1e-9]
        points = sorted([*others, point], key=lambda p: p.ratio)
        return self.model_copy(update={"groups": {**self.groups, group: tuple(points)}})

    def point(self, group: str, ratio: float) -> Point | None:
        """The measurement at a ratio, if there is one."""
        return next((p for p in self.groups.get(group, ()) if abs(p.ratio - ratio) < 1e-9), None)

    def check(self, identity: Identity, place: str) -> None:
        """Refuse a table of something else.

        Raises:
            TableError: naming the first difference.
        """
        words = {
            "imported": f"another program ({self.identity.imported})",
            "estimated": f"no evaluation (estimated: {self.identity.estimated or 'no'})",
            "engine": f"the engine {self.identity.engine}, not {identity.engine}",
            "model": "another model (the weights differ)",
            "samples": f"{self.identity.samples} samples, not {identity.samples}",
            "data": "other data (the decoded samples or labels differ)"
            if self.identity.data.startswith(SAMPLED) == identity.data.startswith(SAMPLED)
            else "an earlier version, which told large data apart by all of its samples",
            "metric": f"the metric {self.identity.metric}, not {identity.metric}",
            "higher_is_better": "a metric of the other direction",
            "criterion": f"the criterion {self.identity.criterion}, not {identity.criterion}",
        }
        for field, what in words.items():
            if getattr(self.identity, field) != getattr(identity, field):
                raise TableError(f"{place} was measured with {what}; choose another file or analyze again")

    def check_model(self, digest: str, place: str) -> None:
        """Refuse a table of another model, by the hash of its weights.

        Raises:
            TableError: it was measured with other weights.
        """
        if self.identity.model != digest:
            raise TableError(f"{place} was measured with other weights than this model's; analyze this model")

    def ratios_for(self, eval_metric_loss: float) -> dict[str, float]:
        """For each group alone, the largest ratio whose loss stays within the tolerance.

        As the original: the largest measured ratio whose loss is within it, interpolated linearly toward
        the next one. A group whose smallest ratio already loses more is left whole.
        """
        found: dict[str, float] = {}
        for name, points in self.groups.items():
            within = [i for i, p in enumerate(points) if p.loss <= eval_metric_loss]
            if not within:
                continue
            last = points[within[-1]]
            found[name] = last.ratio
            if within[-1] + 1 < len(points):
                after = points[within[-1] + 1]
                share = (eval_metric_loss - last.loss) / (after.loss - last.loss)
                found[name] += share * (after.ratio - last.ratio)
        return found

    def loss_at(self, group: str, ratio: float) -> float:
        """The loss that the table expects of a group at a ratio, interpolated; 0 at ratio 0."""
        points = self.groups.get(group, ())
        below, loss = 0.0, 0.0
        for point in points:
            if ratio <= point.ratio:
                share = (ratio - below) / (point.ratio - below)
                return _between(loss, point.loss, share)
            below, loss = point.ratio, point.loss
        return loss

    def save(self, path: Path) -> None:
        """Replace the file, atomically."""
        write_signed(path, self)

    @classmethod
    def load(cls, path: Path) -> SensitivityTable:
        """Read a table.

        Raises:
            TableError: the file isn't one, isn't what was saved, or a newer version wrote it.
        """
        return read_signed(path, cls, TableError)


def _between(below: float, above: float, share: float) -> float:
    """A loss between two others, the second of which counts so much; infinite where it lies beside an infinite one."""
    if share in (0, 1):
        return above if share else below
    return math.inf if math.inf in (below, above) else below + (above - below) * share


def model_digest(layer: nn.Layer) -> str:
    """A hash of every parameter and buffer that is saved: which model this is, to the bit."""
    from paddleprune.graph.tensors import saved_tensors

    return weights_digest({name: tensor.numpy() for name, tensor in saved_tensors(layer).items()})


def weights_digest(weights: Mapping[str, Array]) -> str:
    """The same hash, of weights by structured name."""
    total = hashlib.sha256()
    for name, array in sorted(weights.items()):
        total.update(f"{name}{array.dtype}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
