"""Real files: images written by OpenCV, annotations as VOC and COCO have them, read by the plugin's own readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from images import write

LABELS = ("disc", "box")
SIZE = (48, 64)
Box = tuple[int, int, int, int]


def draw(seed: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, list[Box], list[int]]:
    """A dark noisy image with one to three bright shapes that don't touch; their boxes, tight, and their classes."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 60, (*size, 3)).astype(np.uint8)
    free, boxes, classes = np.ones(size, bool), [], []
    for _ in range(int(random.integers(1, 4))):
        side = int(random.integers(10, 21))
        top, left = (int(random.integers(0, limit - side + 1)) for limit in size)
        part = slice(top, top + side), slice(left, left + side)
        if not free[part].all():
            continue
        kind = int(random.integers(len(LABELS)))
        shape = np.ones((side, side), bool) if kind else _disc(side)
        image[part][shape] = (230, 160, 90) if kind else (90, 230, 240)
        free[part] = False
        boxes.append((left, top, left + side, top + side))
        classes.append(kind)
    return image, boxes, classes


def _disc(side: int) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    return rows**2 + columns**2 <= (side / 2) ** 2


def voc_xml(size: tuple[int, int], boxes: list[Box], names: list[str], difficult: tuple[int, ...] = ()) -> str:
    """An annotation as the VOC tools write it: pixels from 1, the last one included."""
    objects = "".join(
        f"<object><name>{name}</name><difficult>{int(number in difficult)}</difficult><bndbox>"
        f"<xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for number, (name, (left, top, right, bottom)) in enumerate(zip(names, boxes, strict=True))
    )
    height, width = size
    return (
        f"<annotation><size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        f"{objects}</annotation>"
    )


def write_voc(folder: Path, train: int = 3, val: int = 2, size: tuple[int, int] = SIZE) -> Path:
    """The VOC layout that `--data` takes."""
    for split, count, first in (("train", train, 0), ("val", val, 100)):
        lines = []
        for number in range(count):
            image, boxes, classes = draw(first + number, size)
            write(folder / f"JPEGImages/{split}_{number}.png", image)
            xml = folder / f"Annotations/{split}_{number}.xml"
            xml.parent.mkdir(exist_ok=True)
            xml.write_text(voc_xml(size, boxes, [LABELS[kind] for kind in classes]))
            lines.append(f"JPEGImages/{split}_{number}.png Annotations/{split}_{number}.xml\n")
        (folder / f"{split}_list.txt").write_text("".join(lines))
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return folder


def write_coco(folder: Path, train: int = 3, val: int = 2, size: tuple[int, int] = SIZE) -> Path:
    """The same images in the COCO layout that `--data` takes; categories have the ids 3 and 7."""
    ids = (3, 7)
    for split, count, first in (("train", train, 0), ("val", val, 100)):
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in range(count):
            image, boxes, classes = draw(first + number, size)
            name = f"{split}_{number}.png"
            write(folder / "JPEGImages" / name, image)
            images.append({"id": 40 + number, "file_name": name, "height": size[0], "width": size[1]})
            for (left, top, right, bottom), kind in zip(boxes, classes, strict=True):
                sides = [right - left, bottom - top]
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": 40 + number,
                        "category_id": ids[kind],
                        "bbox": [left, top, *sides],
                        "area": sides[0] * sides[1],
                        "iscrowd": 0,
                    }
                )
        categories = [{"id": ids[1], "name": LABELS[1]}, {"id": ids[0], "name": LABELS[0]}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{split}.json").write_text(json.dumps(content))
    return folder
