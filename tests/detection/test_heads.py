"""What the heads read: outputs made by hand for objects that are known, decoded and cheap to have said."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import paddle
import pytest

from paddleprune.vision.frame import frame_of
from paddleprune.vision.objects import make_objects
from paddleprune.vision.suppression import Suppression
from paddleprune_detection import options as o
from paddleprune_detection.config import DetectionLoss
from paddleprune_detection.data.targets import collate_targets
from paddleprune_detection.heads import boxes as b
from paddleprune_detection.heads import fcos, ppyoloe, two_stage
from paddleprune_detection.heads.ssd import boxes_per_cell
from paddleprune_detection.heads.yolo import STRIDES
from paddleprune_detection.reading import head_of

SIZE = (64, 96)
OBJECTS = [[(8, 24, 40, 56)], [(24, 8, 56, 40), (56, 24, 88, 56)], []]
"""Of three images; each 32x32, with its centre in the middle of a cell of stride 16."""
CLASSES = [[1], [0, 2], []]
SURE = 9.0
SMALL = {"num_classes": 3, "input_size": SIZE}
Outputs = tuple[np.ndarray, ...]


def grids(strides: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(math.ceil(SIZE[0] / stride), math.ceil(SIZE[1] / stride)) for stride in strides]


def empty(channels: int, stride: int) -> np.ndarray:
    return np.zeros((len(OBJECTS), channels, *grids((stride,))[0]), np.float32)


def each() -> list[tuple[int, tuple[int, ...], int]]:
    """Image, box and class of every object."""
    return [
        (n, box, kind)
        for n, (boxes, kinds) in enumerate(zip(OBJECTS, CLASSES, strict=True))
        for box, kind in zip(boxes, kinds, strict=True)
    ]


def middle(box: tuple[int, ...], stride: int) -> tuple[int, int]:
    """Row and column of the cell that holds a box's centre."""
    return (box[1] + box[3]) // 2 // stride, (box[0] + box[2]) // 2 // stride


def yolo() -> tuple[o.DetectorOptions, Outputs]:
    options = o.YoloOptions(**SMALL, anchors=((8, 8), (64, 16), (16, 64), (32, 32), (90, 90), (200, 200)))
    outputs = [empty(2 * 8, stride) for stride in STRIDES]
    for output in outputs:
        output[:, [4, 12]] = -SURE
    for image, box, kind in each():  # the second of the two anchors at stride 16
        cell = outputs[1][(image, slice(8, 16), *middle(box, 16))]
        cell[:4] = [0, 0, 0, 0]
        cell[4] = SURE
        cell[5:] = -SURE
        cell[5 + kind] = SURE
    return options, tuple(outputs)


def ssd() -> tuple[o.DetectorOptions, Outputs]:
    options = o.SsdOptions(**SMALL, smallest=0.5, largest=0.9)
    counts = [boxes_per_cell(level) for level in range(6)]
    outputs: list[np.ndarray] = []
    for count, stride in zip(counts, (16, 32, 64, 128, 256, 512), strict=True):
        outputs += [empty(4 * count, stride), empty(4 * count, stride)]
        outputs[-1][:, 3::4] = SURE
    for image, box, kind in each():  # the first level's first box: 48 wide and 32 high, in the middle of its cell
        place = (image, *middle(box, 16))
        outputs[0][place[0], :4, place[1], place[2]] = [0, 0, math.log(32 / 48) / 0.2, 0]
        outputs[1][place[0], :4, place[1], place[2]] = [SURE if i == kind else -SURE for i in range(4)]
    return options, tuple(outputs)


def anchor_free() -> tuple[o.DetectorOptions, Outputs]:
    options = o.FcosOptions(**SMALL)
    outputs: list[np.ndarray] = []
    for stride in fcos.STRIDES:
        outputs += [empty(3, stride) - SURE, empty(4, stride), empty(1, stride) - SURE]
    for image, box, kind in each():  # stride 8: the four cells around the centre, each half a stride off
        row, column = middle(box, 8)
        for down in (-1, 0):
            for right in (-1, 0):
                y, x = row + down, column + right
                outputs[0][image, kind, y, x] = outputs[2][image, 0, y, x] = SURE
                sides = ((x + 0.5) * 8 - box[0], (y + 0.5) * 8 - box[1], box[2] - (x + 0.5) * 8, box[3] - (y + 0.5) * 8)
                outputs[1][image, :, y, x] = np.log(np.array(sides) / 8)
    return options, tuple(outputs)


def distributed() -> tuple[o.DetectorOptions, Outputs]:
    options = o.PpYoloeOptions(**SMALL)
    outputs: list[np.ndarray] = []
    for stride in ppyoloe.STRIDES:
        outputs += [empty(3, stride) - SURE, empty(4 * 17, stride)]
    for image, box, kind in each():
        row, column = middle(box, 16)
        outputs[2][image, kind, row, column] = SURE
        outputs[3][image, [17 * side + 1 for side in range(4)], row, column] = 50  # one stride to each side
    return options, tuple(outputs)


def two_stages() -> tuple[o.DetectorOptions, Outputs]:
    options = o.FasterRcnnOptions(**SMALL)
    proposals = np.tile(np.array([0, 0, 16, 16], np.float32), (len(OBJECTS), 4, 1))
    scores = np.zeros((len(OBJECTS), 4, 4), np.float32)
    scores[..., 3] = SURE
    offsets = np.zeros((len(OBJECTS), 4, 3, 4), np.float32)
    place = dict.fromkeys(range(len(OBJECTS)), 0)
    for image, box, kind in each():
        here = place[image] = place[image] + 1
        proposals[image, here] = np.add(box, (4, 0, 0, 0))
        scores[image, here] = [SURE if i == kind else -SURE for i in range(4)]
        offsets[image, here, kind] = (
            b.encoded(np.array([box], np.float32), proposals[image, [here]])[0] / two_stage.VARIANCES
        )
    first = [empty(n, stride) for stride in two_stage.STRIDES for n in (3, 12)]
    return options, (proposals, scores, offsets.reshape(len(OBJECTS), 4, 12), *first)


HEADS: dict[str, Callable[[], tuple[o.DetectorOptions, Outputs]]] = {
    "yolo": yolo,
    "ssd": ssd,
    "fcos": anchor_free,
    "ppyoloe": distributed,
    "two stages": two_stages,
}


@pytest.mark.parametrize("kind", HEADS)
def test_outputs_say_which_objects_are_where(kind: str) -> None:
    options, outputs = HEADS[kind]()
    found = head_of(options.model_copy(update={"score_threshold": 0.5})).decode(outputs)
    assert len(found) == len(OBJECTS)
    for said, boxes, classes in zip(found, OBJECTS, CLASSES, strict=True):
        order = np.argsort(said.boxes[:, 0])
        np.testing.assert_allclose(said.boxes[order], np.reshape(boxes, (-1, 4)), atol=1e-3)
        assert said.classes[order].tolist() == classes
        assert (said.scores > 0.99).all()
        assert (said.boxes.dtype, said.scores.dtype, said.classes.dtype) == (np.float32, np.float32, np.int64)


@pytest.mark.parametrize("kind", HEADS)
def test_the_same_objects_are_found_inside_of_a_network(kind: str) -> None:
    """Of outputs whose scores all differ, and with noise that makes boxes overlap."""
    options, outputs = HEADS[kind]()
    random = np.random.default_rng(1)
    noisy = tuple(output + random.normal(0, 3, output.shape).astype(np.float32) for output in outputs)
    head = head_of(options.model_copy(update={"score_threshold": 0.02, "max_objects": 40}))
    boxes, scores = head.everything(tuple(map(paddle.to_tensor, noisy)))
    objects, counts = (part.numpy() for part in Suppression(*head.limits)(boxes, scores))
    ends = np.cumsum(counts)
    assert ends[-1] > 5
    for said, start, end in zip(head.decode(noisy), ends - counts, ends, strict=True):
        rows = objects[start:end]
        rows = rows[np.argsort(-rows[:, 1], kind="stable")]
        assert len(rows) == len(said.scores)
        np.testing.assert_array_equal(rows[:, 0], said.classes)
        np.testing.assert_allclose(rows[:, 1], said.scores, rtol=1e-4)
        np.testing.assert_allclose(rows[:, 2:], said.boxes, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("kind", HEADS)
def test_images_of_a_batch_do_not_matter_to_each_other(kind: str) -> None:
    options, outputs = HEADS[kind]()
    random = np.random.default_rng(0)
    noisy = tuple(output + random.normal(0, 3, output.shape).astype(np.float32) for output in outputs)
    head = head_of(options.model_copy(update={"score_threshold": 1e-4}))
    for image, said in enumerate(head.decode(noisy)):
        (alone,) = head.decode(tuple(output[image : image + 1] for output in noisy))
        assert len(said.scores) > 0
        for a, c in zip(said, alone, strict=True):
            np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("kind", HEADS)
def test_outputs_that_are_no_numbers_are_no_objects(kind: str) -> None:
    options, outputs = HEADS[kind]()
    head = head_of(options)
    for bad in (np.nan, np.inf, -np.inf, 1e30):
        for found in head.decode(tuple(np.full_like(output, bad) for output in outputs)):
            assert np.isfinite(found.boxes).all()
            assert np.isfinite(found.scores).all()


@pytest.mark.parametrize("box", ["own", "iou", "giou"])
@pytest.mark.parametrize("kind", HEADS)
def test_the_truth_costs_little_and_every_output_learns(kind: str, box: Any) -> None:
    """Against that of the image before, and with gradients wherever the head is responsible."""
    options, outputs = HEADS[kind]()
    images = zip(OBJECTS, CLASSES, strict=True)
    targets = collate_targets([(make_objects(b_, c), frame_of(*SIZE), n) for n, (b_, c) in enumerate(images)])
    tensors = {name: paddle.to_tensor(part) for name, part in targets.items()}
    head, config = head_of(options), DetectionLoss(box=box)

    def loss(said: Outputs) -> tuple[float, list[float]]:
        paddle.seed(0)
        given = tuple(paddle.to_tensor(part, stop_gradient=False) for part in said)
        value = head.loss(given, tensors, config)
        value.backward()
        return float(value), [0.0 if part.grad is None else float(part.grad.abs().sum()) for part in given]

    random = np.random.default_rng(0)
    right, wrong = loss(outputs)[0], loss(tuple(np.roll(part, 1, axis=0) for part in outputs))[0]
    assert right < 0.8 * wrong
    start = 1 if kind == "two stages" else 0  # proposals are no output to learn
    noise = (*outputs[:start], *(random.normal(0, 1, part.shape).astype(np.float32) for part in outputs[start:]))
    cost, gradients = loss(noise)
    assert math.isfinite(cost)
    learnt = gradients[start:]
    assert sum(g > 0 for g in learnt) >= len(learnt) / 3
    assert all(math.isfinite(g) for g in learnt)
