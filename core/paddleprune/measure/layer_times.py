"""How long single layers take on this CPU at other widths."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import paddle
from paddle import nn

from paddleprune.paddle_private.layers import geometry
from paddleprune.paddle_private.widths import CONVOLUTIONS, groups
from paddleprune.runtimes.modes import Runtime
from paddleprune.specs import Contract

TIMED = (*CONVOLUTIONS, nn.Linear)
"""The layers that a network's time is mostly spent in."""
_WARM_UP, _RUNS, _SECONDS = 3, 15, 0.03
_QUARTILE = 25
"""Other work on the machine only ever adds time: the faster runs say more."""


class LayerSpec(Contract):
    """One call of a layer, all but its widths.

    Attributes:
        kind: the class's name.
        kernel, stride, padding, dilation: of a convolution; the padding as the layer has it, as JSON.
        groups: of a convolution; 0 where it is depthwise.
        places: the input's shape without the batch and the channels.
        bias: whether the layer has one.
    """

    kind: Literal["Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "Linear"]
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: str = ""
    dilation: tuple[int, ...] = ()
    groups: int = 1
    places: tuple[int, ...] = ()
    bias: bool = True

    @classmethod
    def of(cls, layer: nn.Layer, shape: tuple[int, ...]) -> LayerSpec:
        """What is called, on an input of a shape."""
        kind: Any = next(base.__name__ for base in TIMED if isinstance(layer, base))
        bias = layer.bias is not None
        if kind == "Linear":
            return cls(kind=kind, places=shape[1:-1], bias=bias)
        dimensions = layer.weight.ndim - 2
        said, count = geometry(layer), groups(layer)
        depthwise = count > 1 and layer.weight.shape[1] == 1
        return cls(
            kind=kind,
            kernel=tuple(layer.weight.shape[2:]),
            stride=_each(said.stride, dimensions),
            padding=json.dumps(said.padding),
            dilation=_each(said.dilation, dimensions),
            groups=0 if depthwise else count,
            places=shape[1:-1] if said.layout.endswith("C") else shape[2:],
            bias=bias,
        )

    @property
    def axes(self) -> tuple[int, int]:
        """The axes of the weight that lie along what is read and what is made; one axis if it is depthwise."""
        if self.groups == 0:
            return 0, 0
        return (0, 1) if self.kind == "Linear" or "Transpose" in self.kind else (1, 0)

    def widths(self, weight: tuple[int, ...]) -> tuple[int, int]:
        """Channels that a layer reads and makes, by its weight's shape."""
        reads, makes = (weight[axis] for axis in self.axes)
        if self.groups <= 1:
            return reads, makes
        return (reads, makes * self.groups) if "Transpose" in self.kind else (reads * self.groups, makes)

    def build(self, reads: int, makes: int) -> tuple[nn.Layer, tuple[int, ...]]:
        """A layer of these widths, or the next ones that its groups divide, and its input's shape without a batch."""
        bias = None if self.bias else False
        if self.kind == "Linear":
            return nn.Linear(reads, makes, bias_attr=bias), (*self.places, reads)
        groups = self.groups or reads
        reads, makes = (-(-width // groups) * groups for width in (reads, makes))
        layer = getattr(nn, self.kind)(
            *(reads, makes, self.kernel),
            stride=list(self.stride),
            padding=json.loads(self.padding),
            dilation=list(self.dilation),
            groups=groups,
            bias_attr=bias,
        )
        return layer, (reads, *self.places)


def _each(value: Any, dimensions: int) -> tuple[int, ...]:
    return tuple(int(v) for v in value) if isinstance(value, (list, tuple)) else (int(value),) * dimensions


@contextmanager
def noting_calls(layer: nn.Layer) -> Iterator[list[tuple[str, LayerSpec]]]:
    """While open, every call of a layer that can be timed is noted: its name, and what was called."""
    found: list[tuple[str, LayerSpec]] = []

    def note(name: str) -> Callable[[Any, Any], None]:
        return lambda part, inputs: found.append((name, LayerSpec.of(part, tuple(inputs[0].shape))))

    named = layer.named_sublayers(include_self=True)
    hooks = [part.register_forward_pre_hook(note(name)) for name, part in named if isinstance(part, TIMED)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def time_layer(spec: LayerSpec, reads: int, makes: int, *, runtime: Runtime, threads: int) -> float:
    """Milliseconds that one sample takes in a layer of these widths, where nothing else disturbs it.

    Raises:
        GraphError: the layer can't be exported for the runtime.
    """
    state = paddle.get_rng_state()
    layer, shape = spec.build(reads, makes)
    paddle.set_rng_state(state)
    with tempfile.TemporaryDirectory(prefix="paddleprune-") as folder:
        path = Path(folder) / "layer"
        runtime.write(layer, [shape], path, batch=1)
        session = runtime.load(path, threads)
    image = np.random.default_rng(0).standard_normal((1, *shape), np.float32)
    times: list[float] = []
    while len(times) < _WARM_UP + _RUNS or sum(times) < _SECONDS:
        session.feed(dict.fromkeys(session.inputs, image))
        start = time.perf_counter()
        session.run()
        times.append(time.perf_counter() - start)
    return float(np.percentile(times[_WARM_UP:], _QUARTILE)) * 1e3
