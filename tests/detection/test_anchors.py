"""Anchors are the sizes that the data has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from det_files import voc_xml
from images import write

from paddleprune.errors import DataError
from paddleprune_detection.config import DetectionData
from paddleprune_detection.data.anchors import box_sizes, cluster, find_anchors, size_overlaps
from paddleprune_detection.transform_specs import Letterbox

SIZES = ((10, 20), (30, 12), (60, 80))


def data(folder: Path, sizes: list[tuple[int, int]], steps: tuple[Letterbox, ...] | None = None) -> DetectionData:
    """Images of 100x200 pixels (height x width), one box on each."""
    for number, (width, height) in enumerate(sizes):
        write(folder / f"{number}.png", np.zeros((100, 200, 3), np.uint8))
        (folder / f"{number}.xml").write_text(voc_xml((100, 200), [(5, 5, 5 + width, 5 + height)], ["a"]))
    (folder / "train_list.txt").write_text("".join(f"{n}.png {n}.xml\n" for n in range(len(sizes))))
    (folder / "labels.txt").write_text("a\n")
    config = DetectionData.from_directory(folder, "train")
    return DetectionData.model_validate({**config.model_dump(), "transforms": steps})


def test_clusters_are_found_at_the_size_of_the_input(tmp_path: Path) -> None:
    around = [(w + dw, h + dh) for w, h in SIZES for dw in (-1, 0, 1) for dh in (-1, 0, 1)]
    config = data(tmp_path, around)
    assert find_anchors(config, (100, 200), 3) == ((10, 20), (30, 12), (60, 80))
    assert find_anchors(config, (200, 100), 3) == ((5, 40), (15, 24), (30, 160))
    assert find_anchors(config, (100, 200), 3, seed=5) == find_anchors(config, (100, 200), 3, seed=5)


def test_a_letterbox_keeps_proportions(tmp_path: Path) -> None:
    config = data(tmp_path, [(10, 20)], (Letterbox(target_size=50),))
    assert box_sizes(config, (50, 50)).tolist() == [[2.5, 5]]


def test_more_anchors_fit_better(tmp_path: Path) -> None:
    sizes = np.random.default_rng(0).uniform(5, 90, (300, 2))
    fits = [size_overlaps(sizes, cluster(sizes, count, np.random.default_rng(1))).max(1).mean() for count in (1, 3, 9)]
    assert fits[0] < fits[1] < fits[2]
    assert fits[2] > 0.7


def test_too_few_boxes_are_said(tmp_path: Path) -> None:
    config = data(tmp_path, [(10, 20), (10, 20), (30, 40)])
    with pytest.raises(DataError, match=r"train_list.txt has boxes of 2 sizes; ask for at most so many anchors, not 9"):
        find_anchors(config, (100, 200))
