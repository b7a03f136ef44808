from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.errors import CheckpointError, PaddlePruneError, SaveError
from paddleprune.registry import Registry
from paddleprune.signed import digest_of
from paddleprune.training import load_model, read_checkpoint, save_checkpoint
from paddleprune.training.load import restore_weights
from paddleprune.training.weights import weights_of


@pytest.fixture
def registry(tiny: ModuleType) -> Registry:
    registry = Registry()
    registry.register(tiny.Plugin, "tiny")
    return registry


@pytest.fixture
def saved(tiny: ModuleType, tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "best_model", tiny.net(), tiny.info())
    return tmp_path / "best_model"


def one_line(error: pytest.ExceptionInfo[PaddlePruneError], *parts: str) -> None:
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


def test_a_model_comes_back_with_the_same_outputs(tiny: ModuleType, registry: Registry, tmp_path: Path) -> None:
    layer, image = tiny.net(6), paddle.randn([2, 1, 6, 6])
    layer(image)  # moves the batch norm's buffers
    info = tiny.info(width=6).model_copy(update={"labels": ("a", "b", "c"), "metrics": {"accuracy": float("nan")}})
    save_checkpoint(tmp_path / "best_model", layer, info)
    loaded = load_model(tmp_path / "best_model", registry)
    assert loaded.options.model_dump()["width"] == 6
    assert loaded.info.labels == ("a", "b", "c")
    assert np.isnan(loaded.info.metrics["accuracy"])
    assert loaded.plan is None
    layer.eval()
    loaded.layer.eval()
    np.testing.assert_array_equal(layer(image).numpy(), loaded.layer(image).numpy())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best_model"]
    assert sorted(path.name for path in (tmp_path / "best_model").iterdir()) == [
        "checkpoint.json",
        "weights.safetensors",
    ]


def test_a_pruned_model_comes_back_without_the_table(tiny: ModuleType, registry: Registry, tmp_path: Path) -> None:
    (layer, plan), image = tiny.pruned(), paddle.randn([2, 1, 6, 6])
    layer(image)
    save_checkpoint(tmp_path / "pruned", layer, tiny.info(), plan)
    loaded = load_model(tmp_path / "pruned", registry)
    assert loaded.plan == plan
    layer.eval()
    loaded.layer.eval()
    np.testing.assert_array_equal(layer(image).numpy(), loaded.layer(image).numpy())


def test_every_kind_of_buffer_survives(tiny: ModuleType, tmp_path: Path) -> None:
    def odd() -> nn.Layer:
        layer = nn.Linear(2, 2)
        layer.register_buffer("count", paddle.to_tensor(7))
        layer.register_buffer("flag", paddle.to_tensor([True, False]))
        layer.register_buffer("brain", paddle.to_tensor([1.5, -2.25]).astype("bfloat16"))
        layer.register_buffer("empty", paddle.zeros([0, 3]))
        return layer

    layer, other = odd(), odd()
    layer.count.set_value(paddle.to_tensor(9))
    layer.brain.set_value(paddle.to_tensor([0.5, 3.0]).astype("bfloat16"))
    save_checkpoint(tmp_path / "odd", layer, tiny.info())
    checkpoint = read_checkpoint(tmp_path / "odd")
    assert checkpoint.weights["count"].shape == ()
    restore_weights(other, checkpoint)
    assert int(other.count) == 9
    assert other.brain.dtype == paddle.bfloat16
    for name, array in weights_of(layer).items():
        np.testing.assert_array_equal(array, weights_of(other)[name])


def test_weights_of_another_number_of_classes_are_refused(tiny: ModuleType, saved: Path) -> None:
    layer, checkpoint = tiny.net(classes=5), read_checkpoint(saved)
    with pytest.raises(CheckpointError) as error:
        restore_weights(layer, checkpoint)
    one_line(error, "'5.weight'", str(saved), "[144, 3]", "[144, 5]")


def test_weights_of_something_else_are_refused(tiny: ModuleType, saved: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        restore_weights(nn.Sequential(tiny.net(), nn.Linear(3, 3)), read_checkpoint(saved))
    one_line(error, str(saved), "lacks '0.0.weight'", "more")


def test_other_shapes_without_a_plan_are_refused(tiny: ModuleType, saved: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        restore_weights(tiny.net(8), read_checkpoint(saved))
    one_line(error, "'0.weight'", str(saved), "[4, 1, 3, 3]", "[8, 1, 3, 3]", "no plan")


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_truncated_weights(saved: Path, keep: int) -> None:
    weights = saved / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(saved)
    one_line(error, str(weights), "truncated", "earlier epoch_N")


def test_missing_weights(saved: Path) -> None:
    (saved / "weights.safetensors").unlink()
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(saved)
    one_line(error, str(saved / "weights.safetensors"), "does not exist")


def test_no_checkpoint(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(tmp_path / "nowhere")
    one_line(error, str(tmp_path / "nowhere"), "does not exist")
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(tmp_path)
    one_line(error, "not a checkpoint", f"give {saved}")


def rewritten(path: Path, **changes: object) -> None:
    """A JSON file with other content, and the digest that fits it."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({**content, "sha256": digest_of(content)}))


def test_a_damaged_or_newer_checkpoint_json(saved: Path) -> None:
    path = saved / "checkpoint.json"
    content = json.loads(path.read_text())
    rewritten(path, schema_version=3, novelty=1)
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(saved)
    one_line(error, str(saved), "format 3", "upgrade")
    path.write_text(json.dumps(content))
    rewritten(path, novelty=1)
    with pytest.raises(CheckpointError, match="novelty"):
        read_checkpoint(saved)
    path.write_text(json.dumps({**content, "completed_epochs": 7}))
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(saved)
    one_line(error, str(path), "damaged or was edited", "earlier epoch_N")
    path.write_text(json.dumps(content)[:40])
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(saved)
    one_line(error, str(path))


def test_the_files_of_a_checkpoint_belong_together(tiny: ModuleType, tmp_path: Path) -> None:
    (layer, plan), folders = tiny.pruned(), (tmp_path / "a", tmp_path / "b")
    for folder, loss in zip(folders, (0.05, 0.1), strict=True):
        save_checkpoint(folder, layer, tiny.info(), plan.model_copy(update={"eval_metric_loss": loss}))
    mine, other = (folder / "plan.json" for folder in folders)
    content = mine.read_bytes()
    mine.write_bytes(other.read_bytes())
    with pytest.raises(CheckpointError, match="isn't the plan that was saved with this checkpoint"):
        read_checkpoint(folders[0])
    mine.unlink()
    with pytest.raises(CheckpointError, match="does not exist"):
        read_checkpoint(folders[0])
    save_checkpoint(folders[1], tiny.net(), tiny.info())
    other.write_bytes(content)
    with pytest.raises(CheckpointError, match="isn't the plan"):
        read_checkpoint(folders[1])


def test_a_checkpoint_of_the_first_format_is_read(
    tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layer, plan = tiny.pruned()
    save_checkpoint(tmp_path / "old", layer, tiny.info(), plan)
    for name, later in (("checkpoint.json", ("sha256", "plan_sha256")), ("plan.json", ("sha256", "model"))):
        content = json.loads((tmp_path / "old" / name).read_text())
        kept = {field: value for field, value in content.items() if field not in later}
        (tmp_path / "old" / name).write_text(json.dumps({**kept, "schema_version": 1}))
    found = read_checkpoint(tmp_path / "old")
    assert found.plan == plan
    assert found.info.weights_sha256
    said = capsys.readouterr().err
    assert said.count("earlier format, without a digest") == 2


def test_what_a_killed_swap_left_is_found_and_then_replaced(tiny: ModuleType, saved: Path) -> None:
    saved.rename(saved.with_name(".best_model.previous"))
    saved.with_name(".best_model.new").mkdir()
    before = read_checkpoint(saved)
    assert before.info.task == "stripes"
    layer = tiny.net()
    save_checkpoint(saved, layer, tiny.info())
    np.testing.assert_array_equal(read_checkpoint(saved).weights["0.weight"], layer.state_dict()["0.weight"].numpy())
    assert [path.name for path in saved.parent.iterdir()] == ["best_model"]


def test_a_folder_with_something_else_is_never_replaced(tiny: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(SaveError, match="not a checkpoint"):
        save_checkpoint(tmp_path / "thesis", tiny.net(), tiny.info())
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_a_place_that_cannot_be_written(tiny: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError) as error:
        save_checkpoint(tmp_path / "file" / "epoch_1", tiny.net(), tiny.info())
    one_line(error, str(tmp_path / "file"))
