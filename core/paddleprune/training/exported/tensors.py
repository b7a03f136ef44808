"""The weights of an exported model, `.pdiparams`: Paddle's tensors, one behind the other, without their names.

Each is: version (4 bytes), number of levels of detail (8), each with its size (8) and content; version (4), size (4)
and content of a `TensorDesc`, which says type and shape; the numbers. All are little-endian. They come in the order
of their sorted names (`save_combine`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from paddleprune.interfaces import Array
from paddleprune.paddle_private.protos import tensor_of

_TYPES = {
    **{0: "bool", 1: "int16", 2: "int32", 3: "int64", 4: "float16", 5: "float32", 6: "float64"},
    **{20: "uint8", 21: "int8"},
}
_BFLOAT16 = 22
_MOST_AXES = 8


def read_tensors(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The arrays of a file, by name; bfloat16, which NumPy lacks, becomes float32 without loss.

    Args:
        content: of the file.
        shapes: name -> shape, as the program has them.

    Raises:
        ValueError: it is truncated or damaged, or belongs to another program; the message is one line.
    """
    rest, found = _Rest(content), dict[str, Array]()
    for name in sorted(shapes):
        try:
            array = _tensor(rest)
        except ValueError as error:
            raise ValueError(f"{name[:60]!r}, number {len(found) + 1} of {len(shapes)}: {error}") from error
        if array.shape != shapes[name]:
            raise ValueError(
                f"{name[:60]!r} is {list(array.shape)}, and {list(shapes[name])} in the program: not of one model"
            )
        found[name] = array
    if rest.size:
        raise ValueError(f"{rest.size:,} bytes are left behind the {len(shapes)} weights of the program")
    return found


def _tensor(rest: _Rest) -> Array:
    rest.version()
    for _ in range(rest.number(8)):
        rest.take(rest.number(8))
    rest.version()
    kind, shape = tensor_of(rest.take(rest.number(4)))
    if min(shape, default=0) < 0 or len(shape) > _MOST_AXES:
        raise ValueError(f"it is damaged: no tensor is {str(list(shape))[:60]}")
    if kind == _BFLOAT16:
        half = np.frombuffer(rest.take(2 * math.prod(shape)), "<u2")
        return (half.astype("<u4") << 16).view("<f4").reshape(shape)
    if kind not in _TYPES:
        raise ValueError(f"it has numbers of the type {kind}, which aren't read")
    dtype = np.dtype(_TYPES[kind]).newbyteorder("<")
    return np.frombuffer(rest.take(dtype.itemsize * math.prod(shape)), dtype).reshape(shape)


class _Rest:
    """What is left of a file."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    @property
    def size(self) -> int:
        return len(self._content) - self._at

    def take(self, size: int) -> bytes:
        if size > self.size:
            raise ValueError(f"the file is truncated: {size:,} bytes are wanted, and {self.size:,} are left")
        self._at += size
        return self._content[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def version(self) -> None:
        found = self.number(4)
        if found:
            raise ValueError(f"it is damaged, or of a version that isn't known: {found}")
