"""Matching and losses against figures worked out by hand: outputs of zeros, and one object in the middle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import paddle
import pytest

from paddleprune.vision.frame import frame_of
from paddleprune.vision.objects import make_objects
from paddleprune_detection.config import DetectionLoss
from paddleprune_detection.data.targets import collate_targets
from paddleprune_detection.heads import boxes as b
from paddleprune_detection.heads import fcos, ppyoloe, two_stage
from paddleprune_detection.heads.terms import as_rows, focal
from paddleprune_detection.heads.truth import Truth, assign
from paddleprune_detection.options import (
    DetectorOptions,
    FasterRcnnOptions,
    FcosOptions,
    PpYoloeOptions,
    SsdOptions,
    YoloOptions,
)
from paddleprune_detection.reading import head_of

LN2 = math.log(2)
MIDDLE = (8.0, 8.0, 24.0, 24.0)
"""In an input of 32x32."""
YOLO = YoloOptions(num_classes=1, input_size=(32, 32), anchors=((8, 8), (16, 16), (32, 32)))
YOLO_MAPS = [(6, 1, 1), (6, 2, 2), (6, 4, 4)]


def targets_of(*images: Any, weight: float = 1.0, **flags: Any) -> dict[str, paddle.Tensor]:
    """Targets of a batch; of each image its boxes, all of class 0."""
    found = []
    for boxes in images:
        marks = {name: [flag] * len(boxes) for name, flag in flags.items()}
        found.append((make_objects(boxes, [0] * len(boxes), **marks), frame_of(32, 32), 0))
    batch = collate_targets(found)
    batch["weights"] *= weight
    return {name: paddle.to_tensor(part) for name, part in batch.items()}


def loss_of(options: DetectorOptions, maps: list[tuple[int, ...]], targets: Any, **config: Any) -> float:
    """The loss of outputs of zeros."""
    count = targets["boxes"].shape[0]
    outputs = tuple(paddle.zeros([count, *shape]) for shape in maps)
    return float(head_of(options).loss(outputs, targets, DetectionLoss(**config)))


def overlap_losses(said: Any, true: Any, kind: Any) -> float:
    pair = (paddle.to_tensor([box], dtype="float32") for box in (said, true))
    return float(b.overlap_loss(*pair, kind)[0])


def test_overlap_losses() -> None:
    assert overlap_losses((0, 0, 2, 2), (1, 1, 3, 3), "iou") == pytest.approx(1 - 1 / 7)
    assert overlap_losses((0, 0, 2, 2), (1, 1, 3, 3), "giou") == pytest.approx(1 - 1 / 7 + 2 / 9)
    assert overlap_losses((0, 0, 1, 1), (2, 0, 3, 1), "iou") == pytest.approx(1)
    assert overlap_losses((0, 0, 1, 1), (2, 0, 3, 1), "giou") == pytest.approx(1 + 1 / 3)
    assert overlap_losses((0, 0, 1, 1), (0, 0, 1, 1), "giou") == pytest.approx(0, abs=1e-6)


def test_overlaps_of_boxes() -> None:
    first = np.array([[0, 0, 2, 2], [5, 5, 6, 6]], np.float32)
    second = np.array([[1, 1, 3, 3], [0, 0, 2, 1], [0, 0, 2, 2]], np.float32)
    np.testing.assert_allclose(b.overlaps(first, second), [[1 / 7, 1 / 2, 1], [0, 0, 0]], rtol=1e-6)
    assert b.lies_on(second, first).tolist() == [False, True, True]
    assert b.lies_on(second, np.zeros((0, 4))).tolist() == [False] * 3


def test_offsets_come_back_as_boxes() -> None:
    random = np.random.default_rng(0)
    corners = random.uniform(0, 50, (2, 20, 2))
    boxes, anchors = (np.concatenate([c, c + random.uniform(5, 40, (20, 2))], axis=1) for c in corners)
    offsets = b.encoded(boxes, anchors)
    np.testing.assert_allclose(b.decoded(offsets, anchors), boxes, rtol=1e-9)
    tensors = b.decoded(paddle.to_tensor(offsets), paddle.to_tensor(anchors))
    np.testing.assert_allclose(tensors.numpy(), boxes, rtol=1e-9)
    by_hand = b.encoded(np.array([[2.0, 2, 6, 10]]), np.array([[0.0, 0, 4, 4]]))
    np.testing.assert_allclose(by_hand, [[0.5, 1, 0, LN2]])


def test_focal_and_smooth_l1() -> None:
    logits, wanted = paddle.to_tensor([math.log(3), math.log(3)]), paddle.to_tensor([1.0, 0.0])  # 3/4
    expected = [0.25 * 0.25**2 * math.log(4 / 3), 0.75 * 0.75**2 * math.log(4)]
    np.testing.assert_allclose(focal(logits, wanted).numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(b.smooth_l1(paddle.to_tensor([-0.5, 0.0, 1.0, -3.0])).numpy(), [0.125, 0, 0.5, 2.5])
    np.testing.assert_allclose(b.smooth_l1(paddle.to_tensor([-0.25, 1.0]), 0.5).numpy(), [0.0625, 0.75])


def test_rows_are_cell_by_cell() -> None:
    maps = paddle.arange(1 * 6 * 2 * 2).reshape([1, 6, 2, 2])  # two anchors of three numbers
    rows = as_rows(maps, 3)[0].numpy().tolist()
    assert rows[:3] == [[0, 4, 8], [12, 16, 20], [1, 5, 9]]


# -- YOLO: 21 places; the object belongs to the anchor of 16x16 in the last of the 2x2 cells, at its upper left corner.
OBJECTS, KIND, PLACE = 21 * LN2, LN2, (2 - 1 / 4) * 2 * LN2


def test_yolo() -> None:
    assert loss_of(YOLO, YOLO_MAPS, targets_of([MIDDLE])) == pytest.approx(OBJECTS + KIND + PLACE, rel=1e-6)
    assert loss_of(YOLO, YOLO_MAPS, targets_of([])) == pytest.approx(OBJECTS, rel=1e-6)
    both = targets_of([MIDDLE], [MIDDLE, (0, 0, 32, 32)])
    whole = (2 - 1) * 2 * LN2  # its centre is that of its cell: as uncertain as can be
    expected = (2 * OBJECTS + 3 * KIND + 2 * PLACE + whole) / 3
    assert loss_of(YOLO, YOLO_MAPS, both) == pytest.approx(expected, rel=1e-6)


def test_yolo_by_overlap() -> None:
    """The place's box is (16, 16, 32, 32)."""
    plain = loss_of(YOLO, YOLO_MAPS, targets_of([MIDDLE]))
    for kind, more in (("iou", 6 / 7), ("giou", 6 / 7 + 128 / 576)):
        assert loss_of(YOLO, YOLO_MAPS, targets_of([MIDDLE]), box=kind) == pytest.approx(plain + 2.5 * more)


def test_yolo_size() -> None:
    wide = targets_of([(6, 10, 26, 22)])  # 20x12 is most like 16x16
    size = sum(abs(math.log(side / 16)) ** 2 / 2 for side in (20, 12))
    factor = 2 - 20 * 12 / 1024
    assert loss_of(YOLO, YOLO_MAPS, wide) == pytest.approx(OBJECTS + KIND + factor * (2 * LN2 + size), rel=1e-5)


def test_yolo_ignores_what_overlaps_an_object() -> None:
    """The 32x32 box, and four of 8x8 in it, each cover a quarter."""
    options = YOLO.model_copy(update={"ignore_threshold": 0.2})
    assert loss_of(options, YOLO_MAPS, targets_of([MIDDLE])) == pytest.approx(16 * LN2 + KIND + PLACE, rel=1e-6)


def test_yolo_of_mixed_images() -> None:
    half = targets_of([MIDDLE], weight=0.5)
    assert loss_of(YOLO, YOLO_MAPS, half) == pytest.approx(OBJECTS + (KIND + PLACE) / 2, rel=1e-6)


def test_what_is_difficult_or_a_crowd_is_passed_over() -> None:
    """Four of the smallest boxes lie on it: they need not be background."""
    plain = loss_of(YOLO, YOLO_MAPS, targets_of([MIDDLE]))
    difficult, crowd = targets_of([MIDDLE], difficult=True), targets_of([MIDDLE], crowd=True)
    assert loss_of(YOLO, YOLO_MAPS, difficult) == pytest.approx(17 * LN2, rel=1e-6)
    assert loss_of(YOLO, YOLO_MAPS, difficult, difficult=True) == pytest.approx(plain)
    assert loss_of(YOLO, YOLO_MAPS, crowd, difficult=True) == pytest.approx(17 * LN2, rel=1e-6)


def test_yolo_learns_each_place_once() -> None:
    twice = targets_of([MIDDLE, (9, 9, 23, 23)])
    assert loss_of(YOLO, YOLO_MAPS, twice) == pytest.approx(OBJECTS + KIND + PLACE, rel=1e-6)


def test_ssd() -> None:
    """The object is the finest level's square; the square between and both oblongs overlap it by more than a half."""
    options = SsdOptions(num_classes=1, input_size=(32, 32))
    maps = [shape for n in (4, 6, 6, 6, 6, 6) for shape in ((4 * n, 1, 1), (2 * n, 1, 1))]
    half = 0.2 * 32 / 2
    square = (16 - half, 16 - half, 16 + half, 16 + half)
    between = math.log(math.sqrt(0.2 * 0.35) / 0.2) / 0.2 - 0.5
    oblong = math.log(2**0.5) / 0.2 - 0.5
    expected = ((4 + 12) * LN2 + 2 * between + 4 * oblong) / 4
    assert loss_of(options, maps, targets_of([square])) == pytest.approx(expected, rel=1e-5)
    assert loss_of(options, maps, targets_of([])) == pytest.approx(3 * LN2, rel=1e-6)


def test_ssd_learns_the_hardest_background() -> None:
    options = SsdOptions(num_classes=1, input_size=(32, 32))
    outputs = [paddle.zeros([1, n * k, 1, 1]) for n in (4, 6, 6, 6, 6, 6) for k in (4, 2)]
    outputs[3][0, 0] = 3.0  # a class score of the second level
    loss = head_of(options).loss(tuple(outputs), targets_of([]), DetectionLoss())
    assert float(loss) == pytest.approx(2 * LN2 + math.log(1 + math.exp(3)), rel=1e-6)


FCOS_MAPS = [(n, side, side) for side in (4, 2, 1, 1, 1) for n in (1, 4, 1)]


def test_fcos() -> None:
    """Of 23 points four learn the object; each says a box of 16x16, a quarter off, and is a third as central."""
    options = FcosOptions(num_classes=1, input_size=(32, 32))
    background = 0.75 * 0.25 * LN2
    there = 0.25 * 0.25 * LN2
    inter, union, hull = 144, 368, 400
    box = 1 - inter / union + (hull - union) / hull
    expected = (4 * there + 19 * background + 4 * box + 4 * LN2) / 4
    assert loss_of(options, FCOS_MAPS, targets_of([MIDDLE])) == pytest.approx(expected, rel=1e-5)
    assert loss_of(options, FCOS_MAPS, targets_of([MIDDLE]), box="iou") == pytest.approx(
        expected - (hull - union) / hull, rel=1e-5
    )
    assert loss_of(options, FCOS_MAPS, targets_of([])) == pytest.approx(23 * background, rel=1e-6)
    # a difficult one: the four cells on it are neither
    assert loss_of(options, FCOS_MAPS, targets_of([MIDDLE], difficult=True)) == pytest.approx(19 * background, rel=1e-6)


def truth_of(*boxes: Any) -> Truth:
    return Truth(np.array(boxes, np.float32), np.arange(len(boxes)), np.ones(len(boxes)), np.zeros((0, 4)))


def test_fcos_matches_by_size_and_takes_the_smallest() -> None:
    middles = np.array([[20, 20], [100, 20], [20, 20], [300, 300]], np.float32)
    strides = np.array([[8], [8], [16], [128]], np.float32)
    small, large = (10, 10, 30, 30), (0, 0, 130, 44)  # the point at 100, 20 isn't near the large one's centre
    found = fcos.match(middles, strides, truth_of(large, small))
    assert (found.places.tolist(), found.objects.tolist()) == ([0], [1])
    found = fcos.match(np.array([[66.0, 22.0]] * 2), np.array([[8.0], [16.0]]), truth_of(large))
    assert found.places.tolist() == [1]  # its farthest side is 66 away: too far for the first level
    assert fcos.centredness(np.array([[66.0, 22.0], [32.5, 11]]), np.array([large] * 2)) == pytest.approx(
        [math.sqrt(64 / 66), 1 / 3]
    )


def test_ppyoloe() -> None:
    """Uniform distributions are 8 strides; the four finest points in the object suit it a millionfold better."""
    options = PpYoloeOptions(num_classes=1, input_size=(32, 32))
    maps = [(n, side, side) for side in (4, 2, 1) for n in (1, 68)]
    count = 4 / 64
    each = 2.5 * (1 - 1 / 64) + 0.5 * math.log(17)
    expected = (count + 16 * 0.75 * 0.25) * LN2 + count * each
    assert loss_of(options, maps, targets_of([MIDDLE])) == pytest.approx(expected, rel=1e-5)


def test_ppyoloe_matches_what_suits() -> None:
    middles = np.array([[4, 4], [12, 4], [20, 4], [28, 4]], np.float32)
    strides = np.full((4, 1), 8, np.float32)
    truth = truth_of((0, 0, 16, 8), (8, 0, 32, 8))
    said = np.array([(0, 0, 16, 8), (8, 0, 32, 8), (8, 0, 20, 8), (8, 0, 32, 8)], np.float32)
    likely = np.array([[0.8, 0.1], [0.5, 0.5], [0.5, 0.2], [0.5, 0.4]])
    found = ppyoloe.match(likely, said, middles, strides, truth)
    assert found.places.tolist() == [0, 1, 2, 3]
    assert found.objects.tolist() == [0, 1, 1, 1]  # the second lies in both
    np.testing.assert_allclose(found.shares, [1, 1, 0.2 * 0.5**6 / 0.5, 0.4 / 0.5], rtol=1e-6)


def test_distributions_between_two_steps() -> None:
    logits = paddle.log(paddle.full([1, 4, 17], 0.01)) + paddle.zeros([1, 4, 17])
    logits[0, :, 2] = math.log(0.6)
    logits[0, :, 3] = math.log(0.25)
    expected = -(0.75 * math.log(0.6) + 0.25 * math.log(0.25))
    loss = ppyoloe._distribution_loss(logits, np.full((1, 4), 2.25, np.float32))
    assert float(loss[0]) == pytest.approx(expected, rel=1e-5)


def two_stage_outputs(count: int = 1) -> tuple[Any, ...]:
    """Four proposals, one of them the object, and the first stage's maps of a 32x32 input."""
    proposals = paddle.to_tensor([[MIDDLE, (0, 0, 10, 10), (8, 8, 24, 20), (20, 20, 32, 32)]] * count, dtype="float32")
    first = [paddle.zeros([count, n, side, side]) for side in (8, 4, 2, 1, 1) for n in (3, 12)]
    return proposals, paddle.zeros([count, 4, 2]), paddle.zeros([count, 4, 4]), *first


def test_two_stages() -> None:
    """Scores of zeros cost ln 2 for each place that was drawn, in either stage."""
    head, config = head_of(FasterRcnnOptions(num_classes=1, input_size=(32, 32))), DetectionLoss()
    assert float(head.loss(two_stage_outputs(), targets_of([]), config)) == pytest.approx(2 * LN2, rel=1e-6)
    # The finest level's anchors hold four times the object each; the first of those that hold all of it learns it.
    whole = head.loss(two_stage_outputs(), targets_of([MIDDLE]), config)
    box = math.log(16 / 12) / 0.2 - 0.5  # the third proposal: too high by that, and its centre by 2 of 12
    centre = 2 / 12 / 0.1 - 0.5
    likeness = b.overlaps(np.concatenate([two_stage.anchors((8, 8), 4)]), np.array([MIDDLE]))
    assert likeness.max() == pytest.approx(0.25)
    likest = np.flatnonzero(likeness[:, 0] >= likeness.max() - 1e-6)[0]
    goal = b.encoded(np.array([MIDDLE], np.float32), two_stage.anchors((8, 8), 4)[[likest]])
    first = float(np.where(np.abs(goal) < 1 / 9, goal**2 * 9 / 2, np.abs(goal) - 1 / 18).sum())
    drawn = 3 * (64 + 16 + 4 + 1 + 1)
    assert drawn > 256
    assert float(whole) == pytest.approx(2 * LN2 + first / 256 + (box + centre) / 4, rel=1e-5)


def test_a_random_part_learns_and_at_most_so_many_of_it_an_object() -> None:
    count = 600
    objects = truth_of(*[(0, 0, 10, 10)])
    boxes = np.tile(np.array([[0, 0, 10, 10]], np.float32), (count, 1))
    boxes[200:] += 50
    found = assign([objects], lambda _, truth: two_stage._match_proposals(boxes, truth))
    assert found.places.tolist() == list(range(200))
    paddle.seed(3)
    drawn, weights = two_stage._drawn(found, 256, 128)
    assert len(drawn.places) == 128
    assert weights.sum() == 256
    assert set(drawn.places.tolist()) < set(range(200))
    again = two_stage._drawn(found, 256, 128)[0]
    assert drawn.places.tolist() != again.places.tolist()
    paddle.seed(3)
    np.testing.assert_array_equal(two_stage._drawn(found, 256, 128)[1], weights)
    few = two_stage._drawn(found.take(np.arange(5)), 256, 128)
    assert len(few[0].places) == 5
    assert few[1].sum() == 256
