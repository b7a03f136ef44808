"""A network's latency: foretold from its layers' times, and measured on what a plan really leaves."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from paddle import nn

from paddleprune.console import counted, progress, say
from paddleprune.errors import ConfigError, GraphError, PlanError
from paddleprune.graph import ChannelGraph, Input, random_inputs
from paddleprune.machine.cpu import cpu_name, cpu_threads
from paddleprune.machine.heap import kept_heap
from paddleprune.measure.evaluation import eager_forward
from paddleprune.measure.latency import measure_latency
from paddleprune.measure.layer_times import LayerSpec, noting_calls, time_layer
from paddleprune.measure.time_cache import TimeCache
from paddleprune.pruning import Plan, make_plan, shrink
from paddleprune.pruning.outcome import MeasuredLatency
from paddleprune.pruning.surgery import snapshot
from paddleprune.runtimes.modes import MODES, mode_of, write_for
from paddleprune.settings import PruneSettings
from paddleprune.solver import Ceiling, Costs, LayerLatency
from paddleprune.solver import Path as PlanPath

_FITTED_AT = (0.25, 0.5)
"""Shares of every group that are cut for the whole networks that layers' times are fitted to."""
_TRIES = 6
_NEAR = 0.06
"""A plan whose latency is this near below its limit is taken."""
_AIM = 1 - _NEAR / 2
"""The share of the limit that is aimed at: runs of one model differ by a few percent from minute to minute."""
_SECONDS = 0.6


class Stopwatch:
    """Times one network, as it is and cut, in one runtime on this CPU.

    Args:
        layer: the dense network.
        graph: its channel graph.
        asked: the runtime, its threads, and whether oneDNN is on.

    Attributes:
        graph: the network's channel graph.
        blocks: channels that the CPU may take at once, the most first.

    Raises:
        ConfigError: the network can't be exported, or takes other inputs than numbers.
        DependencyError: the runtime isn't installed.
    """

    def __init__(self, layer: nn.Layer, graph: ChannelGraph, asked: PruneSettings) -> None:
        self._layer, self.graph = layer, graph
        self._mode, self.threads = mode_of(asked), asked.threads or cpu_threads()
        self._runtime = MODES[self._mode]
        self._runtime.check()
        self.blocks = self._runtime.blocks
        self._shapes = [_shape(given) for given in graph.inputs]

    def foretell(self) -> LayerLatency:
        """What foretells the latency of cuts: layers are timed where that isn't known from an earlier time."""
        block = self.blocks[-1]
        cache, wanted = TimeCache(self._runtime, self.threads), list[tuple[LayerSpec, int, int]]()
        calls = self._calls()

        def known(spec: LayerSpec, reads: int, makes: int) -> float:
            wanted.append((spec, reads, makes))
            return 0.0

        LayerLatency(self.graph, calls, known, block)  # what will be asked for
        missing = list(dict.fromkeys(entry for entry in wanted if _key(*entry) not in cache))
        if missing:
            with kept_heap(), progress("time the layers", len(missing)) as bar:  # a network keeps its memory, too
                for spec, reads, makes in missing:
                    cache.get(_key(spec, reads, makes), lambda: self._time(spec, reads, makes))  # noqa: B023
                    bar.advance()
            cache.save()
        model = LayerLatency(
            self.graph, calls, lambda *entry: cache.get(_key(*entry), lambda: self._time(*entry)), block
        )
        cuts = [(), *(self._cut(share) for share in _FITTED_AT)]
        model.fit(list(zip(cuts, self.measure(cuts), strict=True)))
        say(f"latency foretold from {len(set(wanted))} times of layers, within {model.error:.1%} of whole networks")
        return model

    def measure(self, cuts: Sequence[Collection[int]]) -> list[float]:
        """Milliseconds of one sample without some units, each; all in turns, so that they can be compared."""
        with tempfile.TemporaryDirectory(prefix="paddleprune-") as folder:
            paths = {}
            restore = snapshot(self._layer, self.graph)
            for number, removed in enumerate(cuts):
                try:
                    shrink(self._layer, self.graph, removed)
                    paths[str(number)] = Path(folder) / str(number) / "model"
                    write_for((self._mode,), self._layer, self._shapes, paths[str(number)])
                except GraphError as error:
                    raise ConfigError(f"latency can't be measured: {error}") from error
                finally:
                    restore(self._layer)
            found = measure_latency(paths, threads=self.threads, seconds=_SECONDS, modes=(self._mode,))
        return [found[str(number)][self._mode].median_ms for number in range(len(cuts))]

    def of_plan(self, plan: Plan, foretold: float, asked: float | None, share: float | None = None) -> MeasuredLatency:
        """What a plan leaves takes, in turns with the dense network.

        Args:
            plan: what goes.
            foretold: what was said of it.
            asked: the most that it may take.
            share: the same as a share of what the dense network takes now, where that was asked.
        """
        dense, pruned = self.measure([(), plan.removed(self.graph)])
        return MeasuredLatency(
            dense=dense,
            pruned=pruned,
            foretold=foretold,
            asked=asked if share is None else share * dense,
            runtime=self._runtime.name,
            version=self._runtime.version,
            threads=self.threads,
            onednn=self._runtime.onednn,
            machine=cpu_name(),
        )

    def _calls(self) -> list[tuple[str, LayerSpec]]:
        with noting_calls(self._layer) as calls:
            eager_forward(self._layer)(random_inputs(self.graph.inputs))
        return calls

    def _cut(self, share: float) -> list[int]:
        """What goes where every group loses a share, in whole blocks."""
        groups = self.graph.prunable
        places = {group.name: {unit: place for place, unit in enumerate(group.units)} for group in groups}
        rankings = {group.name: [places[group.name][unit] for unit in group.removable()] for group in groups}
        ratios = dict.fromkeys(rankings, share)
        return make_plan(self.graph, ratios, rankings, criterion="any", round_to=self.blocks[-1]).removed(self.graph)

    def _time(self, spec: LayerSpec, reads: int, makes: int) -> float:
        try:
            return time_layer(spec, reads, makes, runtime=self._runtime, threads=self.threads)
        except GraphError as error:
            raise ConfigError(f"latency can't be measured: {error}") from error


def within_latency(
    path: PlanPath, costs: Costs, ceiling: Ceiling, watch: Stopwatch, graph: ChannelGraph, share: float | None
) -> Plan:
    """The first plan of a path within a ceiling whose measured latency is within it, too.

    What was foretold is corrected by what is measured until the limit is met, twice in a row, and nearly reached.

    Args:
        path: the plans to choose from.
        costs: of the network.
        ceiling: its latency is a time.
        watch: of the network.
        graph: its channel graph.
        share: the limit as a share of what the dense network takes in the same run; None where it is a time.

    Raises:
        PlanError: the limit isn't met by anything that was tried.
    """
    limit = foretold = ceiling.limits["latency"]
    best: Plan | None = None
    tried: list[MeasuredLatency] = []
    while len(tried) < _TRIES:
        plan = path.at_most(Ceiling({**ceiling.limits, "latency": foretold}, ceiling.save))
        found = watch.of_plan(plan, costs.of(plan)["latency"], limit, share)
        if found.reached <= 1:  # of several plans one is lucky: the limit must be met again
            found = watch.of_plan(plan, found.foretold, limit, share)
        tried.append(found)
        if found.reached <= 1 and (best is None or plan.after.flops > best.after.flops):
            best = plan.model_copy(update={"latency": found})
        if 1 - _NEAR <= found.reached <= 1 or [t.foretold for t in tried].count(found.foretold) > 1:
            break
        foretold *= _AIM / found.reached
    if best is None:
        fastest = min(tried, key=lambda found: found.pruned)
        raise PlanError(
            f"latency {limit:.3g} ms can't be had: the fastest of {counted(len(tried), 'plan')} took "
            f"{fastest.pruned:.3g} of the dense model's {fastest.dense:.3g} ms; allow more"
        )
    return best


def _shape(given: Any) -> tuple[int, ...]:
    if not isinstance(given, Input) or given.dtype != "float32":
        raise ConfigError(f"latency is measured for networks whose inputs are float32 tensors; one of these is {given}")
    return given.shape[1:]


def _key(spec: LayerSpec, reads: int, makes: int) -> str:
    return f"{spec.model_dump_json()} {reads} {makes}"
