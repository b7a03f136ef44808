"""Paddle's programs: PIR, which it traces into, the names that it gives what it traces, and its built-in operations."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import paddle
from paddle import _C_ops
from paddle.base.libpaddle import pir
from paddle.nn.layer import layers as paddle_layers

try:
    from paddle.jit.dy2static import parameter_recorder
except ImportError:  # before Paddle 3.3
    from paddle.jit.pir_dy2static import parameter_recorder

Value = paddle.pir.Value
"""What stands for a tensor while a layer is traced."""
OPERATIONS = _C_ops
"""The operations that Paddle's functions call; what is set here is traced in their place."""


def became(value: Any) -> Any:
    """What became of a value while a layer is traced, since a part of it was written; itself, if nothing was."""
    if not isinstance(value, Value):
        return value
    found = parameter_recorder._global_inplace_map.get(paddle.static.default_main_program(), value)
    return value if found is None else found


_MAKES_ANEW = frozenset(f"pd_op.{name}_" for name in ("batch_norm", "sync_batch_norm", "assign_out", "share_data"))
"""Operations whose name says that they change their first operand, and that don't."""


@contextmanager
def short_stacks(frames: int) -> Iterator[None]:
    """Let Paddle note so many frames, the innermost ones, with each operation that it builds.

    It notes the whole Python stack, by `traceback.extract_stack`: that takes longer than all else it does.
    """
    before = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = frames
    try:
        yield
    finally:
        if before is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = before


def new_mapping() -> Any:
    """From the values of one program to those of another: `add`, `look_up`."""
    return pir.IrMapping()


def clone(operation: Any, mapping: Any) -> None:
    """Append an operation to the program that is being written, with its regions, operands and results."""
    operation.clone(mapping, pir.CloneOptions(True, True, True))


def follow_in_place(operations: Sequence[Any], outputs: Sequence[Any]) -> list[Any]:
    """Let a program say what becomes of values that it changes in place: what reads them later reads what they became.

    Args:
        operations: of a traced program, in order, changed in place.
        outputs: the values that it returns.

    Returns:
        What these became.
    """
    became: dict[Any, Any] = {}
    for operation in operations:
        for operand in operation.operands():
            source = operand.source()
            if source.initialized() and source.id in became:
                operand.set_source(became[source.id])
        if operation.name().endswith("_") and operation.name() not in _MAKES_ANEW:
            old, new = operation.operand_source(0), operation.result(0)
            for value in {old.id, *(known for known, now in became.items() if now.id == old.id)}:
                became[value] = new
    return [became.get(value.id, value) if value.initialized() else value for value in outputs]


@contextmanager
def finite_loops() -> Iterator[None]:
    """While open, a Python loop over a traced tensor ends: over one whose length only the data know, with an error.

    Paddle gives such a loop one part after the other for ever.
    """

    def each(value: Any) -> Iterator[Any]:
        if not value.shape or value.shape[0] < 0:
            raise TypeError("a loop over a tensor whose length depends on the data can't be traced")
        return (value[i] for i in range(value.shape[0]))

    Value.__iter__ = each
    try:
        yield
    finally:
        del Value.__iter__


def unread_tensors() -> list[Any]:
    """What the operations of the program that is being traced give, where no other one reads any of it."""
    ops = paddle.static.default_main_program().global_block().ops
    results = [[value for value in op.results() if value.initialized()] for op in ops if op.num_operands()]
    unread = [values for values in results if all(value.use_empty() for value in values)]
    return [value for values in unread for value in values if value.is_dense_tensor_type()]


@contextmanager
def without_debug_names() -> Iterator[None]:
    """Paddle names what each layer adds to a program, and counts all operations so far for it: quadratic."""
    module = vars(paddle_layers)
    naming = module.get("name_struct")
    if naming is not None:
        module["name_struct"] = lambda *args: nullcontext()
    try:
        yield
    finally:
        if naming is not None:
            module["name_struct"] = naming
