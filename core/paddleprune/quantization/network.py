"""An ONNX network that is to be quantised: its batch norms folded, its steps known and named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddleprune.dependencies import require
from paddleprune.errors import GraphError, said_by

PURPOSE = "INT8 quantisation"
_LAYERS = ("Conv", "MatMul", "Gemm")
_ARITHMETIC = ("Add", "Mul", "Sigmoid", "LeakyRelu", "GlobalAveragePool", "Concat")
_CARRIERS = (
    "Relu",
    "Clip",
    "MaxPool",
    "AveragePool",
    "Resize",
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
)
"""What ONNX Runtime computes in INT8 on a CPU: layers, other arithmetic, and what hands on the INT8 that it gets."""
_WARNINGS, _ERRORS = 2, 3


@dataclass(frozen=True)
class Step:
    """A node with arithmetic of its own, which is computed in INT8 or in float.

    Attributes:
        node: its name in the file.
        title: what people call it: the layer whose weights it has, or which layer it comes after.
    """

    node: str
    title: str


@dataclass(frozen=True)
class FoldedNetwork:
    """A file that is ready for quantisation.

    Attributes:
        file: the folded network, in float.
        steps: what can be computed in INT8, in the order of the network.
        carriers: nodes that hand on INT8 where they get it.
    """

    file: Path
    steps: tuple[Step, ...]
    carriers: tuple[str, ...]


@contextmanager
def quiet() -> Iterator[None]:
    """While open, ONNX Runtime speaks of errors alone."""
    runtime = require("onnxruntime", PURPOSE)
    runtime.set_default_logger_severity(_ERRORS)
    try:
        yield
    finally:
        runtime.set_default_logger_severity(_WARNINGS)


def fold(file: Path, target: Path, layers: Mapping[str, str]) -> FoldedNetwork:
    """Fold batch norms and constants, infer shapes, and find what can be computed in INT8.

    What comes after the last layer, such as the decoding of boxes, stays in float: there is no layer that would gain.

    Args:
        file: ONNX, in float.
        target: gets the folded network.
        layers: a parameter's name in the file -> the layer that has it.

    Raises:
        GraphError: it can't be folded, or has nothing to quantise.
        DependencyError: something isn't installed.
    """
    onnx, tools = require("onnx", PURPOSE), require("onnxruntime.quantization", PURPOSE)
    with quiet():
        try:
            tools.quant_pre_process(str(file), str(target), skip_symbolic_shape=True)
        except Exception as error:  # ONNX Runtime has its own
            raise GraphError(f"cannot prepare the network for INT8: {said_by(error)}") from error
    model = onnx.load(str(target))
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}.{number}"  # each has one then, and its own
    onnx.save(model, str(target))
    before = _before_layers(model.graph)
    steps, where = list[Step](), dict[str, str]()
    for node in model.graph.node:
        weights = _weights(model.graph, node)
        came = next((where[name] for name in node.input if name in where), "")
        own = next((layer for name in weights for parameter, layer in layers.items() if name.endswith(parameter)), "")
        where.update(dict.fromkeys(node.output, own or came))
        if node.name in before and node.op_type in _LAYERS + _ARITHMETIC:
            steps.append(Step(node.name, own or (f"{node.op_type} after {came}" if came else node.name)))
    if not any(step.node.startswith(_LAYERS) for step in steps):
        raise GraphError("the network has no convolution or linear layer that could be computed in INT8")
    carriers = tuple(n.name for n in model.graph.node if n.name in before and n.op_type in _CARRIERS)
    return FoldedNetwork(target, tuple(steps), carriers)


def fix_batch(file: Path, target: Path) -> None:
    """Write a file that takes any number of samples once more, for one sample a run, as it is timed."""
    onnx = require("onnx", PURPOSE)
    model = onnx.load(str(file))
    for given in model.graph.input:
        given.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]  # shapes of other batches
    onnx.save(model, str(target))


def _before_layers(graph: Any) -> set[str]:
    """The layers with weights, and every node from which one can be reached."""
    found, wanted = set[str](), set[str]()
    for node in reversed(graph.node):
        if (node.op_type in _LAYERS and _weights(graph, node)) or wanted.intersection(node.output):
            found.add(node.name)
            wanted.update(node.input)
    return found


def _weights(graph: Any, node: Any) -> list[str]:
    """The names of a node's inputs that are weights."""
    if node.op_type not in _LAYERS:
        return []
    constants = {constant.name for constant in graph.initializer}
    return [name for name in node.input[1:] if name in constants]
