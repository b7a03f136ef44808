"""Weights of exported models, as real Paddle writes them: found by name, or by what a program uses them for."""

from __future__ import annotations

import re
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from checkpoints import write_checkpoint
from paddle import nn

import paddleprune
from paddleprune.errors import CheckpointError
from paddleprune.paddle_private import old_ir
from paddleprune.training import read_checkpoint
from paddleprune.training.exported.tensors import read_tensors
from paddleprune.training.foreign import fit_foreign, read_foreign

SHAPE = (3, 32, 32)


class Net(nn.Layer):
    """Each kind of weight, and several of the same shape; what is declared first isn't used first.

    Args:
        named: give the weights names, as PaddleClas does: sorted, they are in another order.
    """

    def __init__(self, named: bool = False) -> None:
        super().__init__()
        names = iter(("stem", "a", "zeta", "m", "b", "head", "p"))

        def weight() -> Any:
            return paddle.ParamAttr(name=f"{next(names)}_{id(self)}_weights") if named else None

        self.short = nn.Conv2D(8, 8, 1, weight_attr=weight())
        self.norms = nn.LayerList([nn.BatchNorm2D(8) for _ in range(12)])
        self.stem = nn.Conv2D(3, 8, 3, stride=2, padding=1, weight_attr=weight(), bias_attr=False)
        self.depthwise = nn.Conv2D(8, 8, 3, padding=1, groups=8, weight_attr=weight())
        self.point = nn.Conv2D(8, 8, 1, weight_attr=weight())
        self.prelu = nn.PReLU(8, weight_attr=weight())
        self.head, self.norm = nn.Linear(8, 8, weight_attr=weight()), nn.LayerNorm(8)
        self.scale = self.create_parameter([8])

    def forward(self, image: Any) -> Any:
        x = self.stem(image)
        for norm in self.norms:
            x = nn.functional.relu(norm(x) + 0.1)
        x = self.prelu(self.point(self.depthwise(x))) + self.short(x)
        return self.norm(self.head(x.mean([2, 3])) * self.scale)


def trained(layer: nn.Layer) -> nn.Layer:
    """With weights that all differ."""
    generator = np.random.default_rng(7)
    for tensor in layer.state_dict().values():
        tensor.set_value(generator.uniform(0.4, 0.8, tensor.shape).astype("float32"))
    layer.eval()
    return layer


def export(layer: nn.Layer, prefix: Path, old: bool = False, size: tuple[int, ...] = SHAPE) -> Path:
    spec = [paddle.static.InputSpec([None, *size], "float32")]
    with old_ir.tracing() if old else nullcontext():
        paddle.jit.save(paddle.jit.to_static(layer, input_spec=spec, full_graph=True), str(prefix))
    return prefix.with_suffix(".pdiparams")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a small network, with its program beside."""
    return export(trained(Net()), tmp_path_factory.mktemp("pir") / "inference")


@pytest.fixture(scope="module")
def exported_old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Likewise, in the old IR."""
    return export(trained(Net()), tmp_path_factory.mktemp("old") / "inference", old=True)


def test_a_folder_of_paddlex_becomes_a_checkpoint(tmp_path: Path) -> None:
    options = {"num_classes": 3, "input_size": 32, "scale": 0.25}
    dense = write_checkpoint(tmp_path / "dense", "classification", "mobilenet_v2", options)
    paddleprune.export(dense, save_dir=tmp_path / "model", format="paddlex")
    about: dict[str, Any] = {"task": "classification", "model": "mobilenet_v2", "options": options}
    found = paddleprune.import_weights(tmp_path / "model", save_dir=tmp_path / "out", **about)
    assert (found.by_name, len(found.by_order), found.fresh, found.unused) == (0, 262, (), ())
    before, after = read_checkpoint(dense).weights, read_checkpoint(found.best_model).weights
    assert before.keys() == after.keys()
    assert [name for name in before if (before[name] != after[name]).any()] == []


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_each_weight_is_found_by_what_the_program_uses_it_for(old: bool, named: bool, tmp_path: Path) -> None:
    theirs = trained(Net(named))
    weights = export(theirs, tmp_path / "inference", old)
    weights.with_name(f"{weights.name}.info").unlink(missing_ok=True)
    found = fit_foreign(Net(), read_foreign(weights), {}, [SHAPE])
    assert len(found.by_order) == len(theirs.state_dict())
    for name, tensor in theirs.state_dict().items():
        assert (found.weights[name] == tensor.numpy()).all(), name


def test_the_old_ir_keeps_the_names(exported_old: Path) -> None:
    found = fit_foreign(Net(), read_foreign(exported_old), {}, [SHAPE])
    assert (found.by_order, found.missing, found.unused) == ({}, (), ())
    assert (found.weights["scale"] == trained(Net()).scale.numpy()).all()


class Halves(nn.Layer):
    """A weight of half the precision."""

    def __init__(self, dtype: str) -> None:
        super().__init__()
        self.weight = self.create_parameter([5], dtype=dtype)

    def forward(self, x: Any) -> Any:
        return x + self.weight.astype("float32")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_read(dtype: str, tmp_path: Path) -> None:
    layer = Halves(dtype)
    layer.weight.set_value(paddle.to_tensor([0.5, -1.25, 3.0, 1e-3, 100.0]).astype(dtype))
    found = fit_foreign(Halves("float32"), read_foreign(export(layer, tmp_path / "m", size=(5,))), {}, [(5,)])
    assert (found.weights["weight"] == layer.weight.astype("float32").numpy()).all()


def changed(weights: Path, folder: Path, name: str, change: Any) -> Path:
    """A copy of an exported model, one of whose files is another."""
    shutil.copytree(weights.parent, folder)
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    return folder


FIRST = b"\x08\x05\x10\x08"
"""What says of a tensor that it is float32, of eight numbers."""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c: c[:-1], r"number 61 of 61: the file is truncated: [\d,]+ bytes are wanted, and"),
        (lambda c: b"", "number 1 of 61: the file is truncated: 4 bytes are wanted, and 0 are left"),
        (lambda c: c + c[:9], "9 bytes are left behind the 61 weights of the program"),
        (lambda c: b"\x01" + c[1:], "number 1 of 61: it is damaged, or of a version that isn't known: 1"),
        (lambda c: c[:4] + b"\xff" * 8 + c[12:], "number 1 of 61: the file is truncated"),
        (lambda c: c.replace(FIRST, b"\x08\x05\x10\x07", 1), r"is \[7\], and \[8\] in the program: not of one model"),
        (lambda c: c.replace(FIRST, b"\x08\x07\x10\x08", 1), "numbers of the type 7, which aren't read"),
        (lambda c: c.replace(FIRST, b"\xff\xff\xff\xff", 1), "its description is damaged"),
    ],
)
def test_damaged_weights_are_said_in_one_line(exported: Path, change: Any, why: str, tmp_path: Path) -> None:
    refused(changed(exported, tmp_path / "model", "inference.pdiparams", change), why, "inference.pdiparams can't be")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c: c[:-9], "it is not JSON"),
        (lambda c: b"[]", "it has another form"),
        (lambda c: c.replace(b'"A"', b'"B"'), "it has another form"),
    ],
)
def test_so_is_a_damaged_program(exported: Path, change: Any, why: str, tmp_path: Path) -> None:
    refused(changed(exported, tmp_path / "model", "inference.json", change), why, "inference.json is not a readable")


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("inference.pdmodel", lambda c: c[:-9], "is not a readable program of Paddle's"),
        ("inference.pdiparams.info", lambda c: c[:-9], "is not a readable pickle"),
        ("inference.pdiparams.info", lambda c: c.replace(b"norms.11.bias", b"norms.10.bias"), "two weights the same"),
    ],
)
def test_so_is_what_the_old_ir_keeps(exported_old: Path, name: str, change: Any, why: str, tmp_path: Path) -> None:
    refused(changed(exported_old, tmp_path / "model", name, change), why, name)


def refused(model: Path, *why: str) -> None:
    with pytest.raises(CheckpointError) as error:
        read_foreign(model)
    assert "\n" not in str(error.value)
    for words in why:
        assert re.search(words, str(error.value))


def test_a_folder_or_program_that_is_not_there_is_said(exported: Path, tmp_path: Path) -> None:
    refused(tmp_path, r"of an exported model's weights it holds no \*\.pdiparams")
    for name in ("a", "b"):
        shutil.copy(exported, tmp_path / f"{name}.pdiparams")
    with pytest.raises(CheckpointError, match=r"several: a\.pdiparams, b\.pdiparams; give one"):
        read_foreign(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"the program that it was exported with, a\.json or a\.pdmodel, beside it"
    ):
        read_foreign(tmp_path / "a.pdiparams")


def test_levels_of_detail_are_passed_over() -> None:
    tensor = bytes(4) + (4).to_bytes(4, "little") + b"\x08\x05\x10\x01" + np.float32(3).tobytes()
    content = bytes(4) + (1).to_bytes(8, "little") + (16).to_bytes(8, "little") + bytes(range(16)) + tensor
    assert read_tensors(content, {"w": (1,)})["w"] == 3
