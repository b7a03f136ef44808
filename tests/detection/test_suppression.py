"""Suppression against a greedy loop in plain Python, and against Paddle's own operator."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
from paddle.vision.ops import nms

from paddleprune_detection.heads import Candidates, Detections
from paddleprune_detection.heads.base import suppressed

CLASSES = 3


def crowded(seed: int, images: int = 3, each: int = 60) -> Candidates:
    """Candidates that huddle around a few places, some of them beyond the left and upper edge."""
    random = np.random.default_rng(seed)
    count = images * each
    places = random.uniform(-20, 80, (count, 2)).round(-1) + random.uniform(-3, 3, (count, 2))
    sizes = random.uniform(8, 24, (count, 2))
    return Candidates(
        random.permutation(np.repeat(np.arange(images), each)),
        np.concatenate([places, places + sizes], axis=1).astype(np.float32),
        random.permutation(np.linspace(0.01, 0.99, count)).astype(np.float32),
        random.integers(0, CLASSES, count),
    )


def overlap(a: Any, b: Any) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def greedy(found: Candidates, image: int, threshold: float) -> list[int]:
    """Rows that stay, the best first."""
    rows = [row for row in np.argsort(-found.scores) if found.images[row] == image]
    kept: list[int] = []
    for row in rows:
        rivals = [k for k in kept if found.classes[k] == found.classes[row]]
        if all(overlap(found.boxes[k].tolist(), found.boxes[row].tolist()) <= threshold for k in rivals):
            kept.append(int(row))
    return kept


def check(got: Detections, found: Candidates, rows: list[int]) -> None:
    for mine, expected in zip(got, found.take(np.asarray(rows, np.int64))[1:], strict=True):
        np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_as_a_greedy_loop(seed: int, threshold: float) -> None:
    found = crowded(seed)
    results = suppressed(found, 3, threshold, most=1000)
    dropped = 180 - sum(len(result.scores) for result in results)
    assert (dropped > 0) == (threshold < 0.9)
    for image, result in enumerate(results):
        check(result, found, greedy(found, image, threshold))


def test_as_paddles_operator() -> None:
    found = crowded(7, images=1, each=200)
    (result,) = suppressed(found, 1, 0.45, most=50)
    rows = nms(
        paddle.to_tensor(found.boxes + 100),  # it wants none to be negative
        0.45,
        paddle.to_tensor(found.scores),
        paddle.to_tensor(found.classes),
        list(range(CLASSES)),
        top_k=50,
    )
    check(result, found, rows.numpy().tolist())


def test_at_most_so_many_and_the_best_first() -> None:
    found = crowded(1)
    whole, few = suppressed(found, 3, 0.5, most=1000), suppressed(found, 3, 0.5, most=7)
    for all_of_it, part in zip(whole, few, strict=True):
        assert (np.diff(part.scores) < 0).all()
        for a, b in zip(all_of_it, part, strict=True):
            np.testing.assert_array_equal(a[:7], b)


def test_images_without_candidates_and_boxes_that_are_no_numbers() -> None:
    found = crowded(2, images=1, each=20)
    found.boxes[3] = np.nan
    found.boxes[5, 2] = np.inf
    nothing, result, last = suppressed(found._replace(images=np.ones(20, np.int64)), 3, 1.0, most=100)
    assert len(nothing.boxes) == len(last.boxes) == 0
    usable = found.take(np.array([row for row in range(20) if row not in (3, 5)]))
    check(result, usable, greedy(usable, 0, 1.0))
    empty = found.take(np.zeros(0, np.int64))
    assert [part.shape for part in suppressed(empty, 1, 0.5, 100)[0]] == [(0, 4), (0,), (0,)]


def test_of_very_many_the_likeliest_of_each_image_enter() -> None:
    random = np.random.default_rng(0)
    boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (3000, 1)) + 20 * np.arange(3000, dtype=np.float32)[:, None]
    scores = random.permutation(np.linspace(0.1, 0.9, 3000)).astype(np.float32)
    found = Candidates(np.repeat([0, 1], 1500), boxes, scores, np.zeros(3000, np.int64))
    for image, result in enumerate(suppressed(found, 2, 0.5, most=2000)):
        np.testing.assert_array_equal(result.scores, np.sort(scores[1500 * image : 1500 * (image + 1)])[:-1001:-1])
