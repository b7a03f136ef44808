"""The program of an exported model, read as plain data: what its weights are called, and what each is used for."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddleprune.errors import CheckpointError
from paddleprune.files import parse_json, read_bytes
from paddleprune.paddle_private import protos
from paddleprune.training.exported.uses import Operation, uses

_PARAMETER = "p"
"""What PIR's JSON calls the operation that declares a weight."""


@dataclass(frozen=True)
class Program:
    """What a program says of its weights.

    Attributes:
        shapes: name -> shape.
        kinds: name -> what it is used for, in the order of use; without those that nothing uses.
    """

    shapes: dict[str, tuple[int, ...]]
    kinds: dict[str, str]


def read_program(path: Path) -> Program:
    """Read `inference.json` (PIR) or `inference.pdmodel` (the old IR).

    Raises:
        CheckpointError: it can't be read, or isn't a program of Paddle's.
    """
    content = read_bytes(path, CheckpointError)
    try:
        return _old(content) if path.suffix == ".pdmodel" else _pir(parse_json(content))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        said = f"{error}" if type(error) is ValueError else "it has another form"
        raise CheckpointError(
            f"{path} is not a readable program of Paddle's ({said}); export the model again"
        ) from error


def _pir(read: Any) -> Program:
    raws = list(_operations(read["program"]))
    declared = [raw for raw in raws if raw["#"] == _PARAMETER]
    names = {raw["O"]["%"]: str(raw["A"][-1]) for raw in declared}
    shapes = {names[raw["O"]["%"]]: tuple(map(int, raw["O"]["TT"]["D"][1])) for raw in declared}
    weights: dict[Hashable, tuple[str, int]] = {value: (name, len(shapes[name])) for value, name in names.items()}
    operations = (
        Operation(
            raw["#"].rpartition(".")[2],
            [("", value["%"]) for value in raw.get("I", ())],
            [value["%"] for value in raw["O"]],
        )
        for raw in raws
        if raw["#"] != _PARAMETER
    )
    return Program(shapes, uses(operations, weights))


def _operations(read: Any) -> Iterator[Any]:
    """All operations, those of inner blocks behind the one that has them."""
    for region in read.get("regions", ()):
        for block in region["blocks"]:
            for raw in block["ops"]:
                yield raw
                yield from _operations(raw)


def _old(content: bytes) -> Program:
    program = protos.program_of(content)
    shapes = protos.weights_of(program)
    operations = (
        Operation(
            raw.type,
            [(given.parameter, value) for given in raw.inputs for value in given.arguments],
            [value for given in raw.outputs for value in given.arguments],
        )
        for block in program.blocks
        for raw in block.ops
    )
    return Program(shapes, uses(operations, {name: (name, len(shape)) for name, shape in shapes.items()}))
