"""The demo's data is real: decoded from PNG files through lists that it wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddleprune.errors import DependencyError
from paddleprune.registry import Registry
from paddleprune.settings import TrainSettings

pytest.importorskip("sklearn")


def test_digits_come_in_image_net_layout(tmp_path: Path) -> None:
    registry = Registry.discover()
    demo = registry.demo("classification", tmp_path)
    options = registry.family("classification", demo.family).options(**demo.options)
    train = registry.build_dataset("classification", demo.train_dataset, "train", options)
    val = registry.build_dataset("classification", demo.eval_dataset, "eval", options)
    assert (len(train), len(val)) == (1433, 364)
    assert list(val.labels) == [str(digit) for digit in range(10)]
    paths = [
        {line.split()[0] for line in (tmp_path / f"{s}_list.txt").read_text().splitlines()} for s in ("train", "val")
    ]
    assert not paths[0] & paths[1]
    counts = np.bincount([val[i][1] for i in range(len(val))])
    assert counts.min() >= 35
    assert counts.max() <= 37
    for dataset in (train, val):
        (pixels,), _ = dataset[0]
        assert pixels.shape == options.input_shapes()[0]
        assert pixels.min() >= -1
        assert pixels.max() <= 1
        assert pixels.std() > 0.3
    TrainSettings.model_validate(demo.settings)
    TrainSettings.model_validate({**demo.settings, **demo.retrain_settings})


def test_without_scikit_learn_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    from paddleprune_classification.demo import digits_demo

    with pytest.raises(DependencyError, match=r"pip install 'paddleprune\[demo\]'"):
        digits_demo(tmp_path)
