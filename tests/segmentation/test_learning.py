"""A network learns, is pruned with its auxiliary heads, trains on, and computes the same elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from jobs import prune_and_retrain, run_exported
from seg_files import write_folder

import paddleprune
from paddleprune.api.loading import open_model
from paddleprune.errors import DataError
from paddleprune.measure.evaluation import eager_forward
from paddleprune.registry import Registry

STEPS = [{"name": "Resize", "target_size": [32, 48]}, {"name": "Normalize"}]


def fields(folder: Path, split: str) -> dict[str, Any]:
    """The data of a split, without augmentation."""
    lists = {"data_dir": folder, "file_list": folder / f"{split}_list.txt", "label_list": folder / "labels.txt"}
    return {**lists, "transforms": STEPS}


def test_eight_images_are_learnt_by_heart(tmp_path: Path) -> None:
    data = fields(write_folder(tmp_path, train=8), "train")
    result = paddleprune.train(
        "segmentation",
        model="unet",
        options={"width": 8, "depth": 2, "input_size": (32, 48)},
        train_dataset=data,
        eval_dataset=data,
        save_dir=tmp_path / "out",
        num_epochs=40,
        train_batch_size=4,
        learning_rate=0.05,
        lr_schedule="cosine",
        save_interval_epochs=40,
        loss={"dice": 0.5},
    )
    assert result.metrics["miou"] > 0.95


@pytest.mark.parametrize("family", [pytest.param("fast_scnn", marks=pytest.mark.slow), "unet"])
def test_a_pruned_network_trains_on_and_exports(family: str, tmp_path: Path) -> None:
    """Fast-SCNN's auxiliary heads read what is pruned; odd sizes all the way."""
    folder = write_folder(tmp_path / "data", train=8, val=4, size=(37, 51))
    small = {"fast_scnn": {"scale": 0.25}, "unet": {"width": 4, "depth": 2, "upsample": "transposed"}}
    options, settings = {"input_size": (37, 51), **small[family]}, {"train_batch_size": 4, "num_epochs": 1}
    pruned = prune_and_retrain("segmentation", family, options, folder, "miou", tmp_path, **settings).pruned
    paddleprune.export(pruned.best_model, save_dir=tmp_path / "exported")
    image = np.random.default_rng(0).standard_normal((2, 3, 37, 51)).astype(np.float32)
    (got,) = run_exported(tmp_path / "exported" / "model", image)
    (expected,) = eager_forward(open_model(Registry.discover(), pruned.best_model).layer)((image,))
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def test_a_network_of_many_bands(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, train=4)
    for split, count in (("train", 4), ("val", 2)):
        lines = []
        for number in range(count):
            bands = np.random.default_rng(number).integers(0, 65536, (32, 48, 7)).astype(np.uint16)
            np.save(folder / "images" / f"{split}_{number}.npy", bands)
            lines.append(f"images/{split}_{number}.npy masks/{split}_{number}.png\n")
        (folder / f"{split}_list.txt").write_text("".join(lines))
    result = paddleprune.train(
        "segmentation",
        model="unet",
        options={"width": 4, "depth": 1, "input_size": 32, "input_channels": 7},
        train_dataset=folder,
        eval_dataset=folder,
        save_dir=tmp_path / "out",
        num_epochs=1,
        train_batch_size=2,
    )
    assert 0 <= result.metrics["miou"] <= 1
    bands = tmp_path / "bands"
    bands.mkdir()
    (folder / "images" / "val_0.npy").rename(bands / "0.npy")
    (prediction,) = paddleprune.predict(result.best_model, bands, save_dir=tmp_path / "pictures")
    assert (prediction["height"], prediction["width"]) == (32, 48)
    assert np.asarray(cv2.imread(str(tmp_path / "pictures" / "0.png"))).shape == (32, 96, 3)
    with pytest.raises(DataError, match=r"train_0.png has 3 channels, but the model reads 7"):
        paddleprune.predict(result.best_model, folder / "images" / "train_0.png")
