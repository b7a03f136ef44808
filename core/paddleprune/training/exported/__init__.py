"""The weights of a model that Paddle exported: a program beside `.pdiparams`, as PaddleX's model folders have them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from paddleprune.errors import CheckpointError
from paddleprune.interfaces import Array
from paddleprune.training.exported.program import read_program
from paddleprune.training.exported.tensors import read_tensors
from paddleprune.training.exported.uses import uses_of as uses_of

SUFFIX = ".pdiparams"
_PROGRAMS = (".json", ".pdmodel")
_USUAL = "inference"


class Exported(NamedTuple):
    """What a file holds.

    Attributes:
        arrays: Paddle's name -> array, in the order in which the program uses them.
        kinds: Paddle's name -> what the program uses it for.
    """

    arrays: dict[str, Array]
    kinds: dict[str, str]


def weights_in(folder: Path) -> Path:
    """The file of weights of a folder that holds an exported model.

    Raises:
        CheckpointError: there is none, or there are several and none is called as usual.
    """
    found = sorted(folder.glob(f"*{SUFFIX}"))
    usual = folder / f"{_USUAL}{SUFFIX}"
    if usual not in found and len(found) != 1:
        held = f"several: {', '.join(file.name for file in found)}; give one" if found else f"no *{SUFFIX}"
        raise CheckpointError(f"{folder} is a folder, and of an exported model's weights it holds {held}")
    return usual if usual in found else found[0]


def read_exported(content: bytes, path: Path) -> Exported:
    """Read a `.pdiparams` file by the program beside it (`.json`, or `.pdmodel` of the old IR); nothing is run.

    Args:
        content: of the file.
        path: of the file.

    Raises:
        CheckpointError: the program is missing or can't be read, or the file is truncated, damaged, or not of it.
    """
    program = next((file for file in map(path.with_suffix, _PROGRAMS) if file.exists()), None)
    if program is None:
        beside = " or ".join(path.with_suffix(suffix).name for suffix in _PROGRAMS)
        raise CheckpointError(
            f"{path} has no names of weights: put the program that it was exported with, {beside}, beside it"
        )
    said = read_program(program)
    try:
        arrays = read_tensors(content, said.shapes)
    except ValueError as error:
        raise CheckpointError(f"{path} can't be read by {program.name} ({error}); export the model again") from error
    order = [*said.kinds, *(name for name in arrays if name not in said.kinds)]
    return Exported({name: arrays[name] for name in order}, said.kinds)
