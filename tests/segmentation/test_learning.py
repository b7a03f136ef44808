"""A network learns, is pruned with its auxiliary heads, trains on, and computes the same elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from seg_files import write_folder

import paddleprune
from paddleprune.api.loading import open_model
from paddleprune.errors import DataError
from paddleprune.measure.evaluation import eager_forward
from paddleprune.measure.inference import create_predictor
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


@pytest.mark.parametrize("family", ["fast_scnn", "unet"])
def test_a_pruned_network_trains_on_and_exports(family: str, tmp_path: Path) -> None:
    """Fast-SCNN's auxiliary heads read what is pruned; odd sizes all the way."""
    folder = write_folder(tmp_path / "data", train=8, val=4, size=(37, 51))
    small = {"fast_scnn": {"scale": 0.25}, "unet": {"width": 4, "depth": 2, "upsample": "transposed"}}
    said = {"train_dataset": folder, "eval_dataset": folder, "train_batch_size": 4, "num_epochs": 1}
    options = {"input_size": (37, 51), **small[family]}
    dense = paddleprune.train("segmentation", model=family, options=options, save_dir=tmp_path / "dense", **said)
    table = tmp_path / "table.json"
    paddleprune.analyze(dense.best_model, eval_dataset=folder, save_file=table, ratios=(0.5,), batch_size=4)
    pruned = paddleprune.train(
        "segmentation",
        pretrain_weights=dense.best_model,
        sensitivities_file=table,
        eval_metric_loss=0.9,
        save_dir=tmp_path / "pruned",
        **said,
    )
    before, after = (paddleprune.explain(result.best_model).total_parameters for result in (dense, pruned))
    assert after < 0.8 * before
    again = paddleprune.evaluate(pruned.best_model, eval_dataset=folder, batch_size=2)
    assert again["miou"] == pytest.approx(pruned.metrics["miou"], abs=1e-6)

    paddleprune.export(pruned.best_model, save_dir=tmp_path / "exported")
    image = np.random.default_rng(0).standard_normal((2, 3, 37, 51)).astype(np.float32)
    predictor = create_predictor(tmp_path / "exported" / "model")
    predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(image)
    predictor.run()
    (name,) = predictor.get_output_names()
    got = predictor.get_output_handle(name).copy_to_cpu()
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
