"""What a comparison says about each model, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from paddleprune.amounts import FLOP
from paddleprune.machine.cpu import cpu_name
from paddleprune.measure.latency import Latency, fastest_of
from paddleprune.pruning.outcome import JointLoss
from paddleprune.runtimes.modes import MODES, Mode
from paddleprune.specs import Contract


class MetricValue(Contract):
    """The primary metric of the task.

    Attributes:
        name: what the task calls it.
        value: over all samples.
        error: the standard error of the difference to the first model's, from the differences sample by sample, or
            batch by batch where the metric scores no single sample; None for the first.
    """

    name: str
    value: float
    error: float | None = None


class ComparisonRow(Contract):
    """One model.

    Attributes:
        name: what the user calls it.
        parameters: numbers that training may change.
        flops: of one forward pass of one sample.
        file_bytes: size of the checkpoint's weights file.
        latency_ms: mode -> median milliseconds that one image takes on the CPU.
        latency_spread_ms: mode -> the 10th and the 90th percentile.
        metric: the primary metric; None if nobody asked for one.
        joint: what the plan cost when it was carried out, before any retraining; None if that wasn't measured.
    """

    name: str
    parameters: int
    flops: int
    file_bytes: int
    latency_ms: dict[Mode, float]
    latency_spread_ms: dict[Mode, tuple[float, float]]
    metric: MetricValue | None = None
    joint: JointLoss | None = None

    def as_fast_as(self, other: ComparisonRow, mode: Mode) -> bool:
        """Whether two latencies differ by no more than the runs do: one's median is within the other's percentiles."""
        pairs = ((self, other), (other, self))
        return any(b.latency_spread_ms[mode][0] <= a.latency_ms[mode] <= b.latency_spread_ms[mode][1] for a, b in pairs)

    def fastest(self) -> list[Mode]:
        """The modes that run it fastest, as `fastest_of` says."""
        return fastest_of({mode: (ms, self.latency_spread_ms[mode][1]) for mode, ms in self.latency_ms.items()})


class Conditions(Contract):
    """How a comparison was measured.

    Attributes:
        cpu: its name.
        threads: of the CPU.
        runs: the least that were timed.
        runtimes: the libraries that ran the models, with their versions.
        flop: what counts as one.
    """

    cpu: str
    threads: int
    runs: int
    runtimes: tuple[str, ...]
    flop: str = FLOP


def comparison_row(
    name: str,
    *,
    parameters: int,
    flops: int,
    file_bytes: int,
    latency: Mapping[Mode, Latency],
    metric: MetricValue | None,
    joint: JointLoss | None = None,
) -> ComparisonRow:
    """A row, from what was measured; arguments as the row's attributes."""
    return ComparisonRow(
        name=name,
        parameters=parameters,
        flops=flops,
        file_bytes=file_bytes,
        latency_ms={mode: round(value.median_ms, 4) for mode, value in latency.items()},
        latency_spread_ms={mode: (round(value.p10_ms, 4), round(value.p90_ms, 4)) for mode, value in latency.items()},
        metric=metric,
        joint=joint,
    )


def conditions(latencies: Iterable[Mapping[Mode, Latency]]) -> Conditions:
    """How these latencies were measured, on this machine; `runs` is the least number of any of them."""
    latencies = list(latencies)
    libraries = dict.fromkeys(MODES[mode] for latency in latencies for mode in latency)
    measured = [value for latency in latencies for value in latency.values()]
    return Conditions(
        cpu=cpu_name(),
        threads=max(value.threads for value in measured),
        runs=min(value.runs for value in measured),
        runtimes=tuple(dict.fromkeys(f"{runtime.library} {runtime.version}" for runtime in libraries)),
    )
