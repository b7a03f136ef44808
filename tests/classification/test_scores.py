"""Loss, metric and predictor against figures worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import paddle
import pytest
from pydantic import ValidationError

from paddleprune.errors import ConfigError, DataError
from paddleprune.interfaces import Dataset, Sample
from paddleprune.specs import ImageOptions
from paddleprune.vision.class_weights import class_weights
from paddleprune_classification import transform_specs as spec
from paddleprune_classification.config import ClassificationLoss, ClassificationMetric
from paddleprune_classification.losses import cross_entropy
from paddleprune_classification.metrics import TopK
from paddleprune_classification.predictor import ClassPredictor

SCORES = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0]], np.float32)
TARGETS = np.array([0, 2])


def nll(row: np.ndarray, target: int) -> float:
    return math.log(sum(math.exp(v) for v in row)) - row[target]


def loss_of(config: ClassificationLoss, *outputs: np.ndarray) -> float:
    tensors = tuple(paddle.to_tensor(o) for o in outputs)
    return float(cross_entropy(config)(tensors, paddle.to_tensor(TARGETS)))


def test_cross_entropy() -> None:
    expected = (nll(SCORES[0], 0) + nll(SCORES[1], 2)) / 2
    assert loss_of(ClassificationLoss(), SCORES) == pytest.approx(expected, rel=1e-6)


def test_class_weights_count_as_they_say() -> None:
    tensors, targets = (paddle.to_tensor(SCORES),), paddle.to_tensor(TARGETS)
    weights = np.array([3.0, 1.0, 0.5], np.float32)
    each = [nll(SCORES[0], 0), nll(SCORES[1], 2)]
    found = float(cross_entropy(ClassificationLoss(), weights)(tensors, targets))
    assert found == pytest.approx((3 * each[0] + 0.5 * each[1]) / 3.5, rel=1e-6)
    smooth = [[0.9 * (k == t) + 0.1 / 3 for k in range(3)] for t in TARGETS]
    rows = [[nll(row, k) for k in range(3)] for row in SCORES]
    counts = [float(np.dot(weights, target)) for target in smooth]
    sums = [count * float(np.dot(target, row)) for count, target, row in zip(counts, smooth, rows, strict=True)]
    found = float(cross_entropy(ClassificationLoss(label_smoothing=0.1), weights)(tensors, targets))
    assert found == pytest.approx(sum(sums) / sum(counts), rel=1e-5)


class Skewed(Dataset):
    """Four samples of class 0, one of class 1, none of class 2; a pixel of a mask may be ignored."""

    labels = ("a", "b", "c")

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Sample:
        return (np.zeros(1),), np.array([index // 4, 255])


def test_balanced_weights_are_those_of_the_data() -> None:
    np.testing.assert_allclose(class_weights("balanced", 3, Skewed()), [5 / (2 * 4), 5 / (2 * 1), 0])
    np.testing.assert_allclose(class_weights((1, 2, 0), 3, None), [1, 2, 0])
    assert class_weights(None, 3, None) is None
    for wanted, words in (((1, 2), "2 numbers, but there are 3"), ((0, 0, 0), "all 0"), ("balanced", "training data")):
        with pytest.raises(ConfigError, match=words):
            class_weights(wanted, 3, None)
    with pytest.raises(ValidationError, match=r"such as \[1, 2\.5\], or balanced"):
        ClassificationLoss(class_weights="balance")
    assert ClassificationLoss.model_validate({"class_weights": [1, 2]}).class_weights == (1, 2)


def test_label_smoothing_spreads_the_target() -> None:
    rows = [
        0.9 * nll(r, t) + 0.1 * np.mean([nll(r, c) for c in range(3)]) for r, t in zip(SCORES, TARGETS, strict=True)
    ]
    assert loss_of(ClassificationLoss(label_smoothing=0.1), SCORES) == pytest.approx(np.mean(rows), rel=1e-6)


def test_auxiliary_heads_are_weighted() -> None:
    main, other = loss_of(ClassificationLoss(), SCORES), loss_of(ClassificationLoss(), -SCORES)
    both = loss_of(ClassificationLoss(aux_weight=0.25), SCORES, -SCORES, SCORES)
    assert both == pytest.approx(main + 0.25 * (other + main), rel=1e-6)


@pytest.mark.parametrize("bad", [{"label_smoothing": 1.0}, {"label_smoothing": -0.1}, {"aux_weight": float("nan")}])
def test_bad_losses_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ClassificationLoss(**bad)


def top_k(k: int, classes: int) -> TopK:
    return TopK(ClassificationMetric(top_k=k), [str(c) for c in range(classes)])


def test_accuracy_over_batches() -> None:
    metric = top_k(2, 3)
    metric.update((SCORES, -SCORES), TARGETS)  # right; rank 3 (ties with class 0, which comes before)
    metric.update((SCORES[:1],), np.array([1]))  # second
    assert metric.name() == ["acc1", "acc2"]
    assert metric.accumulate() == [1 / 3, 2 / 3]
    metric.reset()
    metric.update((SCORES,), TARGETS.reshape(-1, 1))
    assert metric.accumulate() == [0.5, 0.5]


@pytest.mark.parametrize("seed", range(3))
def test_ranks_agree_with_a_stable_sort(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 5, (200, 12)).astype(np.float32)
    targets = random.integers(0, 12, 200)
    metric = top_k(5, 12)
    metric.update((scores,), targets)
    order = np.argsort(-scores, axis=1, kind="stable")
    expected = [float(np.mean([t in row[:k] for t, row in zip(targets, order, strict=True)])) for k in (1, 5)]
    assert metric.accumulate() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("k", "classes", "names"), [(5, 10, ["acc1", "acc5"]), (5, 5, ["acc1"]), (1, 10, ["acc1"])])
def test_top_k_is_reported_where_it_says_something(k: int, classes: int, names: list[str]) -> None:
    assert top_k(k, classes).name() == names


def test_a_diverged_model_is_wrong() -> None:
    metric = top_k(2, 3)
    metric.update((np.full((4, 3), np.nan, np.float32),), np.array([0, 1, 2, 0]))
    assert metric.accumulate() == [0.0, 0.0]


def test_accuracy_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="accuracy over no images"):
        top_k(5, 10).accumulate()


def predictor(labels: tuple[str, ...] = ("cat", "dog", "eel"), channels: int = 3) -> ClassPredictor:
    steps = [spec.Resize(target_size=(8, 8)), spec.Normalize(mean=(0.5,), std=(0.5,))]
    options = ImageOptions(num_classes=3, input_size=8, input_channels=channels)
    return ClassPredictor(options, labels, [step.model_dump(mode="json") for step in steps])


def test_prepare_gives_the_models_input() -> None:
    image = np.zeros((5, 6, 3), np.uint8)
    image[:, :, 2] = 255  # red
    (pixels,) = predictor().prepare(image)
    assert pixels.shape == (3, 8, 8)
    assert pixels[:, 0, 0].tolist() == [1, -1, -1]
    assert predictor(channels=1).prepare(image)[0].shape == (1, 8, 8)


def test_interpret_names_the_best_classes() -> None:
    logits = np.array([0.0, math.log(3), 0.0], np.float32)
    result = predictor().interpret((logits, logits), np.zeros((2, 2, 3), np.uint8))
    assert (result["label"], result["label_id"]) == ("dog", 1)
    assert result["score"] == pytest.approx(0.6)
    assert [entry["label"] for entry in result["top"]] == ["dog", "cat", "eel"]
    json.dumps(result)


def test_large_scores_do_not_overflow() -> None:
    result = predictor().interpret((np.array([1e30, 0, -1e30], np.float32),), np.zeros((2, 2, 3), np.uint8))
    assert result["score"] == 1.0


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        predictor().interpret((np.array([0, np.nan, 0], np.float32),), np.zeros((2, 2, 3), np.uint8))


def test_classes_without_a_name_show_their_number() -> None:
    result = predictor(labels=("cat",)).interpret((np.array([0, 5, 0], np.float32),), np.zeros((2, 2, 3), np.uint8))
    assert result["label"] == "1"


def test_unknown_preprocessing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"preprocessing can't be used: .*Blur") as caught:
        ClassPredictor(ImageOptions(), (), [{"name": "Blur"}])
    assert "\n" not in str(caught.value)


def test_draw_writes_the_class_above_the_image() -> None:
    image = np.full((8, 8, 3), 7, np.uint8)
    drawn = predictor().draw(image, {"label": "dog", "score": 0.6})
    assert drawn.dtype == np.uint8
    assert drawn.shape[1] == 320
    assert (drawn[28:] == 7).all()
    assert drawn[:28].min() < 100 < drawn[:28].max()
