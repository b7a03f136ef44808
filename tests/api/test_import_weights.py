"""Weights of other programs become checkpoints: by name, by order, from PyTorch; what can't be trusted is refused."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from command import run
from safetensors.numpy import save_file

import paddleprune
from paddleprune.errors import CheckpointError, ConfigError
from paddleprune.interfaces import Array
from paddleprune.registry import Registry
from paddleprune.training import load_model, read_info

OPTIONS = {"input_size": 32, "scale": 0.25, "num_classes": 3}
ABOUT: dict[str, Any] = {"task": "classification", "model": "mobilenet_v2", "options": OPTIONS}
IMAGES = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype("float32")


@pytest.fixture(scope="module")
def theirs() -> paddle.nn.Layer:
    """A network of Paddle's own, as another program trains it."""
    paddle.seed(1)
    layer = paddle.vision.models.mobilenet_v2(scale=0.25, num_classes=3)
    layer(paddle.to_tensor(IMAGES))  # statistics that aren't those of a fresh network
    layer.eval()
    return layer


def same(checkpoint: Path, theirs: paddle.nn.Layer) -> bool:
    layer = load_model(checkpoint, Registry.discover()).layer
    layer.eval()
    made, wanted = (net(paddle.to_tensor(IMAGES)).numpy() for net in (layer, theirs))
    return bool(np.abs(made - wanted).max() <= 1e-5)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("inside", [False, True])
def test_what_paddle_saves_is_found_by_name(
    theirs: paddle.nn.Layer, protocol: int, inside: bool, tmp_path: Path
) -> None:
    state = theirs.state_dict()
    paddle.save({"model": state, "epoch": 3} if inside else state, str(tmp_path / "a.pdparams"), protocol=protocol)
    found = paddleprune.import_weights(tmp_path / "a.pdparams", save_dir=tmp_path / "out", **ABOUT)
    assert (found.by_name, found.by_order, found.fresh, found.unused) == (len(state), {}, (), ())
    assert same(found.best_model, theirs)
    assert read_info(found.best_model).imported.startswith("a.pdparams ")


def test_other_names_are_found_by_shape_and_order(theirs: paddle.nn.Layer, tmp_path: Path) -> None:
    renamed = {
        f"backbone.block_{number:03}.{name.rsplit('.', 1)[1]}": array
        for number, (name, array) in enumerate(arrays(theirs).items())
    }
    paddle.save(renamed, str(tmp_path / "a.pdparams"))
    found = paddleprune.import_weights(tmp_path / "a.pdparams", save_dir=tmp_path / "out", **ABOUT)
    assert (found.by_name, len(found.by_order)) == (0, len(renamed))
    assert same(found.best_model, theirs)


def test_pytorch_s_linear_layers_are_turned_and_its_names_known(theirs: paddle.nn.Layer, tmp_path: Path) -> None:
    spelled = {"_mean": "running_mean", "_variance": "running_var"}
    torch = {"bn.num_batches_tracked": np.array(7)}
    for name, array in arrays(theirs).items():
        *above, last = name.split(".")
        torch[".".join(["module", *above, spelled.get(last, last)])] = np.ascontiguousarray(
            array.T if array.ndim == 2 else array
        )
    save_file(torch, tmp_path / "a.safetensors", metadata={"format": "pt"})
    found = paddleprune.import_weights(tmp_path / "a.safetensors", save_dir=tmp_path / "out", **ABOUT)
    assert (found.by_name, found.unused) == (len(torch) - 1, ())
    assert same(found.best_model, theirs)


def test_a_file_of_names_tells_what_neither_name_nor_order_does(theirs: paddle.nn.Layer, tmp_path: Path) -> None:
    state = arrays(theirs)
    first = next(iter(state))
    renamed = {"stem.kernel" if name == first else name: array for name, array in state.items()}
    paddle.save(renamed, str(tmp_path / "a.pdparams"))
    about = {**ABOUT, "save_dir": tmp_path / "out"}
    with pytest.raises(CheckpointError, match=f"lacks {first} of mobilenet_v2; it also holds stem.kernel: say which"):
        paddleprune.import_weights(tmp_path / "a.pdparams", **about)
    assert not (tmp_path / "out" / "best_model").exists()
    (tmp_path / "names.yml").write_text(f"{first}: stem.kernel\n")
    found = paddleprune.import_weights(tmp_path / "a.pdparams", names=tmp_path / "names.yml", **about)
    assert same(found.best_model, theirs)
    for names, wrong in (({"fist": "stem.kernel"}, "no weight 'fist'"), ({first: "stern"}, "no weight 'stern'")):
        with pytest.raises(ConfigError, match=wrong):
            paddleprune.import_weights(tmp_path / "a.pdparams", names=names, overwrite=True, **about)


def test_weights_of_other_classes_are_a_start_to_train_from(
    theirs: paddle.nn.Layer, data: Path, tmp_path: Path
) -> None:
    state = {name: array for name, array in arrays(theirs).items() if array.shape != (1280, 3)}
    paddle.save(state, str(tmp_path / "a.pdparams"))
    words = ("import-weights", tmp_path / "a.pdparams", "--task", "classification", "--model", "mobilenet_v2")
    more = ("--options", "input_size=32", "--options", "scale=0.25", "--data", data, "--save-dir", tmp_path / "out")
    done = run(*words, *more)
    assert "starting afresh: classifier.1.weight" in done.stderr
    assert f"{len(state)} weights of {tmp_path / 'a.pdparams'}: {len(state)} by name, 0 by shape" in done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "out" / "best_model")
    about = json.loads((tmp_path / "out" / "best_model" / "checkpoint.json").read_text())
    printed = dict(line.split() for line in done.stdout.splitlines()[:-1])
    assert about["metrics"]["acc1"] == pytest.approx(float(printed["acc1"]), abs=1e-4)
    assert about["labels"] == sorted(about["labels"])
    paddleprune.prune(
        tmp_path / "out" / "best_model", eval_dataset=data, flops=0.9, samples=16, save_dir=tmp_path / "p"
    )
    assert "already holds a model" in run(*words, *more, code=2).stderr
    before = (tmp_path / "out" / "best_model" / "checkpoint.json").read_bytes()
    (tmp_path / "bad").mkdir()
    for name in ("val_list.txt", "labels.txt"):
        (tmp_path / "bad" / name).write_text("a\n" if name == "labels.txt" else "broken.png 0\n")
    (tmp_path / "bad" / "broken.png").write_bytes(b"no picture")
    done = run(*words, *more[:4], "--data", tmp_path / "bad", *more[6:], "--overwrite", code=2)
    assert "broken.png" in done.stderr  # met while it is evaluated
    assert (tmp_path / "out" / "best_model" / "checkpoint.json").read_bytes() == before


class Malicious:
    """Unpickled the usual way, it runs a command."""

    def __reduce__(self) -> Any:
        return os.system, ("touch malicious",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (pickle.dumps({"weight": Malicious()}), "is refused: it asks for posix.system; only plain data is read"),
        (pickle.dumps({"weight": np.zeros(3)})[:-30], "is not a readable pickle"),
        (pickle.dumps({"weight": np.array([Malicious()])}), "is refused: it holds NumPy values of the type 'O8'"),
        (pickle.dumps({"epoch": 3}), "holds no weights: a dict of arrays was expected"),
        (b"not a pickle", "is not a readable pickle"),
        (
            pickle.PROTO
            + b"\x02c_codecs\nencode\nq\x00X\x10'\x00\x00"
            + b"x" * 10_000
            + b"X\x06\x00\x00\x00latin1\x86q\x01"
            + b"h\x00h\x01R" * 1000
            + b".",
            "calls something with arguments that plain data doesn't have",
        ),
    ],
)
def test_what_can_not_be_trusted_is_refused_and_nothing_is_run(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.pdparams").write_bytes(content)
    with pytest.raises(CheckpointError, match=why):
        paddleprune.import_weights(tmp_path / "a.pdparams", save_dir=tmp_path / "out", **ABOUT)
    assert not Path("malicious").exists()
    assert not (tmp_path / "out" / "best_model").exists()


def test_an_array_whose_shape_lies_is_refused(tmp_path: Path) -> None:
    content = pickle.dumps({"weight": np.zeros((3, 5), "float32")}, 4)
    assert content.count(b"K\x03K\x05\x86") == 1
    (tmp_path / "a.pdparams").write_bytes(content.replace(b"K\x03K\x05\x86", b"K\x03K\x63\x86"))
    with pytest.raises(CheckpointError, match=r"an array of 60 bytes whose shape is said to be \[3, 99\]"):
        paddleprune.import_weights(tmp_path / "a.pdparams", save_dir=tmp_path / "out", **ABOUT)


def test_the_number_of_classes_is_said_by_data_or_options(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="options num_classes=1000, or give data"):
        paddleprune.import_weights("a", task="classification", model="mobilenet_v2", save_dir=tmp_path)


def arrays(layer: paddle.nn.Layer) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in layer.state_dict().items()}
