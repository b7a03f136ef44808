"""Where tensors and optimizers keep their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import paddle
from paddle import Tensor


def storage(tensor: Tensor) -> Any:
    """What holds a tensor's numbers: `set` gives it others, of any shape."""
    return tensor.value().get_tensor()


def has_numbers(tensor: Tensor) -> bool:
    """Does a tensor lie anywhere yet?"""
    return bool(storage(tensor)._is_initialized())


def share(variable: Any, held: Any) -> None:
    """Let a variable of a scope have the numbers of a storage, without a copy.

    In static mode a tensor doesn't tell its storage: ask for it before.
    """
    variable.get_tensor()._share_data_with(held)


def accumulators(optimizer: Any) -> Mapping[str, Mapping[str, Tensor]]:
    """What an optimizer remembers: kind -> Paddle's name of a parameter -> tensor."""
    found: Mapping[str, Mapping[str, Tensor]] = optimizer._accumulators
    return found


def create_accumulators(optimizer: Any, parameters: Sequence[Tensor]) -> None:
    """Let an optimizer have them before its first step."""
    block = paddle.base.framework.default_main_program().global_block()
    optimizer._create_accumulators(block, list(parameters))
