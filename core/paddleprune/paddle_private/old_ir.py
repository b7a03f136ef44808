"""The old IR, which PaddleSlim reads."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import paddle


def guard() -> AbstractContextManager[None]:
    """While open, networks are traced into the old IR."""
    found: AbstractContextManager[None] = paddle.pir_utils.OldIrGuard()
    return found


def name_mode_guard() -> None:
    """Give the guard of Paddle's modes the name, too, that it had before Paddle 3."""
    base = import_module("paddle.base.dygraph.base")
    if not hasattr(base, "_to_static_mode_guard_"):
        vars(base)["_to_static_mode_guard_"] = base.to_static_mode_guard


def append(kind: str, inputs: Mapping[str, Any], attributes: Mapping[str, Any] | None = None) -> Any:
    """Append an operation to the old IR's program; its result."""
    helper = paddle.base.layer_helper.LayerHelper(kind)
    out = helper.create_variable_for_type_inference(next(iter(inputs.values())).dtype)
    helper.append_op(type=kind, inputs=dict(inputs), outputs={"Out": out}, attrs=dict(attributes or {}))
    return out


def places_of_functions() -> tuple[Any, ...]:
    """The modules and classes in which Paddle's own code looks for tensor functions."""
    functional, tensor = paddle.nn.functional, paddle.tensor
    variable = paddle.static.Variable
    return (paddle._C_ops, variable, tensor.math, tensor.linalg, functional.activation, functional.common)
