"""Average precision: by hand, as published, and as pycocotools has it."""

from __future__ import annotations

import contextlib
import copy
import io
from typing import Any

import numpy as np
import pytest

from paddleprune.vision.frame import frame_of
from paddleprune.vision.objects import make_objects
from paddleprune_detection.coco_precision import SIZES, coco_precision
from paddleprune_detection.config import DetectionMetricConfig
from paddleprune_detection.data.targets import collate_targets
from paddleprune_detection.heads.base import Detections
from paddleprune_detection.metrics import DetectionMetric
from paddleprune_detection.results import Result
from paddleprune_detection.voc_precision import area, at_points, curve, intersection_over_union, voc_precision

Boxes = list[tuple[float, float, float, float]]


def result(
    found: Boxes,
    scores: list[float],
    there: Boxes,
    ignored: tuple[int, ...] = (),
    classes: Any = None,
    true: Any = None,
) -> Result:
    """One image; everything is of class 0 unless told otherwise."""
    order = np.argsort([-score for score in scores], kind="stable")
    return Result(
        np.array(found, float).reshape(-1, 4)[order],
        np.array(scores)[order],
        np.array(classes if classes is not None else [0] * len(found), np.int64)[order],
        np.array(there, float).reshape(-1, 4),
        np.array(true if true is not None else [0] * len(there), np.int64),
        np.isin(np.arange(len(there)), ignored),
    )


# What COCO's own example of results (instances_val2014_fakebbox100) finds on images 42, 73, 74 and 133, and the values
# that pycocotools gives for them, as torchmetrics publishes both.
COCO_EXAMPLE = [
    result([(258.15, 41.29, 606.41, 285.07)], [0.236], [(214.15, 41.29, 562.41, 285.07)], classes=[4], true=[4]),
    result(
        [(61.00, 22.75, 565.00, 632.42), (12.66, 3.32, 281.26, 275.23)],
        [0.318, 0.726],
        [(13.00, 22.75, 548.98, 632.42), (1.66, 3.32, 270.26, 275.23)],
        classes=[3, 2],
        true=[2, 2],
    ),
    result(
        [
            (87.87, 276.25, 384.29, 379.43),
            (0.00, 3.66, 142.15, 316.06),
            (296.55, 93.96, 314.97, 152.79),
            (328.94, 97.05, 342.49, 122.98),
            (356.62, 95.47, 372.33, 147.55),
            (464.08, 105.09, 495.74, 146.99),
            (276.11, 103.84, 291.44, 150.72),
        ],
        [0.546, 0.3, 0.407, 0.611, 0.335, 0.805, 0.953],
        [
            (61.87, 276.25, 358.29, 379.43),
            (2.75, 3.66, 162.15, 316.06),
            (295.55, 93.96, 313.97, 152.79),
            (326.94, 97.05, 340.49, 122.98),
            (356.62, 95.47, 372.33, 147.55),
            (462.08, 105.09, 493.74, 146.99),
            (277.11, 103.84, 292.44, 150.72),
        ],
        classes=[4, 1, 0, 0, 0, 0, 0],
        true=[4, 1, 0, 0, 0, 0, 0],
    ),
    result([(0.00, 2.87, 601.00, 421.52)], [0.699], [(13.99, 2.87, 640.00, 421.52)], classes=[5], true=[5]),
]
# The example of Padilla et al., "A Survey on Performance Metrics for Object-Detection Algorithms" (2020): objects as
# left, top, width, height, and detections as the score and the same. Its pixels, like VOC's, include the last one.
VOC_EXAMPLE = [
    ([(25, 16, 38, 56), (129, 123, 41, 62)], [(0.88, 5, 67, 31, 48), (0.70, 119, 111, 40, 67), (0.80, 124, 9, 49, 67)]),
    (
        [(123, 11, 43, 55), (38, 132, 59, 45)],
        [(0.71, 64, 111, 64, 58), (0.54, 26, 140, 60, 47), (0.74, 19, 18, 43, 35)],
    ),
    (
        [(16, 14, 35, 48), (123, 30, 49, 44), (99, 139, 47, 47)],
        [
            (0.18, 109, 15, 77, 39),
            (0.67, 86, 63, 46, 45),
            (0.38, 160, 62, 36, 53),
            (0.91, 105, 131, 47, 47),
            (0.44, 18, 148, 40, 44),
        ],
    ),
    (
        [(53, 42, 40, 52), (154, 43, 31, 34)],
        [(0.35, 83, 28, 28, 26), (0.78, 28, 68, 42, 67), (0.45, 87, 89, 25, 39), (0.14, 10, 155, 60, 26)],
    ),
    (
        [(59, 31, 44, 51), (48, 128, 34, 52)],
        [(0.62, 50, 38, 28, 46), (0.44, 95, 11, 53, 28), (0.95, 29, 131, 72, 29), (0.23, 29, 163, 72, 29)],
    ),
    ([(36, 89, 52, 76), (62, 58, 44, 67)], [(0.45, 43, 48, 74, 38), (0.84, 17, 155, 29, 35), (0.43, 95, 110, 25, 42)]),
    ([(28, 31, 55, 63), (58, 67, 50, 58)], [(0.48, 16, 20, 101, 88), (0.95, 33, 116, 37, 49)]),
]


def edges(left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
    return left, top, left + width + 1, top + height + 1


def test_coco_as_published() -> None:
    precision = coco_precision(COCO_EXAMPLE, 6)[0]
    of_classes = precision.mean(0)
    np.testing.assert_allclose(of_classes, [0.725, 0.8, 0.454, np.nan, 0.65, 0.9], atol=5e-4)
    assert np.nanmean(of_classes) == pytest.approx(0.706, abs=5e-4)
    assert np.nanmean(precision[0]) == pytest.approx(0.901, abs=5e-4)
    assert np.nanmean(precision[5]) == pytest.approx(0.846, abs=5e-4)  # at an overlap of 0.75


@pytest.mark.parametrize(("integral", "published"), [(True, 0.2456), (False, 0.2684)])
def test_voc_as_published(integral: bool, published: float) -> None:
    results = [
        result([edges(*box) for _, *box in found], [score for score, *_ in found], [edges(*box) for box in there])
        for there, found in VOC_EXAMPLE
    ]
    value = voc_precision(results, 1, overlap=0.3, integral=integral)[0]
    assert value == pytest.approx(published, abs=1e-4)  # the terms of the first are cut off after four digits


def test_a_curve_by_hand() -> None:
    """Right, wrong, right, wrong, of three objects."""
    recall, precision = curve(np.array([4, -1, 7, -1]), there=3)
    np.testing.assert_allclose(recall, [1 / 3, 1 / 3, 2 / 3, 2 / 3])
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 3, 1 / 2])
    assert area(recall, precision) == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert at_points(recall, precision) == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)
    worse_first, at = curve(np.array([-1, 0]), there=1)
    assert area(worse_first, at) == pytest.approx(0.5)  # the best precision at recall 1 counts from 0 on
    assert at_points(worse_first, at) == pytest.approx(0.5)
    assert area(*curve(np.array([], np.int64), there=2)) == at_points(*curve(np.array([], np.int64), there=2)) == 0


def test_eleven_points_include_the_recalls_that_are_no_exact_fractions() -> None:
    """Three of ten objects found give a recall of 0.3, which floating point must not put below the point 0.3."""
    recall, precision = curve(np.arange(3), there=10)
    assert at_points(recall, precision) == pytest.approx(4 / 11)


def test_an_object_is_found_once() -> None:
    box = (0.0, 0.0, 10.0, 10.0)
    twice = [result([box, (0, 0, 10, 9)], [0.8, 0.9], [box, (50, 50, 60, 60)])]
    assert voc_precision(twice, 1, 0.5, integral=True)[0] == pytest.approx(0.5)
    recall, precision = curve(np.array([3, 3]), there=2)
    assert (recall.tolist(), precision.tolist()) == ([0.5, 0.5], [1, 0.5])


def test_overlap_decides_at_its_threshold() -> None:
    half = [result([(0, 0, 10, 5)], [0.5], [(0, 0, 10, 10)])]
    assert voc_precision(half, 1, 0.5, integral=True)[0] == 1
    assert voc_precision(half, 1, 0.51, integral=True)[0] == 0


def test_what_is_ignored_counts_neither_way() -> None:
    box, other = (0.0, 0.0, 10.0, 10.0), (40.0, 40.0, 60.0, 60.0)
    plain = [result([box, (20, 0, 30, 10)], [0.6, 0.7], [box])]
    ignoring = [result([box, other, (20, 0, 30, 10)], [0.6, 0.9, 0.7], [box, other], ignored=(1,))]
    missed = [result([box, (20, 0, 30, 10)], [0.6, 0.7], [box, other], ignored=(1,))]
    for integral in (True, False):
        values = [voc_precision(each, 1, 0.5, integral)[0] for each in (plain, ignoring, missed)]
        assert values == [0.5, 0.5, 0.5]
    assert [coco_precision(each, 1)[0, 0, 0] for each in (plain, ignoring, missed)] == pytest.approx([0.5] * 3)


def test_classes_are_apart() -> None:
    box = (0.0, 0.0, 10.0, 10.0)
    results = [result([box, box], [0.9, 0.8], [box], classes=[1, 0], true=[1])]
    for values in (voc_precision(results, 3, 0.5, True), coco_precision(results, 3)[0, 0]):
        assert np.isnan(values[[0, 2]]).all()
        assert values[1] == pytest.approx(1)


def test_nothing_found_and_nothing_there() -> None:
    nothing, missed = result([], [], []), result([], [], [(0, 0, 4, 4)])
    for precision in (lambda r: voc_precision(r, 2, 0.5, True), lambda r: coco_precision(r, 2)[0].mean(0)):
        assert precision([missed, nothing])[0] == 0
        assert np.isnan(precision([missed])[1])
        assert np.isnan(precision([nothing, nothing])).all()
        assert np.isnan(precision([result([(0, 0, 4, 4)], [0.5], [])])).all()


def test_overlaps_by_hand() -> None:
    ratio = intersection_over_union(np.array([[0, 0, 4, 4.0]]), np.array([[2, 2, 6, 6], [4, 0, 8, 4], [0, 0, 4, 4.0]]))
    np.testing.assert_allclose(ratio, [[4 / 28, 0, 1]])


def scattered(seed: int, images: int = 30, classes: int = 4) -> list[Result]:
    """Images with objects, some of them crowds, and detections: near an object, anywhere, or of the wrong class."""
    random = np.random.default_rng(seed)

    def boxes(count: int) -> np.ndarray:
        corners = random.uniform(0, 150, (count, 2))
        return np.concatenate([corners, corners + random.uniform(4, 120, (count, 2))], axis=1)

    found = []
    for _ in range(images):
        there, seen = random.integers(0, 7), random.integers(0, 15)
        true_boxes, true_classes = boxes(there), random.integers(0, classes, there)
        near = boxes(seen)
        kinds = random.integers(0, classes, seen)
        for row in range(min(there, seen)):
            if random.random() < 0.8:
                near[row], kinds[row] = true_boxes[row] + random.normal(0, 3, 4), true_classes[row]
        scores = np.sort(random.random(seen).round(1))[::-1]  # many are equal
        found.append(Result(near, scores, kinds, true_boxes, true_classes, random.random(there) < 0.15))
    return found


def by_pycocotools(results: list[Result], classes: int) -> Any:
    """Its evaluation, with everything it reports."""
    coco, cocoeval = (pytest.importorskip(f"pycocotools.{name}") for name in ("coco", "cocoeval"))
    truth, found = coco.COCO(), coco.COCO()
    for side, into in (("true", truth), ("found", found)):
        entries = []
        for image, each in enumerate(results):
            boxes, kinds = (each.true_boxes, each.true_classes) if side == "true" else (each.boxes, each.classes)
            for row, (box, kind) in enumerate(zip(boxes, kinds, strict=True)):
                sides = (box[2:] - box[:2]).tolist()
                entry = {
                    "id": len(entries) + 1,
                    "image_id": image,
                    "category_id": int(kind),
                    "area": sides[0] * sides[1],
                }
                entry |= {"bbox": [*box[:2].tolist(), *sides], "iscrowd": int(side == "true" and each.ignored[row])}
                entries.append(entry | ({} if side == "true" else {"score": float(each.scores[row])}))
        into.dataset = {
            "images": [{"id": image} for image in range(len(results))],
            "categories": [{"id": kind} for kind in range(classes)],
            "annotations": entries,
        }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        evaluation = cocoeval.COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("seed", range(8))
def test_coco_is_pycocotools(seed: int) -> None:
    results, classes = scattered(seed), 5  # one of them never occurs
    evaluation, by_size = by_pycocotools(results, classes), coco_precision(results, classes, SIZES)
    for number, found in enumerate(by_size):
        theirs = evaluation.eval["precision"][:, :, :, number, 2]
        expected = np.where(theirs[:, 0] > -1, theirs.mean(1), np.nan)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)  # sums in another order
    ours = by_size[0]
    assert np.nanmean(ours) == pytest.approx(evaluation.stats[0], abs=1e-12)
    assert np.nanmean(ours[0]) == pytest.approx(evaluation.stats[1], abs=1e-12)
    assert 0.05 < evaluation.stats[0] < 0.95


def test_no_more_than_a_hundred_detections_of_an_image_count() -> None:
    boxes: Boxes = [(10.0 * n, 0.0, 10.0 * n + 5, 5.0) for n in range(120)]
    results = [result(boxes, [1 - n / 200 for n in range(120)], boxes)]
    assert coco_precision(results, 1)[0, 0, 0] == pytest.approx(by_pycocotools(results, 1).stats[0], abs=1e-12)
    assert coco_precision(results, 1)[0, 0, 0] < 0.9


LABELS = ("disc", "box", "ring")


def metric(found: list[Detections], **config: Any) -> DetectionMetric:
    """One whose model's outputs are the numbers of the images whose detections these are."""
    return DetectionMetric(
        lambda outputs: [found[int(number)] for number in outputs[0]], LABELS, DetectionMetricConfig(**config)
    )


def detections(boxes: Boxes, scores: list[float], classes: list[int]) -> Detections:
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes))


FRAME = frame_of(100, 100).then((0.5, 0.25), (10, 5))
"""An image of 100 x 100 pixels in an input of 50 x 25, 10 to the right and 5 below its corner."""


def test_boxes_are_compared_in_the_original_image() -> None:
    """In the original the object is 80 wide and high, and the detection lacks a quarter of it, beyond its edge."""
    there = make_objects([(20, 10, 60, 30)], [1])
    measured = metric([detections([(20, 10, 50, 30)], [0.9], [1])])
    measured.update((np.array([0]),), collate_targets([(there, FRAME, 0)]))
    assert measured.results[0].true_boxes.tolist() == [[20, 20, 100, 100]]
    assert measured.results[0].boxes.tolist() == [[20, 20, 80, 100]]
    values = dict(zip(measured.name(), measured.accumulate(), strict=True))
    assert values == pytest.approx({"bbox_map": 0.6, "bbox_map_50": 1, "ap_disc": -1, "ap_box": 0.6, "ap_ring": -1})


@pytest.mark.parametrize(
    ("config", "primary", "expected"),
    [
        ({"kind": "voc"}, "voc_map", 1 / 2),
        ({"kind": "voc", "overlap": 0.7}, "voc_map_at_70", 1 / 2),
        ({"kind": "voc", "overlap": 0.8, "integral": False}, "voc_map_11_at_80", 0),
        ({"kind": "voc", "integral": False}, "voc_map_11", 6 / 11),
        ({"kind": "voc", "difficult": True}, "voc_map", 2 / 3),
        ({"kind": "coco"}, "bbox_map", 51 / 101 * 6 / 10),
        ({"kind": "coco", "difficult": True}, "bbox_map", (67 + 51 * 0) / 101 * 6 / 10),
    ],
)
def test_the_configuration_is_followed(config: dict[str, Any], primary: str, expected: float) -> None:
    """Of three objects, one of them difficult, two are found with an overlap of 3/4: one plain, one difficult."""
    there = make_objects([(0, 0, 8, 8), (20, 0, 28, 8), (40, 0, 48, 8)], [0, 0, 0], difficult=[False, True, False])
    measured = metric([detections([(0, 0, 8, 6), (20, 0, 28, 6)], [0.9, 0.8], [0, 0])], **config)
    measured.update((np.array([0]),), collate_targets([(there, frame_of(64, 64), 0)]))
    assert measured.accumulate()[0] == pytest.approx(expected)
    more = ["bbox_map_50"] if config["kind"] == "coco" else []
    assert measured.name() == [primary, *more, "ap_disc", "ap_box", "ap_ring"]
    assert measured.primary == primary


@pytest.mark.parametrize("kind", ["coco", "voc"])
def test_batches_add_up_and_a_reset_forgets(kind: str) -> None:
    box: Boxes = [(0, 0, 8, 8)]
    found = [detections(box, [0.9], [0]), detections([], [], []), detections([(30, 30, 40, 40)], [0.95], [0])]
    targets = [(make_objects(box, [0]), frame_of(64, 64), image) for image in range(3)]
    once, apart = metric(found, kind=kind), metric(found, kind=kind)
    once.update((np.arange(3),), collate_targets(targets))
    for number in range(3):
        apart.update((np.array([number]),), collate_targets([targets[number]]))
    assert once.accumulate() == apart.accumulate()
    assert 0 < once.accumulate()[0] < 0.3
    copied = copy.deepcopy(once)
    once.reset()
    once.update((np.array([0]),), collate_targets(targets[:1]))
    assert once.accumulate()[0] == pytest.approx(1)
    assert copied.accumulate() == apart.accumulate()


def test_a_batch_is_decoded_once_for_a_metric_and_its_copies() -> None:
    decoded = []

    def decode(outputs: tuple[np.ndarray, ...]) -> list[Detections]:
        decoded.append(outputs[0])
        return [detections([(0, 0, 8, 8)], [0.9], [0])]

    whole = DetectionMetric(decode, LABELS, DetectionMetricConfig())
    alone, targets = copy.deepcopy(whole), collate_targets([(make_objects([], []), frame_of(9, 9), 0)])
    for batch in range(3):
        outputs = (np.array([batch]),)
        alone.reset()
        for each in (whole, alone):
            each.update(outputs, targets)
    assert len(decoded) == 3
    assert (len(whole.results), len(alone.results)) == (3, 1)
    whole.update(outputs, collate_targets([(make_objects([(0, 0, 8, 8)], [0]), frame_of(9, 9), 0)]))
    assert whole.accumulate()[0] > 0  # the same outputs beside other targets


def test_precision_by_size_counts_objects_of_that_size_alone() -> None:
    boxes: Boxes = [(0, 0, 20, 20), (30, 30, 90, 90)]
    measured = metric([detections(boxes[:1], [0.9], [0]), detections([], [], [])], sizes=True)
    assert measured.name()[2:5] == ["bbox_map_small", "bbox_map_medium", "bbox_map_large"]
    targets = collate_targets([(make_objects(boxes, [0, 0]), frame_of(99, 99), 0)])
    for image, small in ((0, 1.0), (1, 0.0)):
        measured.reset()
        measured.update((np.array([image]),), targets)
        assert measured.accumulate()[2:5] == pytest.approx([small, 0, -1])
        assert len(measured.accumulate()) == len(measured.name())


@pytest.mark.parametrize("kind", ["coco", "voc"])
def test_numbers_that_are_none_find_nothing(kind: str) -> None:
    box: Boxes = [(0, 0, 8, 8)]
    broken = detections([(0, 0, 8, np.nan), (0, 0, 8, 8)], [0.9, np.inf], [0, 0])
    measured = metric([broken], kind=kind)
    measured.update((np.array([0]),), collate_targets([(make_objects(box, [0]), frame_of(64, 64), 0)]))
    assert measured.accumulate()[0] == 0
    assert np.isfinite(measured.accumulate()).all()


@pytest.mark.parametrize("kind", ["coco", "voc"])
def test_images_without_objects_are_no_error(kind: str) -> None:
    measured = metric([detections([(0, 0, 8, 8)], [0.9], [0])], kind=kind)
    measured.update((np.array([0]),), collate_targets([(make_objects([], []), frame_of(64, 64), 0)]))
    assert measured.accumulate()[0] == 0
