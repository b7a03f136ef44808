"""Paddle's programs: PIR, which it traces into, the names that it gives what it traces, and its built-in operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import paddle
from paddle import _C_ops
from paddle.base.libpaddle import pir
from paddle.nn.layer import layers as paddle_layers

Value = paddle.pir.Value
"""What stands for a tensor while a layer is traced."""
OPERATIONS = _C_ops
"""The operations that Paddle's functions call; what is set here is traced in their place."""


def new_mapping() -> Any:
    """From the values of one program to those of another: `add`, `look_up`."""
    return pir.IrMapping()


def clone(operation: Any, mapping: Any) -> None:
    """Append an operation to the program that is being written, with its regions, operands and results."""
    operation.clone(mapping, pir.CloneOptions(True, True, True))


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
