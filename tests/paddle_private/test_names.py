"""Every name that the adapter takes from Paddle's inside is there, and no other module knows one of them."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.nn.layer import layers as paddle_layers

import paddleprune
from paddleprune import paddle_private
from paddleprune.exports.onnx_ops import rewritten
from paddleprune.graph.capture import capture
from paddleprune.paddle_private import build, layers, old_ir, programs, protos, tensors, widths

_SHORT = {nn.SimpleRNN, nn.LSTM, nn.GRU, nn.SimpleRNNCell, nn.LSTMCell, nn.GRUCell, nn.Embedding, nn.GroupNorm}
_ARGUMENTS: dict[type, tuple[Any, ...]] = {
    **dict.fromkeys(_SHORT, (4, 4)),
    **dict.fromkeys((nn.LayerNorm, nn.PReLU), (4,)),
    **dict.fromkeys((nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D, nn.SyncBatchNorm), (4,)),
}
"""What makes a layer of a type; convolutions take more."""
_OPERATION = ("name", "attrs", "num_operands", "operands_source", "results", "blocks", "clone")
_VALUE = ("id", "initialized", "is_dense_tensor_type", "shape", "dtype", "is_same", "use_empty")
"""What is asked of operations and values while a program is read."""


def _made(kind: type) -> nn.Layer:
    layer: nn.Layer = kind(*_ARGUMENTS.get(kind, (4, 4, 3)))
    return layer


@pytest.mark.parametrize(
    ("kind", "each"),
    [pytest.param(kind, each, id=each.__name__) for kind in widths.KINDS for each in kind.types],
)
def test_a_layer_holds_its_widths_where_the_table_says(kind: widths.Kind, each: type) -> None:
    layer = _made(each)
    assert widths.kind_of(layer) is kind
    for name in kind.widths:
        held = getattr(layer, name)
        assert name in vars(layer)
        assert held == [4] or (isinstance(held, int) and held in (1, 4))
    before = {name: value for name, value in vars(layer).items() if name in widths.WIDTHS}
    widths.refit(layer)
    assert {name: value for name, value in vars(layer).items() if name in widths.WIDTHS} == before


@pytest.mark.parametrize("each", widths.CONVOLUTIONS, ids=lambda each: each.__name__)
def test_a_convolution_tells_its_geometry(each: type) -> None:
    layer = each(4, 8, 3, stride=2, padding=1, dilation=1, groups=2)
    said, axes = layers.geometry(layer), layer.weight.ndim - 2
    assert list(said.kernel) == [3] * axes
    assert {*np.ravel(said.stride)} == {2}
    assert {*np.ravel(said.dilation)} == {1}
    assert {*np.ravel(said.padding)} == {1}
    assert (said.mode, said.channels, said.layout[:2]) == ("zeros", 1, "NC")
    assert widths.groups(layer) == 2


def test_a_depthwise_convolution_names_its_kernel() -> None:
    assert nn.Conv2D(4, 4, 3, groups=4)._op_type == "depthwise_conv2d"
    assert nn.Conv2D(4, 4, 3)._op_type == "conv2d"


def test_norms_tell_what_they_normalize() -> None:
    assert widths.norm_groups(nn.GroupNorm(2, 4)) == (2, 4)
    norm = nn.LayerNorm([4, 2])
    widths.set_norm_width(norm, 3)
    assert widths.norm_shape(norm) == [3, 2]


def test_batch_norms_take_the_statistics_of_a_batch() -> None:
    norm = nn.BatchNorm1D(1)
    with layers.batch_statistics([norm]):
        norm(paddle.to_tensor([[3.0], [5.0]]))
    assert norm._mean.item() == pytest.approx(4.0)
    assert norm._momentum == 0.9


@pytest.mark.filterwarnings("ignore:The program will return to single-card operation")
def test_buffers_and_what_is_wrapped() -> None:
    layer = nn.Linear(2, 2)
    layer.register_buffer("kept", paddle.ones([1]))
    layer.register_buffer("passing", paddle.ones([1]), persistable=False)
    assert set(layers.buffers(layer)) == {"kept", "passing"}
    assert layers.unsaved_buffers(layer) == {"passing"}
    assert layers.wrapped(paddle.DataParallel(layer)) is layer


def test_tensors_share_and_change_their_numbers() -> None:
    tensor = paddle.ones([2])
    assert tensors.has_numbers(tensor)
    tensors.storage(tensor).set(np.zeros((3, 1), np.float32), paddle.CPUPlace())
    assert tensor.shape == [3, 1]
    held = tensors.storage(tensor)
    paddle.enable_static()  # where a tensor doesn't tell its storage
    try:
        variable = paddle.static.Scope().var("x")
        tensors.share(variable, held)
    finally:
        paddle.disable_static()
    assert variable.get_tensor()._ptr() == tensor.data_ptr()


def test_an_optimizer_has_its_accumulators_before_a_step() -> None:
    layer = nn.Linear(2, 2)
    optimizer = paddle.optimizer.Momentum(parameters=layer.parameters())
    tensors.create_accumulators(optimizer, layer.parameters())
    (found,) = tensors.accumulators(optimizer).values()
    assert set(found) == {parameter.name for parameter in layer.parameters()}


def test_a_program_can_be_read_and_cloned() -> None:
    captured = capture(nn.Linear(2, 2), [(1, 2)])
    operation, value = captured.ops[-1], captured.outputs[0]
    assert isinstance(value, programs.Value)
    assert [name for name in _OPERATION if not hasattr(operation, name)] == []
    assert [name for name in _VALUE if not hasattr(value, name)] == []
    mapping, program = programs.new_mapping(), paddle.static.Program()
    paddle.enable_static()
    try:
        with paddle.static.program_guard(program):
            for each in captured.ops:
                programs.clone(each, mapping)
        assert mapping.look_up(value).shape == value.shape
    finally:
        paddle.disable_static()


def test_names_for_debugging_are_left_out_for_a_while() -> None:
    naming = paddle_layers.name_struct
    with programs.without_debug_names():
        assert paddle_layers.name_struct is not naming
    assert paddle_layers.name_struct is naming


def test_the_innermost_frames_alone_are_noted_with_an_operation() -> None:
    def traced() -> list[str]:
        layer = paddle.jit.to_static(nn.ReLU(), input_spec=[paddle.static.InputSpec([1, 2])], full_graph=True)
        (relu,) = (op for op in layer.forward.main_program.global_block().ops if op.name() == "pd_op.relu")
        return list(relu.attrs()["op_callstack"])

    whole = traced()
    with programs.short_stacks(3):
        short = traced()
    assert 0 < len(short) < len(whole)
    assert short[-2:] == whole[-2:]
    assert not hasattr(sys, "tracebacklimit")


def test_operations_can_be_replaced() -> None:
    plain = programs.OPERATIONS.leaky_relu
    with rewritten():
        assert programs.OPERATIONS.leaky_relu is not plain
    assert programs.OPERATIONS.leaky_relu is plain


def test_the_old_ir_can_be_written() -> None:
    old_ir.name_mode_guard()
    assert paddle.base.dygraph.base._to_static_mode_guard_ is not None
    with old_ir.tracing():
        paddle.enable_static()
        program = paddle.static.Program()
        with paddle.static.program_guard(program):
            paddle.nn.functional.sigmoid(paddle.static.data("x", [2], "float32"))
        assert program.global_block().ops[-1].type == "sigmoid"
    assert paddle.in_dynamic_mode()


def test_messages_of_paddle_s_format_are_read() -> None:
    assert protos.tensor_of(b"\x08\x05\x10\x03\x10\x04") == (5, (3, 4))
    assert protos.weights_of(protos.program_of(b"")) == {}
    for read in (protos.tensor_of, protos.program_of):
        with pytest.raises(ValueError, match="its description is damaged"):
            read(b"\xff")


def test_processes_have_a_store_in_common() -> None:
    assert callable(paddle.base.core.create_or_get_global_tcp_store)
    assert all(callable(getattr(paddle.base.core.TCPStore, name)) for name in ("add", "set", "get"))


def test_this_paddle_has_onednn_or_not() -> None:
    assert build.has_onednn() in (True, False)


_HOME = Path(paddle_private.__file__).parent
_CORE = Path(paddleprune.__file__).parent
_PLUGINS = _CORE.parents[1] / "plugins"
_INSIDE = re.compile(r"paddle\.(base|pir|pir_utils|nn\.layer|_[A-Za-z]\w*)\b")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _taken(tree: ast.AST) -> Iterator[str]:
    """Private attributes of other objects, private words, and modules from Paddle's inside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield _dotted(node)
            if node.attr.startswith("_") and _dotted(node.value) not in ("self", "cls"):
                yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _private(path: Path) -> set[str]:
    return {name for name in _taken(ast.parse(path.read_text())) if name.startswith("_") and name[1:2].isalpha()}


def test_nobody_else_knows_these_names() -> None:
    ours = set().union(*(_private(path) for path in _HOME.glob("*.py")))
    assert {"_groups", "_padding", "_accumulators", "_share_data_with"} <= ours
    for path in [*_CORE.rglob("*.py"), *_PLUGINS.rglob("*.py")]:
        if path.parent != _HOME:
            taken = set(_taken(ast.parse(path.read_text())))
            wrong = {name for name in taken if name in ours or _INSIDE.match(name)}
            assert not wrong, f"{path} knows {', '.join(sorted(wrong))}; paddle_private is the place for it"
