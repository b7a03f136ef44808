"""Adaptive sweeps: fewer evaluations, the same plans; standard errors; time budgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small

from paddleprune.engines import open_engine
from paddleprune.interfaces import Array, Dataset, Metric, Sample
from paddleprune.measure.evaluation import Batches
from paddleprune.sensitivity import DataMeasurer, Identity, Question, SensitivityTable, left_out, sweep, unsure
from paddleprune.sensitivity.masked.evaluators import EagerEvaluator, Outputs, Stage
from paddleprune.settings import RATIOS

SAMPLES = 400
IDENTITY = Identity(model="", data="", samples=SAMPLES, metric="accuracy", higher_is_better=True, criterion="l1")


class Counted(Dataset):
    """Its samples are their own numbers."""

    labels = ("right",)

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> Sample:
        return (np.array([index]),), 1


class Right(Metric):
    """Share of outputs that are 1, with a score for each sample."""

    primary = "accuracy"

    def reset(self) -> None:
        self.seen: list[float] = []

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        self.seen += outputs[0].tolist()

    def accumulate(self) -> list[float]:
        return [float(np.mean(self.seen))]

    def name(self) -> list[str]:
        return ["accuracy"]

    def sample_scores(self, outputs: tuple[Array, ...], targets: Any) -> Array | None:
        return np.asarray(outputs[0], float)


class ByBatch(Right):
    """The same, but with no score for a sample."""

    def sample_scores(self, outputs: tuple[Array, ...], targets: Any) -> Array | None:
        return None


class Group:
    """As the sweep sees it."""

    def __init__(self, name: str) -> None:
        self.name, self.size = name, 100

    def count(self, ratio: float) -> int:
        return round(ratio * 100)


class Drawn:
    """Networks that get samples wrong at random, more at larger ratios; how many they have seen, and a clock."""

    most_samples = None

    def __init__(self, groups: int, seed: int = 0, seconds: float = 0.0) -> None:
        generator = np.random.default_rng(seed)
        self.groups = [Group(f"g{i}") for i in range(groups)]
        self.right: dict[tuple[str, float], Array] = {}
        self.dense = (generator.random(SAMPLES) < 0.9).astype(float)
        self.samples, self.now, self._seconds = 0, 0.0, seconds
        for group in self.groups:
            steepness, luck = generator.uniform(1, 6), generator.random(SAMPLES)
            for ratio in RATIOS:
                noise = generator.random(SAMPLES) < 0.01
                kept = luck > ratio**steepness
                self.right[group.name, ratio] = np.where(noise, 1 - self.dense, self.dense * kept)

    @contextmanager
    def open(self, groups: Sequence[str]) -> Iterator[Stage]:
        yield self._run

    def together(self, groups: Sequence[str]) -> list[list[str]]:
        return [list(groups[i : i + 3]) for i in range(0, len(groups), 3)]

    def _run(self, inputs: tuple[Array, ...], shares: Sequence[Mapping[str, float]]) -> Iterator[Outputs]:
        for share in shares:
            self.now += self._seconds
            self.samples += len(inputs[0]) if share else 0
            right = self.right[next(iter(share.items()))] if share else self.dense
            yield (right[inputs[0][:, 0]],)

    def swept(
        self, question: Question, file: Path | None = None, *, metric: Metric | None = None, budget: float | None = None
    ) -> SensitivityTable:
        self.samples = 0
        measurer = DataMeasurer(self, metric or Right(), Batches(Counted(), 25), question, budget)
        return sweep(self.groups, measurer, IDENTITY, question=question, save_file=file)


def test_ratios_above_one_that_is_far_beyond_the_tolerance_are_not_run(tmp_path: Path) -> None:
    networks, file = Drawn(30), tmp_path / "table.json"
    whole, table = networks.swept(Question()), networks.swept(Question((0.05,)), file)
    steep = [group for group in networks.groups if whole.loss_at(group.name, 0.5) > 0.3]
    assert len(steep) >= 3
    for group in steep:
        assert table.groups[group.name][-1].ratio < 0.9
        assert table.groups[group.name][-1].loss > 0.05
    assert networks.swept(Question((0.5,)), file).ratios_for(0.5) == whole.ratios_for(0.5)
    assert networks.swept(Question(), file) == whole


@pytest.mark.parametrize("metric", [Right(), ByBatch()])
def test_the_plan_for_a_tolerance_is_that_of_the_whole_table(metric: Metric) -> None:
    networks = Drawn(60)
    whole = networks.swept(Question(), metric=metric)
    everything = networks.samples
    assert everything == 60 * 9 * SAMPLES
    for tolerance in (0.02, 0.05, 0.3):
        table = networks.swept(Question((tolerance,)), metric=metric)
        assert networks.samples < 0.5 * everything
        assert table.ratios_for(tolerance) == whole.ratios_for(tolerance)
        assert not unsure(table, networks.groups, Question((tolerance,)))
        note = left_out(table, networks.groups, RATIOS, Question((tolerance,)))
        assert note is not None
        assert note.endswith("those can't change the plans that were asked for")
    assert left_out(whole, networks.groups, RATIOS, Question()) is None


def test_several_tolerances_and_all_up_to_one() -> None:
    networks = Drawn(40, seed=1)
    whole = networks.swept(Question())
    few = networks.swept(Question((0.05, 0.2)))
    assert all(few.ratios_for(t) == whole.ratios_for(t) for t in (0.05, 0.2))
    everything, until = networks.samples, networks.swept(Question(until_loss=0.3))
    assert networks.samples > everything
    assert networks.samples < 0.9 * 40 * 9 * SAMPLES
    for tolerance in np.linspace(0, 0.3, 31):
        assert until.ratios_for(tolerance) == whole.ratios_for(tolerance)


def test_what_is_measured_is_exact_and_what_is_implied_says_on_how_many_samples() -> None:
    networks = Drawn(20, seed=2)
    whole, table = networks.swept(Question()), networks.swept(Question((0.05,)))
    implied = 0
    for name, points in table.groups.items():
        for point in points:
            exact = whole.point(name, point.ratio)
            assert exact is not None
            assert point.samples is not None
            assert point.implied == (point.samples < SAMPLES)
            implied += point.implied
            if not point.implied:
                assert point == exact
            else:
                assert point.error is not None
                assert abs(point.loss - exact.loss) < 6 * max(point.error, 1 / point.samples)
    assert 0 < implied < 180


def test_standard_errors_are_those_of_paired_differences() -> None:
    networks = Drawn(5)
    table = networks.swept(Question())
    baseline = networks.dense.mean()
    for name, points in table.groups.items():
        for point in points:
            drops = (networks.dense - networks.right[name, point.ratio]) / baseline
            assert point.loss == pytest.approx(drops.mean())
            assert point.error == pytest.approx(drops.std(ddof=1) / SAMPLES**0.5)
    batched = networks.swept(Question(), metric=ByBatch())
    point, other = batched.groups["g0"][5], table.groups["g0"][5]
    assert (point.metric, point.loss) == (other.metric, other.loss)
    assert point.error is not None
    assert other.error is not None
    assert 0.3 < point.error / other.error < 3


def test_a_loss_that_is_negative_stays_so() -> None:
    networks = Drawn(1)
    networks.right["g0", 0.3] = np.ones(SAMPLES)
    point = networks.swept(Question()).point("g0", 0.3)
    assert point is not None
    assert point.loss == pytest.approx(1 - 1 / networks.dense.mean())
    assert point.loss < 0


def test_another_tolerance_adds_to_the_table_and_everything_completes_it(tmp_path: Path) -> None:
    networks, file = Drawn(20, seed=3), tmp_path / "table.json"
    whole = networks.swept(Question())
    networks.swept(Question((0.05,)), file)
    before = file.read_bytes()
    networks.swept(Question((0.05,)), file)
    assert networks.samples == 0
    assert file.read_bytes() == before
    both = networks.swept(Question((0.3,)), file)
    assert all(both.ratios_for(t) == whole.ratios_for(t) for t in (0.05, 0.3))
    assert networks.swept(Question(), file) == whole
    assert SensitivityTable.load(file) == whole


def clocked(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Drawn:
    """Ten groups of which an entry takes so long on a batch, by a clock of their own."""
    networks = Drawn(10, seconds=seconds)
    monkeypatch.setattr("paddleprune.sensitivity.measuring.measurer.time.monotonic", lambda: networks.now)
    return networks


def test_a_time_budget_sees_every_group_then_those_that_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks, file, question = clocked(monkeypatch, 0.01), tmp_path / "table.json", Question((0.05,))
    table = networks.swept(question, file, budget=2.0)
    assert networks.now == pytest.approx(2.0, abs=0.3)  # a batch that was begun is ended
    assert all(table.groups.values())
    seen = sorted({point.samples for points in table.groups.values() for point in points})
    assert seen[0] == 25
    assert seen[-1] > 25
    note = left_out(table, networks.groups, RATIOS, question)
    assert note is not None
    assert "the plan may still change at" in note
    longer = networks.swept(question, file, budget=100)
    assert not unsure(longer, networks.groups, question)
    assert longer.ratios_for(0.05) == networks.swept(Question()).ratios_for(0.05)


def test_a_time_budget_that_is_too_short_for_every_group_says_which_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    networks = clocked(monkeypatch, 0.1)
    table = networks.swept(Question(), budget=2.0)
    note = left_out(table, networks.groups, RATIOS, Question())
    assert note is not None
    assert "weren't looked at" in note
    assert [name for name, points in table.groups.items() if points] == ["g0", "g1", "g2"]
    assert "g9" in [name for name, points in table.groups.items() if not points]


def test_exact_adaptive_and_eager_sweeps_make_the_same_plan() -> None:
    layer, graph, _ = small.parts()
    data = small.Noise(layer, 200)
    engine = open_engine("native", layer, graph, "l1")
    exact, adaptive = (
        small.swept(layer, graph, small.Accuracy(), Batches(data, 64), question=question)
        for question in (Question(), Question((0.05,)))
    )
    measurer = DataMeasurer(EagerEvaluator(engine.removing), small.Accuracy(), Batches(data, 64), Question())
    eager = sweep(engine.groups, measurer, exact.identity)
    plans = [engine.plan(table.ratios_for(0.05)) for table in (exact, adaptive, eager)]
    assert plans[0] == plans[1] == plans[2]
    assert plans[0].groups
    assert sum(p.implied for points in adaptive.groups.values() for p in points) > 0
    for name, points in exact.groups.items():
        assert [p.metric for p in points] == pytest.approx([p.metric for p in eager.groups[name]], abs=1 / 200)
