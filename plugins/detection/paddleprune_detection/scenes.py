"""Real data that needs no download: scikit-learn's handwritten digits, placed on its photographs.

Each scene is a part of a photograph with some digits on it, and a box around the ink of each. Digits and parts of
photographs of the evaluation scenes are on no training scene.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from paddleprune.files import write_bytes, write_text
from paddleprune.interfaces import Array
from paddleprune.vision.data import write_lists

if TYPE_CHECKING:
    from paddleprune.vision.scraps import Ground

SIZE = 96
"""Height and width of a scene, in pixels."""
KINDS = 3
"""Of digits: 0 to 2."""
_SCENES = {"train": 1600, "val": 200}
_MOST = 8
"""Digits on each scene."""
_SIDES = (26, 45)
"""Of a digit, margins included, in pixels: at least, and less than."""
_APART = 2
"""Pixels between boxes, at least."""


Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom; the last two are outside."""


class _Placed(NamedTuple):
    """A digit and the box around its ink."""

    number: int
    box: Box


def write_scenes(directory: Path) -> None:
    """`JPEGImages/*.png`, `Annotations/*.xml`, `train_list.txt`, `val_list.txt`, `labels.txt` and `examples/*.png`.

    Raises:
        DependencyError: scikit-learn is not installed.
        SaveError: a file can't be written.
    """
    from paddleprune.vision.scraps import as_pixels, grounds, png

    lines: dict[str, list[str]] = {split: [] for split in _SCENES}
    for ground in grounds(_SCENES, SIZE, KINDS):
        placed = _place_digits(ground)
        content, image = png(as_pixels(ground.image)), f"JPEGImages/{ground.name}.png"
        write_bytes(directory / image, content)
        write_text(
            directory / f"Annotations/{ground.name}.xml",
            voc_xml(SIZE, ((str(digit.number), digit.box) for digit in placed)),
        )
        lines[ground.name.partition("_")[0]].append(f"{image} Annotations/{ground.name}.xml")
        if ground.example:
            write_bytes(directory / "examples" / f"{int(ground.name.partition('_')[2])}.png", content)
    write_lists(directory, lines, range(KINDS))


def _place_digits(ground: Ground) -> list[_Placed]:
    """Digits in bright colours, each where it touches no other one's box; the first one always has room."""
    from paddleprune.vision.scraps import paint, throw

    taken, placed = np.zeros((SIZE, SIZE), np.bool_), list[_Placed]()
    for digit in throw(ground, _MOST, _SIDES):
        box = _around(digit.ink, *digit.corner)
        apart = slice(max(0, box[1] - _APART), box[3] + _APART), slice(max(0, box[0] - _APART), box[2] + _APART)
        if taken[apart].any():
            continue
        paint(ground.image, digit.ink, digit.corner, ground.rng.uniform(170, 255, 3))
        taken[box[1] : box[3], box[0] : box[2]] = True
        placed.append(_Placed(digit.number, box))
    return placed


def _around(ink: Array, top: int, left: int) -> Box:
    """The smallest box that holds all ink of a digit whose upper left corner is there."""
    from paddleprune.vision.scraps import INK

    rows, columns = (np.flatnonzero((ink >= INK).any(axis)) for axis in (1, 0))
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def voc_xml(side: int, objects: Iterable[tuple[str, Box]]) -> str:
    """VOC's annotation of a square image: the first and the last pixel of each named box, counted from 1."""
    listed = "".join(
        f"  <object>\n    <name>{name}</name>\n    <difficult>0</difficult>\n    <bndbox>"
        f"<xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox>\n"
        "  </object>\n"
        for name, (left, top, right, bottom) in objects
    )
    size = f"  <size><width>{side}</width><height>{side}</height><depth>3</depth></size>\n"
    return f"<annotation>\n{size}{listed}</annotation>\n"
