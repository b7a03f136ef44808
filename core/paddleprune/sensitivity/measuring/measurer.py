"""The entries of a table, measured on data: group after group, batch after batch, as far as they are wanted."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

from paddleprune.console import Task as Bar
from paddleprune.console import progress
from paddleprune.interfaces import Array, Metric
from paddleprune.machine.heap import kept_heap
from paddleprune.measure.evaluation import Batches
from paddleprune.sensitivity.masked.evaluators import Evaluator, Stage
from paddleprune.sensitivity.measuring.kept import Kept
from paddleprune.sensitivity.measuring.questions import Question
from paddleprune.sensitivity.measuring.scores import Baseline, Score, Tally

Entry: TypeAlias = tuple[str, float]
"""A group, and the share of it that goes."""
Known: TypeAlias = Mapping[float, Score | None]
"""What is known of a group: ratio -> its score; None where it is to be measured."""
Scores: TypeAlias = dict[Entry, Score]
_SECONDS_BETWEEN_SAVES = 5.0


class Measurer(Protocol):
    """What a sweep asks."""

    def baseline(self) -> float:
        """The dense network's primary metric."""

    def measure(self, work: Mapping[str, Known], baseline: float) -> Generator[Scores, None, None]:
        """Measure groups, each as far as is wanted; scores come as they are found, later ones replace earlier ones.

        Args:
            work: group -> what is known of it.
            baseline: the dense network's metric, as the table has it.
        """


class DataMeasurer:
    """Measures entries on the samples of a dataset.

    Args:
        evaluator: runs the network without shares of its groups.
        metric: its primary value counts.
        batches: the evaluation data; an entry is asked about after each batch.
        question: which entries are wanted.
        time_budget: seconds that `measure` may take; None for as long as it takes.
        kept: where entries that are being measured are kept, every few seconds and when they are interrupted.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        metric: Metric,
        batches: Batches,
        question: Question,
        time_budget: float | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._kept, self._saved, self._baseline = kept, time.monotonic(), 0.0
        self._evaluator, self._metric, self._batches, self._question = evaluator, metric, batches, question
        self._time_budget = time_budget
        self._samples = len(batches.dataset)
        self._starts = range(0, self._samples, batches.batch_size)
        self._known_dense: Baseline | None = None

    def baseline(self) -> float:
        """The dense network's primary metric."""
        return self.dense.value

    @property
    def dense(self) -> Baseline:
        """What is found of the dense network, on all samples; it is run once."""
        if self._known_dense is None:
            self._known_dense = self._run_dense()
        return self._known_dense

    def take_over(self, dense: Baseline) -> None:
        """Don't run the dense network, but believe this, unless it was found on other batches."""
        if list(dense.scores) == list(self._starts):
            self._known_dense = dense

    def _run_dense(self) -> Baseline:
        tally = Tally(self._metric)
        with kept_heap(), self._evaluator.open(()) as stage, progress("baseline", len(self._starts)) as bar:
            for start in self._starts:
                self._run(stage, start, [tally], [{}])
                bar.advance()
        return Baseline(tally.value(), tally.scores, self._samples, self._metric.higher_is_better)

    def measure(self, work: Mapping[str, Known], baseline: float) -> Generator[Scores, None, None]:
        """Measure groups, each as far as is wanted."""
        self._baseline, dense = baseline, self.dense.scores
        groups = [_Group(name, known, self._metric, dense) for name, known in work.items()]
        total = sum(len(group.tallies) for group in groups) * self._samples
        deadline = None if self._time_budget is None else time.monotonic() + self._time_budget
        by_name = {group.name: group for group in groups}
        if self._kept is not None:
            for group in groups:
                self._kept.load(group.name, self._baseline, self._batches.batch_size, group.tallies)
        batches = [[by_name[name] for name in names] for names in self._evaluator.together(list(by_name))]
        with kept_heap(), progress("analyze", total) as bar:
            if begun := sum(tally.samples for group in groups for tally in group.tallies.values()):
                bar.advance(begun)
            if deadline is None:
                for some in batches:
                    yield self._advance(some, bar)
            else:
                yield from self._until(deadline, batches, bar)

    def _until(self, deadline: float, batches: Sequence[Sequence[_Group]], bar: Bar) -> Iterator[Scores]:
        """Look at every group once; then, while time is left, see twice as much of the one that is least certain."""
        groups = [group for some in batches for group in some]
        limits = {group.name: self._batches.batch_size for group in groups}
        for some in batches:
            if time.monotonic() < deadline:
                yield self._advance(some, bar, self._batches.batch_size, deadline)
        while time.monotonic() < deadline:
            doubts = {group.name: self._question.doubt(self._known(group), self._samples) for group in groups}
            least = max(groups, key=lambda group: doubts[group.name])
            if not doubts[least.name]:
                return
            limits[least.name] *= 2
            yield self._advance([least], bar, limits[least.name], deadline)

    def _advance(
        self, groups: Sequence[_Group], bar: Bar, limit: int | None = None, deadline: float | None = None
    ) -> Scores:
        """Run groups' entries on the samples that they still want, of the first `limit`."""
        starts = [start for start in self._starts if limit is None or start < limit]
        with self._evaluator.open([group.name for group in groups]) as stage:
            try:
                while self._pass(stage, groups, starts, bar, deadline):
                    pass  # an entry that comes to be wanted again has batches to catch up on
            except KeyboardInterrupt:
                self._keep(groups)
                raise
        if limit is None:
            left = [self._samples - tally.samples for group in groups for tally in group.tallies.values()]
            bar.advance(sum(left), groups[-1].name)
        tallies = [(group.name, ratio, tally) for group in groups for ratio, tally in group.tallies.items()]
        return {(name, ratio): self.dense.score(tally) for name, ratio, tally in tallies if tally.samples}

    def _pass(
        self, stage: Stage, groups: Sequence[_Group], starts: Sequence[int], bar: Bar, deadline: float | None
    ) -> bool:
        """Go through the data once; was anything still wanted?"""
        going = False
        for start in starts:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            lacking = [
                (group.name, ratio, group.tallies[ratio]) for group in groups for ratio in self._lacks(group, start)
            ]
            if lacking:
                self._run(stage, start, [tally for *_, tally in lacking], [{name: ratio} for name, ratio, _ in lacking])
                bar.advance(len(lacking) * min(self._batches.batch_size, self._samples - start), lacking[-1][0])
                going = True
                if time.monotonic() - self._saved > _SECONDS_BETWEEN_SAVES:
                    self._keep(groups)
        return going

    def _keep(self, groups: Sequence[_Group]) -> None:
        if self._kept is not None:
            for group in groups:
                self._kept.save(group.name, self._baseline, self._batches.batch_size, group.tallies)
        self._saved = time.monotonic()

    def _lacks(self, group: _Group, start: int) -> list[float]:
        """The ratios that are wanted and haven't seen the batch that begins at a sample."""
        wanted = self._question.wants(self._known(group), self._samples)
        return [ratio for ratio in wanted if start not in group.tallies[ratio].scores]

    def _run(self, stage: Stage, start: int, tallies: Sequence[Tally], shares: Sequence[Mapping[str, float]]) -> None:
        inputs, targets = self._batches.take(start, start + self._batches.batch_size)
        for tally, outputs in zip(tallies, stage(inputs, shares), strict=True):
            tally.update(start, outputs, targets)

    def _known(self, group: _Group) -> Known:
        """What is known of a group by now."""
        now = {ratio: self.dense.score(t) if t.samples else None for ratio, t in group.tallies.items()}
        return {**group.known, **now}


class _Group:
    """A group that is being measured: what was known of it, and a tally for each ratio that wasn't."""

    def __init__(self, name: str, known: Known, metric: Metric, dense: Mapping[int, Array]) -> None:
        self.name, self.known = name, known
        self.tallies = {ratio: Tally(metric, dense) for ratio, score in known.items() if score is None}
