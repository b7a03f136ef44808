"""The layer that a program describes."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.graph.inputs import Input, leaves, random_inputs
from paddleprune.testing.fuzz.kinds import KINDS
from paddleprune.testing.fuzz.program import Program, Step

_SAMPLES = 3
"""Not 1, so that the batch axis is no axis of size 1."""


class Network(nn.Layer):
    """What a program describes, with weights that keep its values near 1.

    Args:
        program: the network.
        seed: of its weights.
    """

    def __init__(self, program: Program, seed: int = 0) -> None:
        super().__init__()
        running = Running(program.inputs, seed)
        for step in program.steps:
            running.run(step)
        self.steps = nn.LayerList(running.layers)
        self.takes = [step.takes for step in program.steps]
        self.outputs = program.outputs

    def forward(self, *inputs: Any) -> Any:
        """Run the steps in order."""
        values = leaves(list(inputs))
        for step, layer in enumerate(self.steps):
            given = layer(*[values[i] for i in self.takes[step]])
            values = values + _as_list(given)
        return _nest(self.outputs, values)


class Running:
    """A network that is being built: its layers so far, and the values that they give.

    Args:
        inputs: as a program's.
        seed: of weights and inputs.
    """

    def __init__(self, inputs: tuple[Any, ...], seed: int = 0) -> None:
        paddle.seed(seed)
        self._generator = np.random.default_rng(seed)
        self.values = [paddle.to_tensor(x) for x in leaves(list(random_inputs(inputs, seed, batch=_SAMPLES)))]
        self.layers: list[nn.Layer] = []

    def run(self, step: Step) -> None:
        """Build a step's layer and run it."""
        taken = [self.values[i] for i in step.takes]
        with paddle.no_grad():
            if step.kind == "again":
                layer = self.layers[step.options["step"]]
            elif KINDS[step.kind].nested:
                layer = self._nested(step, taken[0])
            else:
                layer = self._plain(step, taken)
            layer.eval()
            given = layer(*taken)
        self.layers.append(layer)
        self.values.extend(_as_list(given))

    def _nested(self, step: Step, x: Any) -> nn.Layer:
        inside = []
        for inner in step.options["steps"]:
            inside.append(self._plain(inner, [x]))
            x = inside[-1](x)
        return KINDS[step.kind].make(*inside)

    def _plain(self, step: Step, taken: list[Any]) -> nn.Layer:
        layer = KINDS[step.kind].make(*(tuple(x.shape) for x in taken), **step.options)
        self._vary(layer)
        layer.eval()
        size = layer(*taken).abs().mean() if isinstance(layer, _SCALED) else 0
        if float(size) > 0:
            layer.weight.set_value(layer.weight / size)
        return layer

    def _vary(self, layer: nn.Layer) -> None:
        """No bias is 0 and no scale is 1: a mistake with one of them would not show."""
        for parameter in layer.parameters():
            if len(parameter.shape) == 1:
                change = self._generator.uniform(-0.4, 0.4, parameter.shape).astype(np.float32)
                parameter.set_value(parameter.numpy() + change)


_SCALED = (nn.Linear, nn.Conv1D, nn.Conv2D, nn.Conv3D, nn.Conv1DTranspose, nn.Conv2DTranspose, nn.Conv3DTranspose)
"""Linear in their weights but for the bias: dividing them by the size of what they give makes that about 1."""


def example(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Random inputs of a network, in a batch of 3."""
    return random_inputs(inputs, seed=1, batch=_SAMPLES)


def sample_shapes(inputs: tuple[Any, ...]) -> list[Any]:
    """The inputs without their batch axis."""
    return [_without_batch(entry) for entry in inputs]


def _without_batch(entry: Any) -> Any:
    if isinstance(entry, Input):
        return Input(entry.shape[1:], entry.dtype)
    if isinstance(entry, dict):
        return {key: _without_batch(value) for key, value in entry.items()}
    return [_without_batch(value) for value in entry]


def _as_list(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _nest(outputs: Any, values: list[Any]) -> Any:
    if outputs is None:
        return None
    if isinstance(outputs, int):
        return values[outputs]
    if isinstance(outputs, dict):
        return {key: _nest(entry, values) for key, entry in outputs.items()}
    return [_nest(entry, values) for entry in outputs]
