"""Loss, metric and predictor against figures worked out by hand."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paddle
import pytest
from pydantic import ValidationError

from paddleprune.errors import ConfigError, DataError
from paddleprune.specs import ImageOptions
from paddleprune.vision.values import IGNORED
from paddleprune_segmentation import transform_specs as spec
from paddleprune_segmentation.config import SegmentationLoss
from paddleprune_segmentation.losses import mixed
from paddleprune_segmentation.metrics import Overlap
from paddleprune_segmentation.palette import voc_palette
from paddleprune_segmentation.predictor import MaskPredictor

# One image of 2x2 pixels, two classes; the last pixel is ignored. Scores of class 0 are 0, so that the probability
# of class 1 is a sigmoid.
ONES = np.array([[0.0, math.log(3)], [-math.log(3), 9.0]], np.float32)
SCORES = np.stack([np.zeros((2, 2), np.float32), ONES])[np.newaxis]
TARGETS = np.array([[[0, 1], [1, 255]]], np.uint8)
EACH = [math.log(2), math.log(4 / 3), math.log(4)]
"""The cross entropies of the pixels that count: the right class has 1/2, 3/4 and 1/4."""


def loss_of(*outputs: np.ndarray, targets: np.ndarray = TARGETS, **config: float) -> float:
    tensors = tuple(paddle.to_tensor(output) for output in outputs)
    return float(mixed(SegmentationLoss(**config))(tensors, paddle.to_tensor(targets)))


def test_cross_entropy_is_the_mean_over_what_counts() -> None:
    assert loss_of(SCORES) == pytest.approx(sum(EACH) / 3, rel=1e-6)


def test_bootstrapped_takes_the_hardest() -> None:
    only = {"cross_entropy": 0, "bootstrapped": 1}
    assert loss_of(SCORES, hardest=0.34, **only) == pytest.approx(math.log(4), rel=1e-6)
    assert loss_of(SCORES, hardest=0.66, **only) == pytest.approx((math.log(4) + math.log(2)) / 2, rel=1e-6)
    assert loss_of(SCORES, hardest=1, **only) == pytest.approx(sum(EACH) / 3, rel=1e-6)


def test_class_weights_are_those_of_the_pixels() -> None:
    weights = np.array([3.0, 1.0], np.float32)  # of the pixels 0, 1 and 1
    loss = mixed(SegmentationLoss(), weights)
    found = float(loss((paddle.to_tensor(SCORES),), paddle.to_tensor(TARGETS)))
    assert found == pytest.approx((3 * EACH[0] + EACH[1] + EACH[2]) / 5, rel=1e-6)
    hard = mixed(SegmentationLoss(cross_entropy=0, bootstrapped=1, hardest=0.34), weights)
    found = float(hard((paddle.to_tensor(SCORES),), paddle.to_tensor(TARGETS)))
    assert found == pytest.approx(3 * EACH[0] * 3 / 5, rel=1e-6)


def test_dice() -> None:
    said = 0.5 + 0.25 + 0.75  # of class 0, over the pixels that count; as much of class 1
    zero = 1 - 2 * 0.5 / (1 + said)
    one = 1 - 2 * (0.75 + 0.25) / (2 + said)
    assert loss_of(SCORES, cross_entropy=0, dice=1) == pytest.approx((zero + one) / 2, rel=1e-6)


def test_dice_leaves_out_classes_that_do_not_occur() -> None:
    third = np.concatenate([SCORES, np.full((1, 1, 2, 2), -50, np.float32)], axis=1)
    assert loss_of(third, cross_entropy=0, dice=1) == pytest.approx(loss_of(SCORES, cross_entropy=0, dice=1), rel=1e-5)


def test_losses_and_heads_are_weighted() -> None:
    parts = {"cross_entropy": loss_of(SCORES), "dice": loss_of(SCORES, cross_entropy=0, dice=1)}
    both = loss_of(SCORES, cross_entropy=2, dice=0.5)
    assert both == pytest.approx(2 * parts["cross_entropy"] + 0.5 * parts["dice"], rel=1e-6)
    three = loss_of(SCORES, -SCORES, SCORES, aux_weight=0.25)
    assert three == pytest.approx(1.25 * loss_of(SCORES) + 0.25 * loss_of(-SCORES), rel=1e-6)


@pytest.mark.parametrize("config", [{}, {"dice": 1}, {"bootstrapped": 1}])
def test_a_batch_without_a_pixel_costs_nothing(config: dict[str, float]) -> None:
    scores = paddle.to_tensor(SCORES, stop_gradient=False)
    loss = mixed(SegmentationLoss(**config))((scores,), paddle.to_tensor(np.full_like(TARGETS, 255)))
    loss.backward()
    assert float(loss) == 0
    assert np.array_equal(scores.grad.numpy(), np.zeros_like(SCORES))


def test_an_ignored_pixel_gets_no_gradient() -> None:
    scores = paddle.to_tensor(SCORES, stop_gradient=False)
    config = SegmentationLoss(cross_entropy=1, dice=1, bootstrapped=1, hardest=1)
    mixed(config)((scores,), paddle.to_tensor(TARGETS)).backward()
    gradient = scores.grad.numpy()
    assert (gradient[:, :, 1, 1] == 0).all()
    assert (gradient[:, :, 0] != 0).all()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"cross_entropy": 0}, "nothing to minimise"),
        ({"dice": -1}, "greater than or equal to 0"),
        ({"hardest": 0}, "greater than 0"),
        ({"aux_weight": float("nan")}, "finite"),
    ],
)
def test_bad_losses_are_refused(bad: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SegmentationLoss(**bad)


def one_hot(said: Any, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[np.asarray(said)].transpose(0, 3, 1, 2)


def test_overlap_by_hand() -> None:
    """True and predicted: (0, 0) three times, (0, 1), (1, 1) twice, (1, 2), (2, 2), and two ignored."""
    truth = np.array([[[0, 0, 0, 0, 1], [1, 1, 2, 255, 255]]], np.uint8)
    said = np.array([[[0, 0, 0, 1, 1], [1, 2, 2, 0, 2]]])
    metric = Overlap(["a", "b", "c"])
    metric.update((one_hot(said[:, :1], 3),), truth[:, :1])  # in two batches
    metric.update((one_hot(said[:, 1:], 3), None), truth[:, 1:])
    assert metric.confusion[:, :3].tolist() == [[3, 1, 0], [0, 2, 1], [0, 0, 1]]
    ious = [3 / 4, 2 / 4, 1 / 2]
    accuracy, chance = 6 / 8, (4 * 3 + 3 * 3 + 1 * 2) / 64
    expected = [sum(ious) / 3, accuracy, (accuracy - chance) / (1 - chance), *ious]
    assert metric.accumulate() == pytest.approx(expected, rel=1e-12)
    assert metric.name() == ["miou", "acc", "kappa", "iou_a", "iou_b", "iou_c"]
    metric.reset()
    metric.update((one_hot(truth % 255, 3),), truth)
    assert metric.accumulate() == [1] * 6


def test_the_metric_takes_classes_for_scores() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (3, 5, 7, 9)).astype(np.float32)  # many of a pixel's scores are equal
    scores[0, 1, 2:4] = np.nan
    scores[1, 4] = np.inf
    scores[1, 2, 3] = -np.inf
    targets = rng.choice([0, 1, 2, 3, 4, IGNORED], (3, 7, 9)).astype(np.uint8)
    plain, reduced = Overlap("abcde"), Overlap("abcde")
    (said,) = plain.reduction()((paddle.to_tensor(scores),))
    assert said.dtype == paddle.uint8
    plain.update((scores,), targets)
    reduced.update((said.numpy(),), targets)
    np.testing.assert_array_equal(plain.confusion, reduced.confusion)
    assert plain.confusion[:, -1].sum() > 0


def test_a_class_that_occurs_nowhere_counts_nowhere() -> None:
    metric = Overlap(["a", "b", "c"])
    metric.update((one_hot([[[0, 0, 1, 1]]], 3),), np.array([[[0, 0, 0, 1]]]))
    assert metric.accumulate() == pytest.approx([(2 / 3 + 1 / 2) / 2, 3 / 4, 0.5, 2 / 3, 1 / 2, 1])


def test_of_equal_scores_the_first_counts() -> None:
    metric = Overlap(["a", "b"])
    metric.update((np.zeros((1, 2, 1, 4), np.float32),), np.array([[[0, 0, 1, 1]]]))
    assert metric.accumulate()[1] == 0.5


def test_a_diverged_model_is_wrong() -> None:
    metric = Overlap(["a", "b"])
    metric.update((np.full((1, 2, 3, 3), np.nan, np.float32),), np.zeros((1, 3, 3), np.uint8))
    assert metric.accumulate()[:3] == [0, 0, 0]


def test_overlap_of_nothing_is_refused() -> None:
    metric = Overlap(["a", "b"])
    metric.update((one_hot([[[0]]], 2),), np.array([[[255]]]))
    with pytest.raises(DataError, match="mean IoU over no pixels"):
        metric.accumulate()


def predictor(*steps: Any, channels: int = 3) -> MaskPredictor:
    options = ImageOptions(num_classes=3, input_size=32, input_channels=channels)
    said = [step.model_dump(mode="json") for step in (*steps, spec.Normalize())]
    return MaskPredictor(options, ("ground", "disc", "box"), said)


STEPS = [
    (),
    (spec.Resize(target_size=(32, 32)),),
    (spec.ResizeByLong(long_size=32), spec.Padding(target_size=32)),
    (spec.Padding(target_size=(96, 96)), spec.Resize(target_size=32)),
]


@pytest.mark.parametrize("steps", STEPS)
def test_the_original_size_comes_back(steps: tuple[Any, ...]) -> None:
    """A network that sees brightness finds the bright box where it is in the image, whatever the preprocessing."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:50] = 255
    subject = predictor(*steps)
    (pixels,) = subject.prepare(image)
    scores = np.stack([-pixels[0], np.full_like(pixels[0], -2), pixels[0]])
    result = json.loads(json.dumps(subject.interpret((scores, scores), image)))
    mask = cv2.imdecode(np.frombuffer(base64.b64decode(result["mask"]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (result["height"], result["width"]) == (40, 60)
    wrong = (mask == 2) != (image[:, :, 0] == 255)
    assert wrong.mean() < (0.05 if steps else 1e-9)
    assert [entry["label"] for entry in result["classes"]] == ["ground", "box"]
    assert sum(entry["pixels"] for entry in result["classes"]) == 2400
    assert result["classes"][1]["share"] == pytest.approx(0.25, abs=0.03)


def test_drawing_shows_the_image_under_colours_and_the_colours() -> None:
    image = np.full((4, 4, 3), 100, np.uint8)
    scores = np.zeros((3, 4, 4), np.float32)
    scores[2, :2] = 1
    drawn = predictor().draw(image, predictor().interpret((scores,), image))
    assert drawn.shape == (4, 8, 3)
    assert (drawn[2:, :4] == 100).all()
    assert drawn[0, 4].tolist() == [0, 128, 0]
    assert drawn[0, 0].tolist() == [40, round(0.4 * 100 + 0.6 * 128), 40]
    assert (drawn[2:, 4:] == 0).all()


def test_the_palette_is_pascal_voc_s() -> None:
    palette = voc_palette().tolist()
    assert palette[:5] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert palette[15] == [192, 128, 128]
    assert palette[255] == [224, 224, 192]
    assert len({tuple(colour) for colour in palette}) == 256


def test_channels_of_the_model() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :, 2] = 255  # red
    assert predictor().prepare(image)[0][:, 0, 0].tolist() == [1, -1, -1]
    assert predictor(channels=1).prepare(image)[0].shape == (1, 8, 8)
    assert predictor(channels=5).prepare(np.zeros((8, 8, 5), np.uint16))[0].shape == (5, 8, 8)
    with pytest.raises(DataError, match="the image has 3 channels, but the model reads 5"):
        predictor(channels=5).prepare(image)


def test_an_array_predicts_as_the_file_with_its_colours(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    np.save(tmp_path / "a.npy", image[:, :, ::-1])
    inputs = [predictor().prepare(predictor().read(tmp_path / name))[0] for name in ("a.png", "a.npy")]
    assert np.array_equal(*inputs)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        predictor().interpret((np.full((3, 2, 2), np.nan),), np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize(
    ("name", "message"), [("Blur", "can't be used: .*Blur"), ("RandomBlur", "RandomBlur is random")]
)
def test_preprocessing_that_cannot_be_repeated_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        MaskPredictor(ImageOptions(), (), [{"name": name}])
    assert "\n" not in str(caught.value)
