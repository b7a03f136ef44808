"""Threads or processes to decode with: how long a training sample holds the interpreter lock, beside the other cost.

JPEGs of two sizes go through the usual training transforms of each task. py-spy (https://github.com/benfred/py-spy)
looks at the thread that reads them, many times a second: first whether it works, then whether it holds the lock. The
share in which it does says how many cores threads can use. Beside it stands what a process that reads the same sample
would cost this one: to receive it through a pipe. The first row is work whose share is known, and says how far to trust
the others.

    python benchmarks/decode.py [classification ...] [--seconds 12] [--spy py-spy]
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np

from paddleprune.api.data import open_dataset
from paddleprune.interfaces import Array, Dataset, read_sample
from paddleprune.registry import Registry
from paddleprune.vision.data import write_lists
from paddleprune_detection.scenes import voc_xml

FAMILIES = {"classification": "mobilenet_v2", "segmentation": "unet", "detection": "yolov3_mobilenet_v1"}
SIZES = ((375, 500), (1080, 1920))
KNOWN = "known"
RATE, HANDED, TIMED = 250, 50, 20
"""Looks a second; samples that are handed over, and timed."""


def main() -> None:
    """Measure each task at each size; prints a row each, and the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tasks", nargs="*", default=[*FAMILIES], help="all, unless you say otherwise")
    parser.add_argument("--seconds", type=float, default=12, help="of looking, twice for each row")
    parser.add_argument("--spy", default="py-spy")
    parser.add_argument("--read", nargs=2, metavar=("TASK", "FOLDER"), help="only read, so long")
    given = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    cv2.setNumThreads(0)
    if given.read:
        _read_on(work_of(*given.read), given.seconds)
        return
    rows = {}
    with tempfile.TemporaryDirectory() as place:
        tasks = [(task, size) for task in given.tasks for size in SIZES]
        for task, size in [(KNOWN, (0, 0)), *tasks]:
            folder = Path(place) / f"{task}_{size[0]}"
            if task != KNOWN:
                write_pictures(folder, task, size)
            name = task if task == KNOWN else f"{task} {size[1]}x{size[0]}"
            rows[name] = row = measured(task, folder, given.spy, given.seconds)
            print(f"{name:26}" + "".join(f"  {what} {value:.3g}" for what, value in row.items()), flush=True)
    print(json.dumps(rows))


def measured(task: str, folder: Path, spy: str, seconds: float) -> dict[str, float]:
    """What one kind of sample costs: CPU milliseconds, and the share of them that holds the lock."""
    work, numbers = work_of(task, str(folder)), count()
    milliseconds = _cpu(lambda: work(next(numbers)))
    share = looked_at(task, folder, spy, seconds, "--gil") / looked_at(task, folder, spy, seconds)
    row = {"cpu_ms": milliseconds, "held_share": share, "held_ms": milliseconds * share}
    if task == KNOWN:
        return {**row, "known_share": _cpu(_python) / milliseconds}
    return {**row, "handed_over_ms": handed_over(opened(task, folder)[0][0][0])}


def looked_at(task: str, folder: Path, spy: str, seconds: float, *flags: str) -> int:
    """How often py-spy saw the thread at work, or, with `--gil`, at work with the lock."""
    seen = folder.with_suffix(".txt")
    reading = [sys.executable, __file__, "--seconds", str(seconds), "--read", task, str(folder)]
    looking = [spy, "record", *flags, "-r", str(RATE), "-f", "raw", "-o", str(seen)]
    subprocess.run(
        [*looking, "--", *reading], check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    stacks = (line.rsplit(" ", 1) for line in seen.read_text().splitlines())
    return sum(int(times) for stack, times in stacks if f"{_read_on.__name__} " in stack)


def handed_over(image: Array) -> float:
    """CPU milliseconds of this process for a sample that another one sends."""
    here, there = multiprocessing.Pipe(duplex=False)
    sender = multiprocessing.get_context("spawn").Process(target=_send, args=(there, image))
    sender.start()
    found = _cpu(here.recv, HANDED)
    sender.join()
    return found


def work_of(task: str, folder: str) -> Callable[[int], object]:
    """What reads the sample of a number; or work that holds the lock in a known share of its time."""
    if task != KNOWN:
        data = opened(task, Path(folder))
        return lambda number: read_sample(data, number % len(data))
    image = np.random.default_rng(0).integers(0, 255, (1200, 1200, 3), np.uint8)
    return lambda number: (_python(), cv2.GaussianBlur(image, (15, 15), 0))


def opened(task: str, folder: Path) -> Dataset:
    """The training split, with the task's usual transforms."""
    registry = Registry.discover()
    return open_dataset(registry, task, folder, "train", registry.options(task, FAMILIES[task], {"num_classes": 2}))


def write_pictures(folder: Path, task: str, size: tuple[int, int]) -> None:
    """Four JPEGs as a photograph has them, with details of several sizes, in the layout of the task."""
    (folder / "images").mkdir(parents=True)
    height, width = size
    lines = []
    for number in range(4):
        rng, image = np.random.default_rng(number), f"images/{number}.jpg"
        parts = [rng.uniform(0, 64, (height // side + 1, width // side + 1, 3)) for side in (4, 16, 64, 128)]
        whole = sum(cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) for part in parts)
        cv2.imwrite(str(folder / image), np.clip(whole, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
        mask, boxes = folder / f"images/{number}.png", folder / f"images/{number}.xml"
        classes = rng.integers(0, 2, (8, 8), np.uint8)
        cv2.imwrite(str(mask), cv2.resize(classes, (width, height), interpolation=cv2.INTER_NEAREST))
        square = voc_xml(width, [("a", (width // 4, height // 4, width // 2, height // 2))])
        boxes.write_text(square.replace(f"<height>{width}<", f"<height>{height}<"))
        beside = {"classification": number % 2, "segmentation": f"images/{mask.name}"}
        lines.append(f"{image} {beside.get(task, f'images/{boxes.name}')}")
    write_lists(folder, {"train": lines, "val": lines}, ["a", "b"])


def _read_on(work: Callable[[int], object], seconds: float) -> None:
    numbers, until = count(), time.monotonic() + seconds
    while time.monotonic() < until:
        work(next(numbers))


def _python() -> int:
    return sum(number for number in range(60_000))


def _send(there: Connection, image: Array) -> None:
    for _ in range(HANDED + 1):
        there.send(((image.copy(),), 0))


def _cpu(call: Callable[[], object], times: int = TIMED) -> float:
    """CPU milliseconds of this thread for a call, after one that warms up."""
    call()
    start = time.thread_time()
    for _ in range(times):
        call()
    return (time.thread_time() - start) * 1000 / times


if __name__ == "__main__":
    main()
