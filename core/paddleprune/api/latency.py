"""How long a model takes on this CPU, in every runtime that is installed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from paddle import nn

from paddleprune.api.loading import open_network
from paddleprune.console import progress
from paddleprune.errors import ConfigError
from paddleprune.machine.cpu import cpu_name, cpu_threads
from paddleprune.measure.cold import measure_cold
from paddleprune.measure.latency import measure_latency
from paddleprune.registry import Registry
from paddleprune.reports import Latencies, LatencyRow
from paddleprune.runtimes.modes import MODES, modes_of, write_for
from paddleprune.training import select_device


def latency(
    model: str | Path | nn.Layer,
    *,
    shapes: Sequence[Sequence[int]] = (),
    runtime: str | Sequence[str] = "all",
    threads: Sequence[int] = (),
    batch: Sequence[int] = (1,),
) -> Latencies:
    """Time a model in several runtimes, with several numbers of threads and samples a run, and say which is fastest.

    What is to be compared takes turns in one process. What the first run costs is measured in a process of its own.

    Args:
        model: a checkpoint folder; or any layer, which is left as it was.
        shapes: of the inputs of a layer, without the batch axis, such as [(3, 224, 224)].
        runtime: "paddle" (Paddle Inference, with oneDNN on and off), "onnxruntime", "openvino", several of them, or
            "all", which are those that are installed.
        threads: CPU threads, each of which is tried; by default one, and all cores.
        batch: samples a run, each of which is tried.

    Raises:
        ConfigError: a number isn't positive, or a layer has no shapes.
        CheckpointError: the checkpoint can't be used.
        DependencyError: a runtime isn't installed.
        GraphError: the model can't be exported.
    """
    modes = modes_of([runtime] if isinstance(runtime, str) else runtime)
    counts = list(dict.fromkeys(threads)) or sorted({1, cpu_threads()})
    sizes = list(dict.fromkeys(batch)) or [1]
    for name, numbers in (("threads", counts), ("batch", sizes)):
        if min(numbers) < 1:
            raise ConfigError(f"{name} is {min(numbers)}; give numbers of 1 and more")
    select_device("cpu")
    network = open_network(Registry.discover(), model, shapes)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        places = {size: Path(folder) / str(size) / "model" for size in sizes}
        for size, place in places.items():
            write_for(modes, network.layer, network.shapes, place, size)
        for count in counts:
            named = {f"batch {size}": place for size, place in places.items()}
            for size, times in zip(sizes, measure_latency(named, threads=count, modes=modes).values(), strict=True):
                found.update({(count, size, mode): value for mode, value in times.items()})
        starts = {}
        with progress("first runs", len(found)) as bar:
            for count, size, mode in found:
                starts[count, size, mode] = measure_cold(places[size], mode, count)
                bar.advance()
    rows = [
        LatencyRow(mode=mode, batch=size, latency=value, start=starts[count, size, mode])
        for (count, size, mode), value in found.items()
    ]
    libraries = dict.fromkeys(f"{MODES[mode].library} {MODES[mode].version}" for mode in modes)
    return Latencies(cpu=cpu_name(), runtimes=tuple(libraries), rows=tuple(rows))
