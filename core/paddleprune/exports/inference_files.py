"""A layer to the files that Paddle Inference runs."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import paddle
from paddle import nn

from paddleprune.errors import GraphError, SaveError
from paddleprune.files import saving
from paddleprune.graph.modes import in_mode

_PROBE = 1 << 16
_HERE = "<--- HERE"
"""Stands in Paddle's messages behind the line that can't be traced."""
_WEIGHTS, _ABOUT = ".pdiparams", ".info"
"""Suffixes of the weights, and of what nobody reads."""


Shape: TypeAlias = "tuple[int | None, ...]"
"""Of an input, without the batch axis; None is any size."""


def export_model(
    layer: nn.Layer,
    shapes: Sequence[Shape],
    path: Path,
    *,
    batch: int | None = None,
    names: Sequence[str] | None = None,
    dtypes: Sequence[str] = (),
) -> list[Path]:
    """Write a layer as it is in evaluation mode for Paddle Inference; the layer is left as it was.

    Args:
        layer: any layer that can be traced.
        shapes: shape of each input, without the batch axis; None is any size.
        path: without suffix; the files are `PATH.json` (the program; `PATH.pdmodel` while the old IR is on) and
            `PATH.pdiparams` (the weights).
        batch: images a run; by default any number.
        names: of the inputs; by default those of `input_names`.
        dtypes: of the inputs; by default float32.

    Returns:
        The files.

    Raises:
        GraphError: the layer can't be traced.
        SaveError: the disk is full, or the place can't be written.
    """
    specs = [
        paddle.static.InputSpec([batch, *shape], dtype, name)
        for name, shape, dtype in zip(
            names or input_names(len(shapes)), shapes, dtypes or ["float32"] * len(shapes), strict=True
        )
    ]
    with saving(path), in_mode(layer, train=False), _traced(layer, specs) as traced:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            _save(traced, Path(folder) / path.name, path)
            made = sorted(Path(folder).iterdir(), key=lambda file: file.suffix != _WEIGHTS)
            files = [path.parent / file.name for file in made if file.suffix != _ABOUT]
            for file in files:  # the weights before the program that needs them
                (Path(folder) / file.name).replace(file)
    return sorted(files)


def input_names(count: int) -> list[str]:
    """What the inputs of a file are called: `input_0`, `input_1`, …"""
    return [f"input_{i}" for i in range(count)]


@contextmanager
def _traced(layer: nn.Layer, specs: Sequence[Any]) -> Iterator[Any]:
    """Paddle's traced layer; afterwards the layer runs its own forward again."""
    had_forward = "forward" in vars(layer)
    traced = paddle.jit.to_static(layer, input_spec=specs, full_graph=True)
    static = traced.forward
    try:
        try:
            static.concrete_program  # noqa: B018 (traces)
        except Exception as error:
            shapes = [tuple(None if size == -1 else size for size in spec.shape[1:]) for spec in specs]
            raise GraphError(
                f"cannot export {type(layer).__name__} for inputs of {shapes}: {_untraceable(error)}"
            ) from error
        yield traced
    finally:
        static.rollback()
        if not had_forward:
            vars(layer).pop("forward", None)


def _save(traced: Any, prefix: Path, path: Path) -> None:
    try:
        paddle.jit.save(traced, str(prefix))
    except OSError:
        raise
    except Exception as error:
        raise SaveError(f"cannot save {path}: {_last_line(error)}; what was there before is untouched") from error
    for file in prefix.parent.iterdir():
        _prove_written(file)


def _prove_written(file: Path) -> None:
    """Write a little more and take it back: that fails where the disk was full, which Paddle doesn't notice."""
    with file.open("r+b") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.write(bytes(_PROBE))
        handle.flush()
        handle.truncate(size)
        os.fsync(handle.fileno())


def _untraceable(error: Exception) -> str:
    """Why a trace failed, and at which line: Paddle says it in the middle of its advice."""
    before, here, after = str(error).rpartition(_HERE)
    places = re.findall(r'File "([^"]+)", line (\d+)', before)
    said = re.search(r"^\s*\w+(?:Error|Exception): (.+?)(?:\. .*)?$", after, re.MULTILINE)
    if not here or not places or said is None:
        return _last_line(error)
    file, line = places[-1]
    return f"{said[1]} ({Path(file).name}, line {line})"


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
