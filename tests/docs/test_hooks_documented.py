"""Every hook is documented, its example runs, and a real plugin uses it."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
from pages import ROOT, code_blocks

from paddleprune import hookspecs
from paddleprune.errors import ConfigError, UnknownNameError
from paddleprune.interfaces import Dataset, Metric, Predictor
from paddleprune.registry import Registry
from paddleprune.specs import ImageOptions
from paddleprune_classification.plugin import plugin as classification

HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("paddleprune_")}
GUIDE = (ROOT / "docs" / "plugins.md").read_text()
OPTIONS = {"num_classes": 4, "input_size": (8, 8)}


def imported(source: str, folder: Path) -> ModuleType:
    """The module with that source."""
    path = folder / "example_plugin.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """A registry of the classification plugin and of the example in the docstring of the hook `request.param`."""
    (source,) = code_blocks(dedent(inspect.getdoc(HOOKS[request.param]) or ""))
    registry = Registry()
    registry.register(classification, "classification")
    registry.register(imported(source, tmp_path), "example")
    yield registry
    sys.modules.pop("example_plugin")


def check_family(registry: Registry, family: str) -> None:
    """The example's family builds, and maps an image to class scores."""
    import paddle

    options = registry.options("classification", family, OPTIONS)
    model = registry.build_model("classification", family, options)
    assert model(paddle.ones([2, *options.input_shapes()[0]])).shape == [2, 4]


def check_published(registry: Registry) -> None:
    """The example says where its weights are, and for which options there are some."""
    options = [registry.options("classification", "plain", {**OPTIONS, "input_channels": n}) for n in (3, 1)]
    assert registry.published_weights("classification", "plain", options[0])["IMAGENET"].url.endswith("/plain.pdparams")
    with pytest.raises(ConfigError, match="3 channels alone"):
        registry.published_weights("classification", "plain", options[1])
    check_family(registry, "plain")


def check_prunable(registry: Registry) -> None:
    """The example protects what it says."""
    check_family(registry, "stem_kept")
    graph = SimpleNamespace(groups=(SimpleNamespace(name="0"), SimpleNamespace(name="2")))
    options = registry.options("classification", "stem_kept", OPTIONS)
    assert list(registry.list_prunable("classification", "stem_kept", options, graph)) == ["0"]


def check_dataset(registry: Registry, folder: Path) -> None:
    """The example reads an image."""
    cv2.imwrite(str(folder / "grey.png"), np.full((16, 16, 3), 51, np.uint8))
    config = registry.dataset_config("brightness", {"image_dir": folder})
    dataset = registry.build_dataset("brightness", config, "eval", ImageOptions(input_size=(8, 8)))
    assert isinstance(dataset, Dataset)
    (image,), target = dataset[len(dataset) - 1]
    assert image.shape == (3, 8, 8)
    assert target == pytest.approx([0.2])


def check_loss(registry: Registry) -> None:
    """The example's loss is a scalar that a gradient flows from."""
    import paddle

    loss = registry.build_loss("brightness", registry.loss_config("brightness", {"delta": 2.0}), ImageOptions())
    assert float(loss((paddle.ones([2, 1]),), paddle.zeros([2, 1]))) == pytest.approx(0.5)


def check_distillation(registry: Registry) -> None:
    """The example's term is a scalar that a gradient flows from, and nothing where nothing is missed."""
    import paddle

    term = registry.build_distillation("brightness", ImageOptions())
    assert term is not None
    assert float(term((paddle.ones([2, 1]) * 2,), (paddle.zeros([2, 1]),))) == pytest.approx(1.5)
    assert float(term((paddle.ones([2, 1]),), (paddle.ones([2, 1]),))) == 0


def check_metric(registry: Registry) -> None:
    """The example's metric means over batches."""
    config = registry.metric_config("brightness", {})
    metric = registry.build_metric("brightness", config, ["brightness"], ImageOptions())
    assert isinstance(metric, Metric)
    metric.update((np.array([[1.0], [3.0]]),), np.zeros((2, 1)))
    assert metric.accumulate() == [2.0]


def check_predictor(registry: Registry) -> None:
    """The example's predictor takes an image and draws its result."""
    predictor = registry.build_predictor("brightness", ImageOptions(input_size=(8, 8)), ["brightness"], [])
    assert isinstance(predictor, Predictor)
    image = np.zeros((32, 32, 3), np.uint8)
    assert predictor.prepare(image)[0].shape == (3, 8, 8)
    assert predictor.draw(image, predictor.interpret((np.array([0.5]),), image)).shape == image.shape


def check_paddlex(registry: Registry) -> None:
    """The example says which model it passes for, what the images become, and how; or asks for the name."""
    import paddle

    layer = paddle.nn.Flatten()
    asked = "brightness", "any", ImageOptions(input_size=(8, 6)), ["brightness"], [], layer
    made = registry.paddlex(*asked, "ResNet18")
    assert made.config["Global"] == {"model_name": "ResNet18"}
    assert made.config["PreProcess"]["transform_ops"][0] == {"ResizeImage": {"size": [6, 8]}}
    assert (made.layer, made.inputs) == (layer, {"x": (3, 8, 6)})
    with pytest.raises(ConfigError, match="model_name"):
        registry.paddlex(*asked, None)


def check_boxes(registry: Registry) -> None:
    """The example's boxes and scores are those of its network, and of two in one place the better one stays."""
    import paddle

    found = paddle.to_tensor([[[0.0, 1.0], [0.0, 1.0], [8.0, 9.0], [8.0, 9.0], [0.9, 0.8]]])
    made = registry.boxes("brightness", "any", ImageOptions(), paddle.nn.Identity())
    boxes, scores = made.layer(found)
    assert boxes[0, 1].tolist() == [1, 1, 9, 9]
    objects, counts = made.suppression(boxes, scores)
    assert (counts.tolist(), objects[0].tolist()) == ([1], pytest.approx([0, 0.9, 0, 0, 8, 8]))


def check_demo(registry: Registry, folder: Path) -> None:
    """The example's demo writes the images that its recipe names."""
    recipe = registry.demo("brightness", folder)
    assert recipe.train_dataset.image_dir == folder / "train"
    assert any((folder / "train").iterdir())
    assert any((folder / "eval").iterdir())


def check_sample_data(registry: Registry, folder: Path) -> None:
    """The example writes images for both splits, in the layout that it reads."""
    settings = registry.sample_data("brightness", folder)
    assert settings["model"] == "plain_cnn_s"
    for split, count in (("train", 16), ("eval", 8)):
        found = registry.task("brightness").dataset.from_directory(folder, split)
        assert len(list(found.image_dir.iterdir())) == count


CHECKS = {
    "paddleprune_register_tasks": lambda registry, folder: registry.task("brightness"),
    "paddleprune_register_families": lambda registry, folder: check_family(registry, "two_linear"),
    "paddleprune_build_model": lambda registry, folder: check_family(registry, "plain_cnn_m"),
    "paddleprune_published_weights": lambda registry, folder: check_published(registry),
    "paddleprune_list_prunable": lambda registry, folder: check_prunable(registry),
    "paddleprune_build_dataset": check_dataset,
    "paddleprune_build_loss": lambda registry, folder: check_loss(registry),
    "paddleprune_build_distillation": lambda registry, folder: check_distillation(registry),
    "paddleprune_build_metric": lambda registry, folder: check_metric(registry),
    "paddleprune_build_predictor": lambda registry, folder: check_predictor(registry),
    "paddleprune_paddlex": lambda registry, folder: check_paddlex(registry),
    "paddleprune_boxes": lambda registry, folder: check_boxes(registry),
    "paddleprune_demo": check_demo,
    "paddleprune_sample_data": check_sample_data,
}


@pytest.mark.parametrize(("example", "hook"), [(name, name) for name in HOOKS], indirect=["example"])
def test_the_example_in_the_docstring_does_what_the_hook_is_for(example, hook, tmp_path):
    assert [plugin.error for plugin in example.plugins()] == [None, None]
    CHECKS[hook](example, tmp_path / "data" if hook == "paddleprune_demo" else tmp_path)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_hook_is_documented_with_its_version(hook):
    assert "*(since " in (inspect.getdoc(HOOKS[hook]) or "")


def signatures() -> dict[str, str]:
    """The signature of every hook, as written in the source, on one line."""
    tree = ast.parse(inspect.getsource(hookspecs))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in HOOKS]
    return {f.name: f"{f.name}({ast.unparse(f.args)}) -> {ast.unparse(f.returns)}" for f in functions if f.returns}


@pytest.mark.parametrize(("hook", "signature"), signatures().items())
def test_the_guide_shows_the_signature(hook, signature):
    assert signature in GUIDE


@pytest.mark.parametrize("hook", HOOKS)
def test_a_built_in_plugin_uses_the_hook(hook):
    assert hasattr(classification, hook), f"no real plugin uses {hook}; drop the hook, or use it"


def test_the_page_long_plugin_of_the_guide_works(tmp_path):
    module = imported(code_blocks(GUIDE)[0], tmp_path)
    registry = Registry()
    registry.register(classification, "classification")
    registry.register(module, "guide")
    check_family(registry, "plain_cnn")
    with pytest.raises(UnknownNameError, match="did you mean 'plain_cnn'"):
        registry.family("classification", "plain_cn")
