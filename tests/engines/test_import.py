"""Pickled sensitivities of PaddleX and PaddleSlim: read without running them, matched, and used to prune."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from command import SHORT, run

import paddleprune
from paddleprune.errors import TableError
from paddleprune.sensitivity import SensitivityTable
from paddleprune.sensitivity.table.unpickle import read_losses

LOSSES = {"conv": {0.1: 0.01, 0.5: 0.2, 0.9: 1.0}}


def written(path: Path, content: Any, protocol: int = 4) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", [float, np.float64, np.float32])
def test_numbers_of_every_protocol_are_read(kind: Any, protocol: int, tmp_path: Path) -> None:
    losses = {"conv": {kind(ratio): kind(loss) for ratio, loss in LOSSES["conv"].items()}}
    found = read_losses(written(tmp_path / "file", losses, protocol))
    assert list(found) == ["conv"]
    assert found["conv"] == {ratio: pytest.approx(loss) for ratio, loss in LOSSES["conv"].items()}


def test_what_numpy_1_wrote_is_read(tmp_path: Path) -> None:
    content = pickle.dumps({"conv": {0.5: np.float64(0.25)}}, 2)
    assert b"numpy._core" in content
    old = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert read_losses(written(tmp_path / "old", old)) == {"conv": {0.5: 0.25}}


def test_what_a_pruner_of_paddleslim_saved_is_read(tmp_path: Path) -> None:
    from paddleprune.engines.paddleslim import load

    status = load().dygraph.Status()
    status.sensitivies = LOSSES
    status.save(str(tmp_path / "status"))
    assert read_losses(tmp_path / "status") == LOSSES


class Malicious:
    """Unpickled the usual way, it runs a command."""

    def __init__(self, *how: Any) -> None:
        self.how = how

    def __reduce__(self) -> Any:
        return self.how


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_and_nothing_is_run(protocol: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    attack = Malicious(os.system, (f"touch {mark}",))
    for number, content in enumerate([{"conv": {0.5: attack}}, attack, {"conv": attack}]):
        file = written(tmp_path / f"{number}", content, protocol)
        with pytest.raises(TableError, match=r"is refused: it asks for (posix|nt)\.system; only plain data"):
            read_losses(file)
        assert not mark.exists()
    pickle.loads(file.read_bytes())  # the attack would have worked
    assert mark.exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (Malicious(eval, ("1",)), r"refused: it asks for builtins\.eval"),
        (Malicious(getattr, (1, "real")), r"refused: it asks for builtins\.getattr"),
        (np.dtype("O"), r"refused: it holds NumPy values of the type 'O8'"),
        (np.zeros(3), "refused: it asks for numpy.*_reconstruct"),
        ([1, 2], "refused: it holds the instruction EMPTY_LIST"),
        (b"\x80\x04r\xff\xff\xff\x7f.", "not a readable pickle"),
        (b"\x80\x04N" + b"0" * 9 + b".", "not a readable pickle"),
        (b"\x80\x04t.", "not a readable pickle"),
        (b"\x80\x04N\x93.", "refused: it takes more from its stack"),
        (b"\x80\x04}NNs.", "refused: it has a NoneType where a name or a number was expected"),
        (b"\x80\x04P1\n.", "not a readable pickle|PERSID"),
        (b"(i__main__\nMalicious\n.", "refused: it holds the instruction INST"),
        (b"no pickle at all", "not a readable pickle"),
        (b"", "not a readable pickle"),
        (pickle.dumps(LOSSES)[:-9], "not a readable pickle"),
        ({}, "holds no sensitivities"),
        ({"conv": 1.0}, "'conv' has no dict of ratios"),
        ({1: {0.5: 0.1}}, "1 has no dict of ratios"),
        ({"conv": {0.5: float("nan")}}, "'conv' has the loss nan at ratio 0.5"),
        ({"conv": {0.5: 10**400}}, "a number of 1329 bits"),
        ({"conv": {"half": 0.1}}, "'conv' has a str where a ratio or a loss was expected"),
        ({"conv": {1.5: 0.1}}, "ratios lie between 0 and 1"),
        ({"conv": {0.5: True}}, "'conv' has a bool where a ratio or a loss was expected"),
        (b"\x80\x04" + b"}" * 10_000_001, "at most 1,000,000 are read"),
    ],
)
def test_whatever_else_is_refused(content: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=why):
        read_losses(written(tmp_path / "file", content))


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    deep = 100_000
    content = b"\x80\x04" + b"}\x8c\x01a" * deep + b"K\x01" + b"s" * deep + b"."
    with pytest.raises(TableError, match="'a' has a str where a ratio or a loss was expected"):
        read_losses(written(tmp_path / "file", content))


def _doubled(levels: int) -> bytes:
    """A tuple of two of a tuple of two of …, as a key: hashing it, or writing it down, takes 2^levels steps."""
    return b"\x80\x04}N\x85" + b"2\x86" * levels + b"K\x01s."


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (_doubled(200), "a tuple where a name or a number"),
        (b"\x80\x04\x8c\x07_codecs\x8c\x06encode\x93\x94X\xa0\x86\x01\x00" + b"a" * 100_000 + b"\x85\x94"
         + b"h\x00h\x01R" * 100_000 + b".", "with arguments that plain data doesn't have"),
        (b"\x80\x04\x8b\x00\x35\x0c\x00" + b"\x7f" * 800_000 + b"\x94}" + b"h\x00Ns" * 40_000 + b".", "bits"),
        (pickle.dumps({"1" * 5000: {0.5: 0.1}}), "names have 500 characters at most"),
        (b"\x80\x04}(" + pickle.dumps({i / 60_000: 0.1 for i in range(1, 60_000)})[11:-1] + b"\x94"
         + b"".join(b"\x8c\x05%05dh\x00" % i for i in range(9000)) + b"u.", "refused|no sensitivities|not a readable"),
    ],
)  # fmt: skip
def test_a_bomb_is_refused_at_once(content: bytes, why: str, tmp_path: Path) -> None:
    file, start = written(tmp_path / "file", content), time.monotonic()
    with pytest.raises(TableError, match=why) as error:
        read_losses(file)
    assert len(str(error.value)) < 400
    assert time.monotonic() - start < 5


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TableError, match="it is a pipe or a device"):
        read_losses(tmp_path / "pipe")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"absent does not exist"):
        read_losses(tmp_path / "absent")


def test_structured_names_come_first_and_the_table_prunes(data: Path, dense: Path, tmp_path: Path) -> None:
    losses = {
        "conv2_1._pointwise_conv.0.weight": {0.3: 0.0, 0.6: 0.2},
        "conv3_1._pointwise_conv.0": {0.3: np.float64(0.0), 0.6: np.float64(0.04)},
        "unknown_7.w_0": {0.3: 0.1},
    }
    file, table = written(tmp_path / "sensitivities.data", losses), tmp_path / "table.json"
    done = run("import-table", file, "--model", dense, "--save-file", table)
    assert "not matched: unknown_7.w_0" in done.stdout
    assert "groups without losses, which stay whole: conv1.0, " in done.stdout
    loaded = SensitivityTable.load(table)
    assert list(loaded.groups) == ["conv2_1._pointwise_conv.0", "conv3_1._pointwise_conv.0"]
    assert loaded.identity.imported == "sensitivities.data"
    assert loaded.loss_at("conv2_1._pointwise_conv.0", 0.6) == pytest.approx(0.2)
    words = ("--data", data, "--save-dir", tmp_path / "out", *SHORT, "--num-epochs", 1, "--eval-metric-loss", 0.05)
    run("train", "classification", *words, "--pretrain-weights", dense, "--sensitivities-file", table, "--round-to", 2)
    plan = yaml.safe_load((tmp_path / "out" / "plan.json").read_text())
    assert set(plan["groups"]) == set(loaded.groups)
    assert all(len(part["keep"]) % 2 == 0 for part in plan["groups"].values())
    words = ("--data", data, "--save-file", table)
    done = run("analyze", dense, *words, code=2)
    assert "was measured with another program (sensitivities.data)" in done.stderr


def test_names_of_paddlex_are_matched_by_shape_and_order(dense: Path, tmp_path: Path) -> None:
    """conv2d_0.w_0, conv2d_1.w_0, … as Paddle numbers a MobileNetV1's convolutions, with the shapes of prune.yml."""
    weights = [n for n, shape in _shapes(dense).items() if len(shape) == 4]
    foreign = {name: f"conv2d_{30 + i}.w_0" for i, name in enumerate(weights)}
    shapes = {foreign[name]: _shapes(dense)[name] for name in weights}
    (tmp_path / "prune.yml").write_text(yaml.safe_dump(shapes | {"fc_0.w_0": [256, 3], "batch_norm_0.w_0": [8]}))
    pointwise = [name for name in weights if "_pointwise_conv" in name][:-1]
    file = written(tmp_path / "file", {foreign[name]: {0.5: 0.01 * i} for i, name in enumerate(pointwise)})
    save_file = tmp_path / "table.json"
    found = paddleprune.import_table(file, model=dense, save_file=save_file, shapes=tmp_path / "prune.yml")
    assert {name: match.group for name, match in found.matches.items()} == {
        foreign[name]: name.removesuffix(".weight") for name in pointwise
    }
    assert {match.by for match in found.matches.values()} == {"shape and order"}
    assert found.unmatched == ()
    losses = [points[0].loss for points in found.table.groups.values()]
    assert losses == pytest.approx([0.01 * i for i in range(len(pointwise))])


def test_without_shapes_names_are_matched_by_order_where_the_counts_agree(dense: Path, tmp_path: Path) -> None:
    groups = [group.name for group in paddleprune.explain(dense).groups if not group.protected]
    save_file = tmp_path / "table.json"
    losses = {f"conv{i}_weights": {0.5: 0.01 * i} for i in reversed(range(len(groups)))}
    found = paddleprune.import_table(written(tmp_path / "file", losses), model=dense, save_file=save_file)
    assert {match.by for match in found.matches.values()} == {"order"}
    assert {name: match.group for name, match in found.matches.items()} == {
        f"conv{i}_weights": name for i, name in enumerate(groups)
    }
    losses.pop("conv3_weights")
    save_file.unlink()
    with pytest.raises(TableError, match=r"none of the \d+ parameters of file .* matches .*; give their shapes"):
        paddleprune.import_table(written(tmp_path / "file", losses), model=dense, save_file=save_file)
    assert not save_file.exists()


def _shapes(dense: Path) -> dict[str, list[int]]:
    from safetensors.numpy import load_file

    from paddleprune.registry import Registry
    from paddleprune.training import load_model

    layer = load_model(dense, Registry.discover()).layer
    weights = load_file(dense / "weights.safetensors")
    return {name: list(weights[name].shape) for name, _ in layer.named_parameters()}
