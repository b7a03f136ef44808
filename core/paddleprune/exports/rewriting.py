"""Operations that a runtime gets wrong, written with others while a network is traced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import paddle
from paddle.nn import functional

from paddleprune.paddle_private.programs import OPERATIONS

Operation = Callable[..., Any]


@contextmanager
def rewriting(rewrites: Mapping[str, Operation]) -> Iterator[None]:
    """While open, whatever is traced has other operations instead of some.

    Args:
        rewrites: name of one of Paddle's operations -> a function of the operation and its arguments, in its place.
    """
    kept = {name: getattr(OPERATIONS, name) for name in rewrites}
    for name, rewrite in rewrites.items():
        setattr(OPERATIONS, name, partial(rewrite, kept[name]))
    try:
        yield
    finally:
        for name, operation in kept.items():
            setattr(OPERATIONS, name, operation)


def leaky_relu(_: Operation, x: Any, slope: float) -> Any:
    """Its slope would become another one, in ONNX and in oneDNN."""
    if 0 <= slope <= 1:
        return paddle.maximum(x, x * slope)
    return functional.relu(x) - functional.relu(-x) * slope
