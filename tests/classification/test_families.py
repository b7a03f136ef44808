"""Every family is built through the registry, runs forward at its least size, and can be traced."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import pytest
from families import each, heavy_imports, known
from paddle.vision import models
from pydantic import ValidationError

from paddleprune.graph import build_graph
from paddleprune_classification.architectures import build
from paddleprune_classification.architectures.inception import PrunableInceptionV3
from paddleprune_classification.architectures.shufflenet import PrunableShuffleNetV2
from paddleprune_classification.families import families
from paddleprune_classification.plugin import plugin

INFOS = {info.name: info for info in families()}
AUXILIARY = {"googlenet": 2}
SMALL = {"scale": 0.25, "width": 8}
# Deeper and wider siblings of families that the quick tests build.
HEAVY = {
    *(f"densenet{depth}" for depth in (161, 169, 201, 264)),
    *(f"resnext{variant}" for variant in ("50_64x4d", "101_32x4d", "101_64x4d", "152_32x4d", "152_64x4d")),
    *("resnet101", "resnet152", "resnet101_vd", "wide_resnet50_2", "wide_resnet101_2"),
    *("vgg13", "vgg16", "vgg19", "xception65"),
}


def options_of(name: str, **more: Any) -> Any:
    model = INFOS[name].options
    least = max(32, model.input_sides[0])
    least = min(least, model.input_sides[1] or least)
    return model(**{"num_classes": 7, "input_size": least, **known(INFOS[name], SMALL), **more})


@pytest.mark.parametrize("name", each(INFOS, HEAVY))
def test_families_build_run_and_trace(name: str) -> None:
    options = options_of(name)
    layer = plugin.paddleprune_build_model(name, options)
    layer.eval()
    shape = options.input_shapes()[0]
    image = paddle.randn([2, *shape])
    with paddle.no_grad():
        outputs = layer(image)
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    assert len(outputs) == 1 + AUXILIARY.get(name, 0)
    for output in outputs:
        assert list(output.shape) == [2, 7]
        assert bool(paddle.isfinite(output).all())
    static = paddle.jit.to_static(layer, input_spec=[paddle.static.InputSpec([2, *shape])], full_graph=True)
    program = static.forward.concrete_program.main_program
    assert program.num_ops() > 5
    static.forward.rollback()


def test_every_architecture_of_paddle_is_a_family() -> None:
    makers = {n for n in dir(models) if n[0].islower() and callable(getattr(models, n))} | {"lenet"}
    own = {"darknet53", "xception41", "xception65", *(f"resnet{d}_vd" for d in (18, 34, 50, 101))}
    assert set(INFOS) == makers | own


@pytest.mark.parametrize("name", sorted(INFOS))
def test_defaults_are_valid(name: str) -> None:
    options = INFOS[name].options()
    assert INFOS[name].options.model_validate(options.model_dump()) == options
    assert INFOS[name].options.model_validate_json(options.model_dump_json()) == options


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("alexnet", {"input_size": 222}, "needs inputs of 223 to 254 pixels a side, not 222x222"),
        ("alexnet", {"input_size": (224, 255)}, "needs inputs of 223 to 254 pixels a side, not 224x255"),
        ("googlenet", {"input_size": 299}, "needs inputs of 189 to 236 pixels"),
        ("lenet", {"input_size": 32}, "needs inputs of 28 to 31 pixels"),
        ("lenet", {"input_channels": 3}, "Input should be 1"),
        ("vgg11", {"input_size": 31}, "needs inputs of at least 32 pixels"),
        ("mobilenet_v2", {"input_channels": 1}, "Input should be 3"),
        ("mobilenet_v2", {"scale": 0}, "scale"),
        ("mobilenet_v2", {"scale": float("nan")}, "scale"),
        ("mobilenet_v2", {"num_classes": 0}, "num_classes"),
        ("mobilenet_v2", {"input_size": 0}, "must be positive"),
        ("resnet50", {"width": 0}, "width"),
        ("resnet18", {"width": 64}, "Extra inputs"),
        ("densenet121", {"dropout": 1.0}, "dropout"),
    ],
)
def test_options_that_cannot_work_are_refused(name: str, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        INFOS[name].options(**bad)


@pytest.mark.parametrize("name", [n for n, i in INFOS.items() if i.options.input_sides[1] is not None])
def test_fixed_families_run_at_their_largest_size(name: str) -> None:
    options = options_of(name, input_size=INFOS[name].options.input_sides)
    layer = build(name, options)
    layer.eval()
    assert layer(paddle.randn([1, *options.input_shapes()[0]])) is not None


def test_own_families_read_any_number_of_channels() -> None:
    layer = build("resnet18_vd", options_of("resnet18_vd", input_channels=5))
    layer.eval()
    assert list(layer(paddle.randn([1, 5, 32, 32])).shape) == [1, 7]


def test_options_reach_the_architecture() -> None:
    def weights(name: str, **more: Any) -> int:
        return sum(int(p.size) for p in build(name, options_of(name, **more)).parameters())

    assert weights("mobilenet_v2", scale=0.5) > 2 * weights("mobilenet_v2", scale=0.25)
    assert weights("resnet50", width=64) > 1.5 * weights("resnet50", width=8)
    names = dict(build("vgg11", options_of("vgg11", batch_norm=True)).named_sublayers())
    assert any(isinstance(layer, paddle.nn.BatchNorm2D) for layer in names.values())


def test_inception_without_its_hard_coded_width_computes_the_same() -> None:
    theirs, ours = models.InceptionV3(num_classes=3), PrunableInceptionV3(num_classes=3)
    assert set(theirs.state_dict()) == set(ours.state_dict())
    ours.set_state_dict(theirs.state_dict())
    theirs.eval()
    ours.eval()
    image = paddle.randn([1, 3, 96, 96])
    assert np.array_equal(theirs(image).numpy(), ours(image).numpy())


SHUFFLENETS = [name for name in INFOS if name.startswith("shufflenet")]


@pytest.mark.parametrize("name", SHUFFLENETS)
def test_shufflenet_without_its_halves_computes_the_same(name: str) -> None:
    theirs, ours = getattr(models, name)(num_classes=3), build(name, options_of(name, num_classes=3))
    assert isinstance(ours, PrunableShuffleNetV2)
    weights, held = theirs.state_dict(), ours.state_dict()
    assert {n for n, tensor in held.items() if "int" not in str(tensor.dtype)} == set(weights)
    missing, unexpected = ours.set_state_dict(weights)  # as Paddle's own `pretrained=True` does
    assert {n.rpartition(".")[2] for n in missing} == {"numbers"}
    assert not unexpected
    image = paddle.randn([2, 3, 64, 64])
    for network in (theirs, ours):
        network.train()
        with paddle.no_grad():  # statistics that are the same, and not those of a fresh network
            network(paddle.concat([image, image.flip(3)]))
        network.eval()
    expected, got = theirs(image).numpy(), ours(image).numpy()
    assert np.abs(expected).max() > 1e-3  # not all near nought
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_every_channel_of_a_shufflenet_is_a_unit_of_its_own() -> None:
    theirs, ours = models.shufflenet_v2_x0_25(), build("shufflenet_v2_x0_25", options_of("shufflenet_v2_x0_25"))
    tied, free = (build_graph(layer, [(1, 3, 32, 32)]) for layer in (theirs, ours))
    assert [group.protected for group in free.groups if group.protected] == ["feeds an output of the model"]
    shared = {group.name for group in tied.groups if len(group.units) < group.width or group.protected}
    assert sum(group.size for group in free.groups) > sum(group.size for group in tied.groups), shared


def test_listing_families_imports_nothing_heavy() -> None:
    assert heavy_imports("classification", 40) == "[]"
