"""What large data costs. `list`: how long it takes to open a list of a million lines, and the memory that it takes.

The lists of classification, segmentation and detection (VOC) name a few files again and again; each is opened in a
process of its own. The last line is JSON: seconds on the clock and of the processor, and the peak of the process's
memory before and after, in MB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
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


def main() -> None:
    """Measure, print, and end with a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["list"])
    parser.add_argument("--lines", type=int, default=1_000_000)
    asked = parser.parse_args()
    print(json.dumps({asked.part: lists(asked.lines)}))


if __name__ == "__main__":
    main()
