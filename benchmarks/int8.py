"""INT8 after training: what it costs and what it saves, of dense networks and of those that lost half of their FLOPs.

Each network is cut and repaired (`prune --flops 0.5 --round-to 8`: ONNX Runtime's FP32 kernels are several times slower
on channels that fill no block, and to beat those would be no gain); both go through `quantize`. All four files are
timed in turns in one process, in ONNX Runtime; the metric is from the half of the evaluation samples that no search has
seen. "refused" says why `quantize` would have written nothing for the pruned one. Untrained networks of 224 pixels show
where INT8 pays on this CPU: they have no metric. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from trained import TASKS, Trained, opened, trained

import paddleprune
from paddleprune.api.quantize import Attempt, check_pays
from paddleprune.errors import PlanError
from paddleprune.machine.cpu import cpu_name
from paddleprune.measure.latency import Latency
from paddleprune.quantization import Bench, Figures, Quantized, time_files
from paddleprune.settings import QuantizeSettings

LARGE = ("mobilenet_v2", "resnet50")
_SIDE, _CALIBRATION = 224, 8


def main() -> None:
    """Train or load, cut, quantise, time, print, and end with a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(TASKS), help=f"of {', '.join(TASKS)}")
    parser.add_argument("--folder", type=Path, default=Path("output/bench-repair"), help="keeps the dense networks")
    parser.add_argument("--samples", type=int, default=256, help="that the repair and the ranges are made from")
    parser.add_argument("--flops", type=float, default=0.5, help="share that stays in the pruned network")
    parser.add_argument("--round-to", type=int, default=8, help="channels of the pruned network; FP32 wants blocks")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--large", nargs="*", default=list(LARGE), help="untrained networks at 224 pixels, timed alone")
    asked = parser.parse_args()
    found: dict[str, Any] = {"cpu": cpu_name(), "threads": asked.threads}
    for name in asked.networks:
        found[name] = _network(trained(name, asked.folder), asked)
        print(name, found[name], flush=True)
    for name in asked.large:
        found[f"{name}_{_SIDE}"] = _large(name, asked.folder / "large" / name, asked.threads)
        print(name, found[f"{name}_{_SIDE}"], flush=True)
    print(json.dumps(found))


def _network(network: Trained, asked: argparse.Namespace) -> dict[str, Any]:
    folder = asked.folder / network.name / "int8"
    cut = paddleprune.prune(
        network.checkpoint,
        save_dir=folder / "pruned",
        flops=asked.flops,
        samples=asked.samples,
        round_to=asked.round_to,
        overwrite=True,
        **network.data,
    )
    records, files = dict[str, Quantized](), dict[str, Path]()
    for kind, checkpoint in (("dense", network.checkpoint), ("pruned", cut.best_model)):
        work = opened(Trained(network.name, network.task, network.data, {}, checkpoint), asked.samples)
        place = folder / kind
        place.mkdir(parents=True, exist_ok=True)
        bench = Bench.of(work.loaded.layer, work.loaded.options.input_shapes(), work.samples, place)
        settings = QuantizeSettings(threads=asked.threads)
        records[kind] = Attempt(bench, work.evaluation, work.samples, settings, place / "int8.onnx").carry_out()
        files |= {kind: bench.float32, f"{kind}_int8": place / "int8.onnx"}
    times, dense, pruned = time_files(files, folder, asked.threads), records["dense"], records["pruned"]
    return {
        "metric": pruned.metric,
        "samples": pruned.samples,
        "dense": _row(dense.float32, times["dense"]),
        "dense_int8": _row(dense.int8, times["dense_int8"], dense),
        "pruned": _row(pruned.float32, times["pruned"]),
        "int8": _row(pruned.int8, times["pruned_int8"], pruned),
        "speedup_over_dense": _times(times["dense"], times["pruned_int8"]),
        "speedup_over_pruned": _times(times["pruned"], times["pruned_int8"]),
        "refused": _refused(pruned),
    }


def _row(figures: Figures, latency: Latency, record: Quantized | None = None) -> dict[str, Any]:
    row = {
        "metric": round(figures.metric, 4),
        "bytes": figures.bytes,
        "ms": round(latency.median_ms, 4),
        "p10_p90": [round(latency.p10_ms, 4), round(latency.p90_ms, 4)],
    }
    if record is not None:
        error = None if record.error is None else round(record.error, 4)
        row |= {"loss": round(record.loss, 4), "error": error, "in_float": len(record.left_in_float)}
    return row


def _refused(record: Quantized) -> str | bool:
    try:
        check_pays(record)
    except PlanError as error:
        return str(error)
    return False


def _large(name: str, folder: Path, threads: int) -> dict[str, Any]:
    paddle.seed(0)
    layer = getattr(paddle.vision.models, name)()
    layer.eval()
    images = np.random.default_rng(0).standard_normal((_CALIBRATION, 3, _SIDE, _SIDE), np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench.of(layer, [images.shape[1:]], (images,), folder)
    int8 = bench.write(folder / "int8.onnx")
    times = time_files({"float32": bench.float32, "int8": int8}, folder, threads)
    return {
        "float32_ms": round(times["float32"].median_ms, 3),
        "int8_ms": round(times["int8"].median_ms, 3),
        "speedup": _times(times["float32"], times["int8"]),
        "float32_bytes": bench.float32.stat().st_size,
        "int8_bytes": int8.stat().st_size,
    }


def _times(slow: Latency, fast: Latency) -> float:
    return round(slow.median_ms / fast.median_ms, 3)


if __name__ == "__main__":
    main()
