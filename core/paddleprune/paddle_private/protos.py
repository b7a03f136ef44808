"""Messages of Paddle's own format: what its generated code reads of bytes; nothing is run."""

from __future__ import annotations

from typing import Any

from paddle.base.proto import framework_pb2

_DENSE = framework_pb2.VarType.DESCRIPTOR.fields_by_number[3].name
"""What describes a tensor; before Paddle 3 it was called `lod_tensor`."""
_A_DENSE_TENSOR = 7


def program_of(content: bytes) -> Any:
    """A `ProgramDesc`, as a `.pdmodel` holds it.

    Raises:
        ValueError: it isn't one.
    """
    return _parsed(framework_pb2.ProgramDesc(), content)


def weights_of(program: Any) -> dict[str, tuple[int, ...]]:
    """The name and shape of each tensor that a program keeps."""
    kept = (
        var for block in program.blocks for var in block.vars if var.persistable and var.type.type == _A_DENSE_TENSOR
    )
    return {var.name: tuple(getattr(var.type, _DENSE).tensor.dims) for var in kept}


def tensor_of(content: bytes) -> tuple[int, tuple[int, ...]]:
    """A tensor's number of type and its shape, out of a `TensorDesc`.

    Raises:
        ValueError: it isn't one.
    """
    said = _parsed(framework_pb2.VarType.TensorDesc(), content)
    return said.data_type, tuple(said.dims)


def _parsed(message: Any, content: bytes) -> Any:
    try:
        message.ParseFromString(content)
    except Exception as error:  # the DecodeError of whichever protobuf is there
        raise ValueError("its description is damaged") from error
    return message
