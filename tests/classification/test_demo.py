"""The demo's data is real: decoded from PNG files through lists that it wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from demos import check_without_scikit_learn, opened

from paddleprune_classification.demo import digits_demo

pytest.importorskip("sklearn")


def test_digits_come_in_image_net_layout(tmp_path: Path) -> None:
    _, options, train, val = opened("classification", tmp_path)
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


def test_without_scikit_learn_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_without_scikit_learn(digits_demo, tmp_path, monkeypatch)
