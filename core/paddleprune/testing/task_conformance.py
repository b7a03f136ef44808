"""What a third party's task should pass, as a class for pytest to collect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import paddle
import pytest

from paddleprune.api.loading import options_for
from paddleprune.interfaces import Predictor
from paddleprune.measure.evaluation import eager_forward, flatten
from paddleprune.registry import Registry
from paddleprune.sensitivity.masked.compiled import reduced
from paddleprune.specs import Demo, FamilyOptions
from paddleprune.training.loader import to_tensors


class TaskConformance:
    """What a task must do, on the data of its own demo; `num_classes` comes from its labels, as in `train`.

    Attributes:
        task: the task's name.
    """

    task: ClassVar[str]

    @pytest.fixture
    def registry(self) -> Registry:
        """Every installed plugin."""
        return Registry.discover()

    @pytest.fixture
    def demo(self, registry: Registry, tmp_path: Path) -> Demo:
        """The demo's recipe; its data is written."""
        return registry.demo(self.task, tmp_path)

    @pytest.fixture
    def opened(self, registry: Registry, demo: Demo) -> tuple[Any, ...]:
        """The demo's options, evaluation dataset and network."""
        provisional = registry.options(self.task, demo.family, demo.options)
        dataset = registry.build_dataset(self.task, demo.eval_dataset, "eval", provisional)
        options = options_for(registry, self.task, demo.family, demo.options, dataset.labels)
        return options, dataset, registry.build_model(self.task, demo.family, options)

    @pytest.fixture
    def predictor(self, registry: Registry, opened: tuple[Any, ...]) -> Predictor:
        """What `predict` works with; the preprocessing survived as JSON."""
        options, dataset, _ = opened
        said = [json.loads(transform.model_dump_json()) for transform in dataset.transforms]
        return registry.build_predictor(self.task, options, dataset.labels, said)

    @pytest.fixture
    def file(self, demo: Demo, predictor: Predictor, tmp_path: Path) -> Path:
        """A file that the demo wrote and that `predict` takes: of its examples, if it has any."""
        files = sorted((demo.examples or tmp_path).rglob("*"))
        found = [file for file in files if file.suffix.lower() in predictor.suffixes]
        assert found, f"the demo wrote no file that the predictor's suffixes name: {', '.join(predictor.suffixes)}"
        return found[0]

    def test_data_flows_into_loss_and_metric(self, registry: Registry, opened: tuple[Any, ...]) -> None:
        """A batch makes a finite loss with gradients, and the metric takes the model's outputs."""
        options, dataset, layer = opened
        inputs, targets = dataset.collate([dataset[i] for i in range(4)])
        _check_shapes("the dataset's inputs", [x.shape[1:] for x in inputs], options)
        loss = registry.build_loss(self.task, registry.loss_config(self.task, {}), options)
        layer.train()
        value = loss(flatten(layer(*(paddle.to_tensor(x) for x in inputs))), to_tensors(targets))
        value.backward()
        assert np.isfinite(float(value)), f"the loss of the first {len(inputs[0])} samples is {float(value)}"
        moved = any(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in layer.parameters())
        assert moved, "no gradient reaches the parameters: does the loss depend on the outputs?"
        metric = registry.build_metric(self.task, registry.metric_config(self.task, {}), dataset.labels, options)
        outputs = eager_forward(layer)(inputs)
        metric.reset()
        metric.update(outputs, targets)
        values = metric.accumulate()
        names = metric.name()
        assert metric.primary in names, f"the primary value {metric.primary!r} is none of {names}"
        assert len(names) == len(values), f"accumulate gives {len(values)} values for the {len(names)} names {names}"
        assert np.isfinite(values).all(), f"the metric is {dict(zip(names, values, strict=True))}"
        reduction = metric.reduction()
        if reduction is not None:
            metric.reset()
            metric.update(reduced(reduction, outputs), targets)
            after = metric.accumulate()
            assert after == values, f"reduction() changes the metric: {names} become {after}, without it {values}"

    def test_data_is_the_same_each_time(self, opened: tuple[Any, ...]) -> None:
        """A sample depends on nothing but its index (and, in training, the seed and epoch)."""
        _, dataset, _ = opened
        for a, b in zip(dataset[0][0], dataset[0][0], strict=True):
            np.testing.assert_array_equal(a, b, "sample 0 isn't the same when it is read again")

    def test_a_checkpoint_s_preprocessing_predicts_as_the_dataset_does(
        self, opened: tuple[Any, ...], predictor: Predictor, file: Path
    ) -> None:
        """A file becomes the model's inputs, and its outputs a result that is JSON, and a picture if the task draws."""
        options, _, layer = opened
        sample = predictor.read(file)
        inputs = predictor.prepare(sample)
        _check_shapes(f"the inputs that the predictor makes of {file.name}", [x.shape for x in inputs], options)
        outputs = eager_forward(layer)(tuple(x[None] for x in inputs))
        result = predictor.interpret(tuple(y[0] for y in outputs), sample)
        assert json.loads(json.dumps(result)).keys() == result.keys(), f"the result isn't JSON: {result}"
        picture = predictor.draw(sample, result)
        if picture is not None:
            kind = f"{picture.dtype}{list(picture.shape)}"
            assert picture.dtype == np.uint8 and picture.ndim == 3, f"draw gives {kind}, not uint8 [H, W, 3]"  # noqa: PT018


def _check_shapes(what: str, shapes: list[tuple[int, ...]], options: FamilyOptions) -> None:
    wanted = list(options.input_shapes())
    assert shapes == wanted, f"{what} have the shapes {shapes}, but the model's input_shapes() are {wanted}"
