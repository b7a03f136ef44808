"""Pictures that are whole, not blank, and readable."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.text import Annotation

from paddleprune.errors import ConfigError
from paddleprune.reports import Curve, CurvePoint, draw_curve, draw_heatmap
from paddleprune.reports.curves import curve_figure
from paddleprune.reports.heatmap import heatmap_figure

TOLERANCES = (0.01, *(round(0.05 * i, 2) for i in range(1, 20)))
RATIOS = [round(0.1 * i, 1) for i in range(1, 10)]


def _curve(shape) -> Curve:
    points = [
        CurvePoint(eval_metric_loss=t, parameters_removed=shape(t)[0], flops_removed=shape(t)[1]) for t in TOLERANCES
    ]
    return Curve(model="mobilenet_v2", metric="acc1", baseline=0.98, points=tuple(points))


SHAPES = {
    "apart": lambda t: (0.55 + 0.4 * (1 - math.exp(-5 * t)), 0.25 + 0.6 * (1 - math.exp(-4 * t))),
    "crossing": lambda t: (min(0.97, 0.1 + 2 * t + 0.05 * math.sin(30 * t)), min(0.95, 0.12 + 1.9 * t)),
    "the same": lambda t: (0.5, 0.5),
    "a jump": lambda t: (0.0 if t < 0.5 else 0.99, 0.0 if t < 0.5 else 0.98),
    "nothing": lambda t: (0.0, 0.0),
}


def _read(path: Path) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def test_curve_picture_and_its_data(tmp_path: Path) -> None:
    curve = _curve(SHAPES["apart"])
    draw_curve(curve, tmp_path / "a" / "sensi.png", tmp_path / "a" / "sensi.curve.json")
    assert Curve.model_validate_json((tmp_path / "a" / "sensi.curve.json").read_text()) == curve
    assert json.loads((tmp_path / "a" / "sensi.curve.json").read_text())["schema_version"] == 1
    image = _read(tmp_path / "a" / "sensi.png")
    assert min(image.shape[:2]) > 500
    for colour in ((0xB2, 0x72, 0x00), (0x00, 0x5E, 0xD5)):  # both lines, in OpenCV's order
        assert (image == np.array(colour)).all(axis=2).sum() > 500


@pytest.mark.parametrize("shape", SHAPES)
def test_labels_of_a_curve_do_not_overlap(shape: str) -> None:
    figure = curve_figure(_curve(SHAPES[shape]))
    axes = figure.axes[0]
    labels = [child for child in axes.get_children() if isinstance(child, Annotation)]
    assert len(labels) >= 36
    boxes = [label.get_window_extent() for label in labels]
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    frame = axes.get_window_extent()
    assert all(frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)


def test_a_curve_of_one_point(tmp_path: Path) -> None:
    point = CurvePoint(eval_metric_loss=0.05, parameters_removed=0.684, flops_removed=0.4)
    curve = Curve(model="m", metric="acc1", baseline=1.0, points=(point,))
    draw_curve(curve, tmp_path / "one.svg", tmp_path / "one.json")
    assert "<svg" in (tmp_path / "one.svg").read_text()


def test_heat_map_shows_every_value_that_was_measured() -> None:
    losses = [[0.123, -0.045], [None, 0.0004], [1.0, 3.7]]
    figure = heatmap_figure(["first", "second", "third"], [0.1, 0.5], losses, title="title")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["12", "−4.5", "0.0", "100", "370"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second", "third"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the network's first group is on top
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "50"]


@pytest.mark.parametrize("groups", [1, 35, 160])
def test_heat_map_of_any_size(tmp_path: Path, groups: int) -> None:
    names = [f"features.{i}.conv.0.weight" for i in range(groups)]
    losses = [[(i + 1) / groups * ratio for ratio in RATIOS] for i in range(groups)]
    draw_heatmap(names, RATIOS, losses, tmp_path / "map.png", title="mobilenet_v2")
    image = _read(tmp_path / "map.png")
    assert 200 < image.shape[0] < 3000
    assert 500 < image.shape[1] < 4000
    assert len(set(map(bytes, image[::3, ::3].reshape(-1, 3)))) > 50
    shown = [
        label.get_text()
        for axes in heatmap_figure(names, RATIOS, losses, title="").axes[:-1]
        for label in axes.get_yticklabels()
    ]
    assert shown == names


def test_numbers_of_a_heat_map_fit_their_cells() -> None:
    names = [f"features.{i}.conv.0.weight" for i in range(160)]
    figure = heatmap_figure(names, RATIOS, [[-0.999] * len(RATIOS)] * 160, title="title")
    figure.draw_without_rendering()
    for axes in figure.axes[:-1]:
        boxes = [text.get_window_extent() for text in axes.texts[:18]]
        assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_a_table_with_nothing_measured(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no measured group"):
        draw_heatmap([], [], [], tmp_path / "map.png", title="title")


def test_an_unknown_suffix_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.gif: the suffix must be \.png, \.svg or \.pdf"):
        draw_curve(_curve(SHAPES["apart"]), tmp_path / "a.gif", tmp_path / "a.json")
    with pytest.raises(ConfigError, match="suffix"):
        draw_heatmap(["a"], [0.1], [[0.1]], tmp_path / "a", title="title")
    assert list(tmp_path.iterdir()) == []
