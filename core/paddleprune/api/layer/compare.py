"""Layers side by side: what pruning gave, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from paddle import nn

from paddleprune.api.compare import Side, set_beside
from paddleprune.api.layer.graph import as_number
from paddleprune.errors import ConfigError
from paddleprune.graph.modes import in_mode
from paddleprune.graph.tensors import named_tensors
from paddleprune.reports import Comparison, MetricValue
from paddleprune.runtimes.modes import modes_of
from paddleprune.training import select_device


def compare_layers(
    layers: Mapping[str, nn.Layer],
    *,
    shapes: Sequence[Sequence[int]],
    evaluate: Callable[[nn.Layer], float] | None = None,
    metric: str = "metric",
    runtime: str | Sequence[str] = "paddle",
    threads: int | None = None,
) -> Comparison:
    """Compare any layers: parameters, FLOPs, size of the weights, latency on this CPU, and a metric of your own.

    Args:
        layers: name -> layer; the others are set against the first. They are left as they were.
        shapes: of their inputs, without the batch axis, such as [(3, 224, 224)].
        evaluate: gives the metric of a layer, which is in evaluation mode.
        metric: its name.
        runtime: what runs them for the latency, as for `compare`.
        threads: CPU threads for the latency; all cores by default.

    Raises:
        ConfigError: there are no layers, or what one of them is called isn't one.
        DependencyError: a runtime isn't installed.
        GraphError: a layer can't be exported.
    """
    if not layers or not all(isinstance(layer, nn.Layer) for layer in layers.values()):
        raise ConfigError(
            "layers must be names and layers, such as {'dense': a, 'pruned': b}; compare takes checkpoints"
        )
    modes = modes_of([runtime] if isinstance(runtime, str) else runtime)
    select_device("cpu")
    inputs = [tuple(shape) for shape in shapes]
    sides = {}
    for name, layer in layers.items():
        value = None if evaluate is None else MetricValue(name=metric, value=_value(layer, evaluate))
        sides[name] = Side(layer, inputs, sum(tensor.numpy().nbytes for tensor in named_tensors(layer).values()), value)
    return set_beside(sides, modes, threads)


def _value(layer: nn.Layer, evaluate: Callable[[nn.Layer], float]) -> float:
    with in_mode(layer, train=False):
        return as_number(evaluate(layer))
