"""Published weights: downloaded from a real server, kept, checked, and started from."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle.vision.models import shufflenetv2

import paddleprune
from paddleprune.api.published import WEIGHTS_DIR
from paddleprune.errors import ConfigError, DataError
from paddleprune.training import read_checkpoint
from paddleprune.training.foreign import read_foreign

FAMILY = "shufflenet_v2_x0_25"
SMALL = {"input_size": 32}


class Quiet(SimpleHTTPRequestHandler):
    """A server that notes what it was asked for."""

    asked: list[str]

    def log_message(self, format: str, *words: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, list[str]]]:
    """The folder of a server that holds a network of a thousand classes, and what is asked of it."""
    folder, asked = tmp_path / "site", list[str]()
    folder.mkdir()
    paddle.seed(3)
    file = folder / "published.pdparams"
    paddle.save(shufflenetv2.shufflenet_v2_x0_25().state_dict(), str(file))
    handler = type("Handler", (Quiet,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    url = f"http://127.0.0.1:{server.server_address[1]}/{file.name}"
    monkeypatch.setitem(shufflenetv2.model_urls, FAMILY, (url, hashlib.md5(file.read_bytes()).hexdigest()))
    monkeypatch.setenv(WEIGHTS_DIR, str(tmp_path / "cache"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield file, asked
    server.shutdown()
    server.server_close()


def test_training_starts_from_them_and_they_are_fetched_once(
    site: tuple[Path, list[str]], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, asked = site
    both = {"train_dataset": data, "eval_dataset": data, "options": SMALL, "model": FAMILY}
    some = {"num_epochs": 1, "train_batch_size": 24, "freeze": ("_conv1.*",), "pretrain_weights": "IMAGENET"}
    for _ in range(2):
        done = paddleprune.train("classification", **both, **some, save_dir=tmp_path / "out")
    found, published = read_checkpoint(done.best_model), read_foreign(file).arrays
    name = "_conv1.0.weight"
    np.testing.assert_array_equal(found.weights[name], published[name])
    assert found.weights["_fc.weight"].shape[1] == 3
    said = capsys.readouterr().err
    assert "starting afresh: _fc.weight, _fc.bias" in said
    assert "nothing left to train" in said
    whole = paddleprune.import_weights(
        "IMAGENET",
        task="classification",
        model=FAMILY,
        options={**SMALL, "num_classes": 1000},
        save_dir=tmp_path / "whole",
    )
    assert (whole.by_order, whole.fresh) == ({}, ())
    assert asked == [f"/{file.name}"]


def test_a_file_that_breaks_off_or_is_another_is_refused(site: tuple[Path, list[str]], tmp_path: Path) -> None:
    file, _ = site
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DataError, match=rf"cannot have .*published.pdparams, with the MD5 .*{WEIGHTS_DIR}"):
        paddleprune.import_weights(
            "IMAGENET", task="classification", model=FAMILY, options={"num_classes": 1000}, save_dir=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "family", "options", "words"),
    [
        ("COCO", FAMILY, {}, "no COCO weights of shufflenet_v2_x0_25 are published"),
        ("IMAGENET", "resnet50_vd", {}, "no IMAGENET weights of resnet50_vd are published; give a checkpoint folder"),
        ("IMAGENET", "mobilenet_v2", {"scale": 0.5}, "weights of mobilenet_v2 are published for scale=1.0 alone"),
    ],
)
def test_what_nobody_published_is_refused(
    name: str, family: str, options: dict[str, float], words: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        paddleprune.train(
            "classification",
            train_dataset=data,
            eval_dataset=data,
            model=family,
            options={**options, **SMALL},
            pretrain_weights=name,
            save_dir=tmp_path / "out",
        )
    with pytest.raises(ConfigError, match="IMAGENET weights know other classes: train with them first"):
        paddleprune.train(
            "classification",
            train_dataset=data,
            eval_dataset=data,
            model=FAMILY,
            pretrain_weights="IMAGENET",
            flops=0.5,
            save_dir=tmp_path / "out",
        )
    assert not (tmp_path / "out").exists()
