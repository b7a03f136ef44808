"""Suppression of boxes in ONNX's own operators: paddle2onnx 2.1 writes Paddle's so that nothing is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

from paddleprune.dependencies import require
from paddleprune.vision.suppression import Suppression

OPSET = 13
"""The least that has these operators."""
_OBJECTS, _COUNTS = "objects", "counts"


def append_suppression(file: Path, suppression: Suppression) -> None:
    """Let a file that gives boxes [N, K, 4] and scores [N, classes, K] give objects [M, 6] and counts [N], in place.

    Args:
        file: an ONNX file with these two outputs; scores of what doesn't count are 0.
        suppression: what is reported. Of an image the best objects come first.
    """
    onnx = require("onnx", "writing ONNX")
    model = onnx.load(str(file))
    boxes, scores = (output.name for output in model.graph.output)
    nodes = _Nodes(onnx)
    most = nodes.constant("most", np.int64(suppression.objects))
    limits = [nodes.constant(name, np.float32(getattr(suppression, name))) for name in ("overlap", "score")]
    found = nodes.add("NonMaxSuppression", boxes, scores, most, *limits)  # [M, 3]: image, class, box
    kept = nodes.add("GatherND", scores, found)
    nothing = nodes.add("Sub", scores, scores)
    dense = nodes.add("ScatterND", nothing, found, kept)
    flat = nodes.add("Flatten", dense, axis=1)
    width = nodes.add("Gather", nodes.add("Shape", flat), nodes.constant("second", np.array([1], np.int64)))
    count = nodes.add("Min", width, nodes.constant("objects_of_an_image", np.array([suppression.objects], np.int64)))
    values, places = nodes.add_two("TopK", flat, count, axis=1)
    each = nodes.add("Gather", nodes.add("Shape", boxes), nodes.constant("boxes_of_an_image", np.array([1], np.int64)))
    classes, which = nodes.add("Div", places, each), nodes.add("Mod", places, each)
    last = nodes.constant("last", np.array([-1], np.int64))
    corners = nodes.add("GatherND", boxes, nodes.add("Unsqueeze", which, last), batch_dims=1)
    numbers = nodes.add("Cast", classes, to=onnx.TensorProto.FLOAT)
    columns = [nodes.add("Unsqueeze", column, last) for column in (numbers, values)]
    whole = nodes.add("Concat", *columns, corners, axis=-1)
    rows = nodes.add("Reshape", whole, nodes.constant("row", np.array([-1, 6], np.int64)))
    there = nodes.add("Greater", values, nodes.constant("none", np.float32(0)))
    nodes.add("Compress", rows, nodes.add("Reshape", there, last), axis=0, output=_OBJECTS)
    marks = nodes.add("Cast", there, to=onnx.TensorProto.INT32)
    nodes.add("ReduceSum", marks, nodes.constant("along", np.array([1], np.int64)), keepdims=0, output=_COUNTS)
    model.graph.node.extend(nodes.made)
    model.graph.initializer.extend(nodes.constants)
    del model.graph.output[:]
    value = onnx.helper.make_tensor_value_info
    model.graph.output.extend(
        [value(_OBJECTS, onnx.TensorProto.FLOAT, ["M", 6]), value(_COUNTS, onnx.TensorProto.INT32, ["N"])]
    )
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


def best_first(suppression: Suppression) -> Any:
    """The same as a function of tensors: those of an image in the order of their scores."""

    def chosen(boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        objects, counts = suppression(boxes, scores)
        parts = np.split(objects.numpy(), np.cumsum(counts.numpy())[:-1])
        ordered = [part[np.argsort(-part[:, 1], kind="stable")] for part in parts]
        return paddle.to_tensor(np.concatenate(ordered)), counts

    return chosen


class _Nodes:
    """Operators that are added to a graph."""

    def __init__(self, onnx: Any) -> None:
        self._onnx, self.made, self.constants = onnx, list[Any](), list[Any]()

    def constant(self, name: str, value: Any) -> str:
        """A number, or several."""
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(value), f"suppression.{name}"))
        return f"suppression.{name}"

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """An operator; the name of what it gives."""
        name = output or f"suppression.{len(self.made)}"
        self.made.append(self._onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def add_two(self, kind: str, *inputs: str, **attributes: Any) -> tuple[str, str]:
        """One that gives two things."""
        names = [f"suppression.{len(self.made)}.{part}" for part in range(2)]
        self.made.append(self._onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names[0], names[1]
