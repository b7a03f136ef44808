"""What is learned from a teacher: its outputs, what its layers give, and nothing by itself."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.errors import ConfigError
from paddleprune.training import fit, read_checkpoint, seed_everything
from paddleprune.training.teacher import Teacher, squared_error
from paddleprune.training.weights import set_weights, weights_of


def absolute(outputs: tuple[Any, ...], wanted: tuple[Any, ...]) -> Any:
    """A term that is easy to say in NumPy."""
    return (outputs[0] - wanted[0]).abs().mean()


def test_outputs_and_the_channels_that_stayed_count_as_asked(tiny: ModuleType) -> None:
    paddle.seed(0)
    dense = tiny.net()
    cut, _ = tiny.pruned()
    images = paddle.randn([6, 1, 6, 6])
    teacher = Teacher(dense, absolute, 2.0, 3.0, {"1": np.array([0, 1, 3])})
    cut.eval()
    with teacher.beside(cut) as seen:
        outputs = (cut(images),)
    found = float(teacher.loss([images], outputs, seen))
    dense.eval()
    said, goal = cut[1](cut[0](images)).numpy(), dense[1](dense[0](images)).numpy()[:, [0, 1, 3]]
    layers = ((said - goal) ** 2).mean() / goal.var()
    wanted = 2 * np.abs(outputs[0].numpy() - dense(images).numpy()).mean() + 3 * layers
    assert found == pytest.approx(wanted, rel=1e-4)


def test_the_teacher_stays_as_it_is_and_the_other_network_learns(tiny: ModuleType) -> None:
    paddle.seed(0)
    dense, layer = tiny.net(), tiny.net()
    dense.train()
    before = weights_of(dense)
    teacher, images = Teacher(dense, squared_error, 1.0, 1.0, {"1": None}), paddle.randn([4, 1, 6, 6])
    with teacher.beside(layer) as seen:
        outputs = (layer(images),)
    teacher.loss([images], outputs, seen).backward()
    assert dense.training
    assert all(p.grad is None for p in dense.parameters())
    assert all(p.grad is not None for p in layer.parameters() if not p.stop_gradient)
    for name, array in weights_of(dense).items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    assert float(squared_error((images,), (images,))) == 0


def test_channels_may_come_last() -> None:
    def net(width: int) -> nn.Layer:
        last = {"data_format": "NHWC"}
        return nn.Sequential(nn.Conv2D(1, width, 3, **last), nn.BatchNorm2D(width, **last))

    dense, cut, kept, images = net(4), net(3), np.array([0, 1, 3]), paddle.randn([2, 6, 6, 1])
    set_weights(cut, {name: array[kept] for name, array in weights_of(dense).items()})
    cut.eval()
    teacher = Teacher(dense, absolute, 0.0, 1.0, {"1": kept})
    with teacher.beside(cut) as seen:
        outputs = (cut(images),)
    assert float(teacher.loss([images], outputs, seen)) == pytest.approx(0, abs=1e-6)


def test_a_teacher_of_other_outputs_is_refused(tiny: ModuleType) -> None:
    layer, images = tiny.net(), paddle.randn([2, 1, 6, 6])
    with pytest.raises(ConfigError, match=r"outputs have the shapes \[\[2, 7\]\], the model's \[\[2, 3\]\]"):
        Teacher(tiny.net(classes=7), squared_error, 1.0).loss([images], (layer(images),), {})


def test_a_run_that_learns_and_was_stopped_ends_like_one_that_was_not(tiny: ModuleType, tmp_path: Path) -> None:
    def trained(folder: str, resume: str | None = None, weight: float = 1.0, **changes: Any) -> dict[str, Any]:
        paddle.seed(7)
        dense = tiny.net()
        set_weights(dense, {name: array * 2 for name, array in weights_of(dense).items()})
        teacher = Teacher(dense, squared_error, weight, 1.0, {"1": None}) if weight else None
        settings = tiny.settings(**changes)
        seed_everything(settings.seed, 0)
        parts = tiny.net(), tiny.loss, tiny.Accuracy(), tiny.Stripes(), tiny.Stripes(12)
        start = None if resume is None else tmp_path / resume
        fit(*parts, settings, tmp_path / folder, tiny.info(), resume=start, teacher=teacher)
        return read_checkpoint(tmp_path / folder / f"epoch_{settings.num_epochs}").weights

    whole, plain = trained("whole"), trained("plain", weight=0.0)
    trained("half", num_epochs=2)
    rest = trained("rest", "half/epoch_2")
    for name, array in whole.items():
        np.testing.assert_array_equal(rest[name], array, err_msg=name)
    assert np.abs(whole["5.weight"] - plain["5.weight"]).max() > 0


def test_the_tasks_say_what_is_learned_of_their_outputs() -> None:
    from paddleprune.registry import Registry

    registry = Registry.discover()
    generator = np.random.default_rng(0)
    shapes = {
        "classification": [(4, 5)],
        "segmentation": [(2, 3, 8, 8)],
        "detection": [(2, 21, n, n) for n in (1, 2, 4)],
    }
    families = {"classification": "mobilenet_v2", "segmentation": "unet", "detection": "yolov3_mobilenet_v1"}
    for task, sizes in shapes.items():
        options = registry.options(task, families[task], {"num_classes": 2, "input_size": 32})
        term = registry.build_distillation(task, options)
        assert term is not None
        wanted = tuple(paddle.to_tensor(generator.normal(0, 2, size).astype("float32")) for size in sizes)
        near, far = (
            tuple(paddle.to_tensor(y.numpy() + generator.normal(0, by, y.shape).astype("float32")) for y in wanted)
            for by in (0.1, 2.0)
        )
        same, little, much = (float(term(outputs, wanted)) for outputs in (wanted, near, far))
        assert same == pytest.approx(0, abs=1e-4), task
        assert same < little < much / 2, task


def test_classes_are_softened() -> None:
    from paddleprune_classification.losses import softened

    said, goal = np.array([[1.0, 0.0, -1.0]], "float32"), np.array([[4.0, 0.0, 1.0]], "float32")
    soft = [np.exp(scores / 4) / np.exp(scores / 4).sum() for scores in (said, goal)]
    wanted = 16 * (soft[1] * np.log(soft[1] / soft[0])).sum()
    found = softened()((paddle.to_tensor(said),), (paddle.to_tensor(goal),))
    assert float(found) == pytest.approx(wanted, rel=1e-4)
