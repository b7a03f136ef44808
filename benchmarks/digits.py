"""Handwritten digits at 224x224, and networks that sort them without having been trained for hours.

A fresh network's batch norms get real statistics, and its last layer is fitted to digits. Its channels get magnitudes
that differ, as training gives them: removing the smallest then changes few of its answers and removing more changes
more, group by group, which is what a sweep has to find out. The metric is the share of images that keep the dense
network's answer.
"""

from __future__ import annotations

import cv2
import numpy as np
import paddle
from paddle import nn
from sklearn.datasets import load_digits

from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.graph.tensors import named_tensors, overwrite
from paddleprune.interfaces import Array, Dataset, Sample
from paddleprune.measure.evaluation import eager_forward
from paddleprune.registry import Registry
from paddleprune.testing import settle

SIDE = 224
_FITTED_TO = 384
_RIDGE = 0.01


class Digits(Dataset):
    """Real handwritten digits, decoded from PNG and enlarged."""

    labels = tuple(map(str, range(10)))

    def __init__(self, count: int, first: int = 0) -> None:
        data = load_digits()
        order = np.random.default_rng(0).permutation(len(data.target))[first : first + count]
        self._files = [cv2.imencode(".png", (image * 15.9).astype(np.uint8))[1] for image in data.images[order]]
        self._targets = data.target[order]

    def answered_by(self, layer: nn.Layer) -> Digits:
        """The same digits, with the layer's answers as their labels."""
        forward, samples = eager_forward(layer), [self[i] for i in range(len(self))]
        batches = [np.stack([inputs[0] for inputs, _ in samples[i : i + 16]]) for i in range(0, len(self), 16)]
        self._targets = np.concatenate([forward((images,))[0].argmax(1) for images in batches])
        return self

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        small = cv2.imdecode(self._files[index], cv2.IMREAD_COLOR)
        image = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 127.5 - 1
        return (image.transpose(2, 0, 1).copy(),), self._targets[index]


def network(family: str, *, fitted: bool = True) -> tuple[nn.Layer, ChannelGraph]:
    """A family's network, fitted to digits or fresh, and its channel graph."""
    registry = Registry.discover()
    options = registry.options("classification", family, {"input_size": SIDE, "num_classes": 10})
    paddle.seed(0)
    layer = registry.build_model("classification", family, options)
    layer.eval()
    if not fitted:
        return layer, build_graph(layer, [(1, *shape) for shape in options.input_shapes()])
    settle(layer, options.input_shapes())
    graph = build_graph(layer, [(1, *shape) for shape in options.input_shapes()])
    data = Digits(_FITTED_TO, first=1000)
    samples = [data[i] for i in range(len(data))]
    _spread(layer, graph)
    _take_statistics(layer, np.stack([inputs[0] for inputs, _ in samples[:16]]))
    _fit_head(layer, samples)
    return layer, graph


def _spread(layer: nn.Layer, graph: ChannelGraph) -> None:
    """Multiply what makes each unit, up to its batch norm, by a factor between 1/30 and 1."""
    generator, tensors = np.random.default_rng(0), named_tensors(layer)
    factors = np.ones(1 + max(int(axis.units.max()) for axis in graph.axes))
    for group in graph.prunable:
        factors[list(group.units)] = 10 ** generator.uniform(-1.5, 0, len(group.units))
    for axis in graph.axes:
        if axis.role in ("own", "follow") and axis.parameter in graph.parameters:
            array = tensors[axis.parameter].numpy()
            scale = factors[axis.units].reshape([-1 if i == axis.axis else 1 for i in range(array.ndim)])
            overwrite(tensors[axis.parameter], (array * scale).astype(array.dtype))


def _take_statistics(layer: nn.Layer, images: Array) -> None:
    """Let batch norms see one batch."""
    norms = [sub for sub in layer.sublayers() if isinstance(sub, nn.BatchNorm2D)]
    momenta = [norm._momentum for norm in norms]
    for norm in norms:
        norm._momentum = 0.0
    layer.train()
    with paddle.no_grad():
        layer(paddle.to_tensor(images))
    layer.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm._momentum = momentum


def _fit_head(layer: nn.Layer, samples: list[Sample]) -> None:
    """Fit the last linear layer to digits, by ridge regression on what comes into it."""
    head = [sub for sub in layer.sublayers() if isinstance(sub, nn.Linear)][-1]
    features: list[Array] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].numpy()))
    with paddle.no_grad():
        for i in range(0, len(samples), 16):
            layer(paddle.to_tensor(np.stack([inputs[0] for inputs, _ in samples[i : i + 16]])))
    hook.remove()
    x = np.concatenate(features).astype(np.float64)
    scale = x.std() or 1.0
    x = np.concatenate([x / scale, np.ones((len(x), 1))], axis=1)
    wanted = np.eye(10)[[target for _, target in samples]]
    gram = x @ x.T  # fewer samples than features
    weights = x.T @ np.linalg.solve(gram + _RIDGE * np.trace(gram) / len(x) * np.eye(len(x)), wanted)
    head.weight.set_value((weights[:-1] / scale).astype(np.float32))
    head.bias.set_value(weights[-1].astype(np.float32))
