"""What large data costs, and what more workers save. The last line is JSON.

`list`: how long it takes to open a list of a million lines, and the memory that it takes. The lists of classification,
segmentation and detection (VOC) name a few files again and again; each is opened in a process of its own: seconds on
the clock and of the processor, and the peak of the process's memory before and after, in MB.

`efficiency`: sweeps at 224x224 by one worker and by two, in processes and, where it is installed, by actors of Ray;
each worker computes on one thread. The seconds are those of the whole call, workers' start included. All sides take
turns, and the fastest of their runs count, since other work on the machine only slows. The efficiency is the share of
the workers' time that one process would have needed. A simulation, from the costs in one process, says the same, and
what more workers would do with more images; its error is that of two workers.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from simulation import Costs, measured

from paddleprune.specs import ImageOptions
from paddleprune.vision.dataset import ImageDataset

_SAMPLES = {"mobilenet_v2": 256, "resnet50": 16}
"""Family -> samples that a sweep of some minutes has."""
_RATIOS = (0.3, 0.6)
_BYTES, _FOLDER = 110_000, 1000
"""Of an image of ImageNet, on average; and MB that a shared folder gives in a second (a server with 10 Gbit/s)."""
_WORST: dict[str, Callable[[Sequence[float]], float]] = {
    "local_efficiency_2": min,
    "ray_efficiency_2": min,
    "ray_overhead": max,
    "simulation_error": lambda values: max(values, key=abs),
}
"""Figure -> which of the families' ones is said."""
_FILES = 10
_CLASSES = 200
_BOX = "<xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax>"
_XML = (
    "<annotation><size><width>8</width><height>8</height></size>"
    f"<object><name>class 1</name><bndbox>{_BOX}</bndbox></object></annotation>"
)
_LINES: dict[str, Callable[[int], str]] = {
    "classification": lambda i: f"images/photograph_{i % _FILES:08d}.png {i % _CLASSES}",
    "segmentation": lambda i: f"images/photograph_{i % _FILES:08d}.png masks/{i % _FILES:08d}.png",
    "detection": lambda i: f"images/photograph_{i % _FILES:08d}.png boxes/{i % _FILES:08d}.xml",
}
"""Task -> what a line of its lists says."""


def write_files(folder: Path) -> None:
    """The images, masks and boxes that lists name."""
    for kind in ("images", "masks", "boxes"):
        (folder / kind).mkdir()
    for i in range(_FILES):
        cv2.imwrite(str(folder / f"images/photograph_{i:08d}.png"), np.zeros((8, 8, 3), np.uint8))
        cv2.imwrite(str(folder / f"masks/{i:08d}.png"), np.eye(8, dtype=np.uint8))
        (folder / f"boxes/{i:08d}.xml").write_text(_XML)


def opened(task: str, folder: Path, lines: int) -> dict[str, float]:
    """Seconds and memory of opening a task's list, in this process."""
    (folder / "labels.txt").write_text("".join(f"class {number}\n" for number in range(_CLASSES)))
    with (folder / "val_list.txt").open("w") as file:
        file.writelines(f"{_LINES[task](i)}\n" for i in range(lines))
    dataset = _dataset(task)
    before, start, busy = _peak(), time.perf_counter(), time.process_time()
    count = len(dataset(folder))
    found = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - busy}
    assert count == lines
    return {name: round(value, 2) for name, value in {**found, "before_mb": before, "peak_mb": _peak()}.items()}


def _dataset(task: str) -> Callable[[Path], ImageDataset]:
    """Opens the evaluation list of a folder; what it needs is imported."""
    options = ImageOptions(num_classes=_CLASSES, input_size=8)
    if task == "classification":
        from paddleprune_classification.config import ClassificationData
        from paddleprune_classification.data.dataset import ClassDataset

        return lambda folder: ClassDataset(ClassificationData.from_directory(folder, "eval"), "eval", options)
    if task == "segmentation":
        from paddleprune_segmentation.config import SegmentationData
        from paddleprune_segmentation.data.dataset import MaskDataset

        return lambda folder: MaskDataset(SegmentationData.from_directory(folder, "eval"), "eval", options)
    from paddleprune_detection.config import DetectionData
    from paddleprune_detection.data.dataset import ObjectDataset

    return lambda folder: ObjectDataset(DetectionData.from_directory(folder, "eval"), "eval", options)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def lists(lines: int) -> dict[str, dict[str, float]]:
    """Task -> what opening its list costs."""
    found = {}
    with tempfile.TemporaryDirectory() as made:
        write_files(Path(made))
        for task in _LINES:
            found[task] = _elsewhere(opened, task, Path(made), lines)
            print(f"{task:15} {lines:,} lines: {found[task]['seconds']:.2f} s, {found[task]['peak_mb']:.0f} MB")
    return found


def swept(folder: Path, save_file: Path, workers: int, executor: str, samples: int) -> float:
    """Seconds of a sweep, from this process."""
    import paddleprune
    from paddleprune.machine.cpu import limit_threads

    limit_threads(1)
    how = {"workers": workers, "executor": executor, "samples": samples, "ratios": _RATIOS, "device": "cpu"}
    start = time.perf_counter()
    paddleprune.analyze(folder / "model/best_model", eval_dataset=folder, save_file=save_file, memory=2**32, **how)
    return time.perf_counter() - start


def efficiencies(family: str, samples: int, counts: Sequence[int], rounds: int) -> dict[str, Any]:
    """Executor -> workers -> seconds; all tables are the same, to the bit. And what the simulation says of them."""
    executors = ["processes", *(["ray"] if find_spec("ray") is not None else [])]
    found: dict[str, Any] = {executor: dict.fromkeys(counts, math.inf) for executor in executors}
    with tempfile.TemporaryDirectory() as made:
        folder, tables = Path(made), set[bytes]()
        _write_model(folder, family, samples)
        for turn, executor, workers in product(range(rounds), executors, counts):
            file = folder / f"{executor}_{workers}_{turn}.json"
            seconds = _elsewhere(swept, folder, file, workers, executor, samples)
            found[executor][workers] = min(found[executor][workers], seconds)
            tables.add(file.read_bytes())
            print(f"{family}, {executor}, {workers} workers: {seconds:.1f} s", flush=True)
        assert len(tables) == 1, "the tables differ"
        costs = _elsewhere(measured, folder / "model/best_model", folder, samples, _RATIOS, time.time())
    for workers in counts:
        print(f"{family}, simulated, {workers} workers: {costs.sweep(samples, workers):.1f} s", flush=True)
    _foresee(family, costs)
    return {"costs": costs, **found}


def summed(found: Mapping[str, Any], samples: int) -> dict[str, float | None]:
    """The figures of one family: efficiency of two workers, what Ray costs beside processes, the simulation's error."""
    local, ray = found["processes"], found.get("ray")
    error = found["costs"].sweep(samples, 2) / local[2] - 1
    return {
        "local_efficiency_2": round(local[1] / (2 * local[2]), 3),
        "ray_efficiency_2": None if ray is None else round(local[1] / (2 * ray[2]), 3),
        "ray_overhead": None if ray is None else round(ray[2] / local[2] - 1, 3),
        "simulation_error": round(error, 3),
    }


def _foresee(family: str, costs: Costs) -> None:
    """What all of a large data set would take, on threads as fast as this one."""
    print(
        f"{family}: a process starts in {costs.start:.1f} s, opens its network in {costs.open:.1f} s, "
        f"compiles it in {costs.compile:.1f} s"
    )
    print(f"{family}: an image is decoded in {costs.decode * 1e3:.1f} ms and evaluated in {costs.dense * 1e3:.1f} ms")
    for samples, fits in ((5_000, True), (50_000, False)):
        one = costs.sweep(samples, 1, fits=fits)
        for workers in (1, 8, 64):
            seconds = costs.sweep(samples, workers, fits=fits)
            read = costs.read(samples, workers, _BYTES, _FOLDER, fits=fits)
            print(
                f"{family}, {samples:,} images, {len(_RATIOS)} ratios, {workers} workers: {seconds / 3600:.2f} h, "
                f"efficiency {one / workers / seconds:.0%}; the folder hands out images for {read / 3600:.2f} h"
            )


def _elsewhere(what: Callable[..., Any], *given: Any) -> Any:
    """What a function returns in a fresh process, which computes on one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(what, *given).result()


def _write_model(folder: Path, family: str, samples: int) -> None:
    """Photographs of clouds, as large as ImageNet's, a list that names them again and again, and a network."""
    import paddleprune

    (folder / "images").mkdir()
    (folder / "labels.txt").write_text("one\nother\n")
    noise = np.random.default_rng(0)
    for i in range(_FILES):
        coarse = noise.integers(0, 256, (12, 16, 3), np.uint8)
        cv2.imwrite(str(folder / f"images/{i}.jpg"), cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC))
    for split, count in (("train", 2 * _FILES), ("val", samples)):
        lines = (f"images/{i % _FILES}.jpg {i % 2}\n" for i in range(count))
        (folder / f"{split}_list.txt").write_text("".join(lines))
    paddleprune.train(
        "classification",
        model=family,
        options={"input_size": 224},
        train_dataset=folder,
        eval_dataset=folder,
        save_dir=folder / "model",
        num_epochs=1,
        train_batch_size=_FILES,
        device="cpu",
    )


def main() -> None:
    """Measure, print, and end with a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["all", "list", "efficiency"], nargs="?", default="all")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--families", nargs="+", default=list(_SAMPLES))
    parser.add_argument("--samples", type=int, help=f"by default {_SAMPLES}")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    if asked.part != "efficiency":
        found["list"] = lists(asked.lines)
        found["list_1e6_seconds"] = max(each["seconds"] for each in found["list"].values())
    if asked.part != "list":
        for family in asked.families:
            samples = asked.samples or _SAMPLES[family]
            found[family] = summed(efficiencies(family, samples, (1, 2), asked.rounds), samples)
        for name, worst in _WORST.items():
            values = [found[family][name] for family in asked.families if found[family][name] is not None]
            found[name] = worst(values) if values else None
    print(json.dumps(found))


if __name__ == "__main__":
    main()
