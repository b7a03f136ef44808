"""What large data costs, and what more workers save. The last line is JSON.

`list`: how long it takes to open a list of a million lines, and the memory that it takes. The lists of classification,
segmentation and detection (VOC) name a few files again and again; each is opened in a process of its own: seconds on
the clock and of the processor, and the peak of the process's memory before and after, in MB.

`efficiency`: the sweep of a MobileNetV2 by one worker and by several, in processes and, where it is installed, by
actors of Ray; each worker computes on one thread. The seconds are those of the whole call, workers' start included; the
efficiency is the share of the workers' time that one worker would have needed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from paddleprune.specs import ImageOptions
from paddleprune.vision.dataset import ImageDataset

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
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found[task] = pool.apply(opened, (task, Path(made), lines))
            print(f"{task:15} {lines:,} lines: {found[task]['seconds']:.2f} s, {found[task]['peak_mb']:.0f} MB")
    return found


def swept(folder: Path, save_file: Path, workers: int, executor: str, samples: int) -> float:
    """Seconds of a sweep, from this process."""
    import paddleprune
    from paddleprune.machine.cpu import limit_threads

    limit_threads(1)
    how = {"workers": workers, "executor": executor, "samples": samples, "ratios": (0.3, 0.6), "device": "cpu"}
    start = time.perf_counter()
    paddleprune.analyze(folder / "model/best_model", eval_dataset=folder, save_file=save_file, **how)
    return round(time.perf_counter() - start, 2)


def efficiencies(counts: Sequence[int], samples: int) -> dict[str, dict[str, dict[str, float]]]:
    """Executor -> workers -> seconds and efficiency; all tables are the same, to the bit."""
    executors = ["processes", *(["ray"] if find_spec("ray") is not None else [])]
    found: dict[str, dict[str, dict[str, float]]] = {executor: {} for executor in executors}
    with tempfile.TemporaryDirectory() as made:
        _write_model(Path(made), samples)
        for executor in executors:
            for workers in counts:
                file = Path(made) / f"{executor}_{workers}.json"
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                    seconds = pool.submit(swept, Path(made), file, workers, executor, samples).result()
                one = found[executor].get("1", {}).get("seconds", seconds)
                efficiency = round(one / (workers * seconds), 3)
                found[executor][str(workers)] = {"seconds": seconds, "efficiency": efficiency}
                print(f"{executor:10} {workers} workers: {seconds:.1f} s, efficiency {efficiency:.0%}")
    return found


def _write_model(folder: Path, samples: int) -> None:
    """Images of noise, a list that names them again and again, and a network that has seen some."""
    import paddleprune

    (folder / "images").mkdir()
    (folder / "labels.txt").write_text("one\nother\n")
    noise = np.random.default_rng(0)
    for i in range(_FILES):
        cv2.imwrite(str(folder / f"images/{i}.png"), noise.integers(0, 256, (64, 64, 3), np.uint8))
    for split, count in (("train", 2 * _FILES), ("val", samples)):
        lines = (f"images/{i % _FILES}.png {i % 2}\n" for i in range(count))
        (folder / f"{split}_list.txt").write_text("".join(lines))
    paddleprune.train(
        "classification",
        model="mobilenet_v2",
        options={"input_size": 64, "scale": 0.5},
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
    parser.add_argument("part", choices=["list", "efficiency"])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2], help="one first: it is what others are set to"
    )
    parser.add_argument("--samples", type=int, default=1000)
    asked = parser.parse_args()
    found = lists(asked.lines) if asked.part == "list" else efficiencies(asked.workers, asked.samples)
    print(json.dumps({asked.part: found}))


if __name__ == "__main__":
    main()
