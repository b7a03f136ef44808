"""Reading the pickled sensitivities of PaddleX and PaddleSlim without trusting them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from paddleprune.errors import TableError
from paddleprune.files import read_bytes
from paddleprune.unpickled import Made, Name, Numbers, RefusedError, followed

Losses = dict[str, dict[float, float]]
"""Parameter -> ratio -> metric loss."""
_LARGEST = 1_000_000
_HIGHEST = 10**9
_MOST_LOSSES = 100_000
_LONGEST_NAME = 500
_STATUS = Name()


class _Status:
    """PaddleSlim's holder of sensitivities."""

    def __init__(self) -> None:
        self.fields: dict[str, Made] = {}


class _Sensitivities(Numbers):
    """Numbers, and PaddleSlim's `Status`."""

    names: ClassVar[Mapping[tuple[Made, ...], Made]] = {
        **Numbers.names,
        ("paddleslim.dygraph.prune.filter_pruner", "Status"): _STATUS,
    }

    def called(self, name: Made, arguments: Made) -> Made:
        return _Status() if name is _STATUS and arguments == () else super().called(name, arguments)

    def built(self, thing: Made, state: Made) -> Made:
        if not isinstance(thing, _Status) or not isinstance(state, dict):
            return super().built(thing, state)
        thing.fields = state
        return thing


def read_losses(path: Path) -> Losses:
    """The losses in a file that PaddleX 1.3 or PaddleSlim pickled; nothing that the file names is run.

    Args:
        path: the file, of 1 MB at most: `{parameter: {ratio: loss}}`, or PaddleSlim's `Status` around it.

    Raises:
        TableError: it can't be read, asks for anything but dicts, numbers and strings, or holds no sensitivities.
    """
    content = read_bytes(path, TableError, most=_LARGEST)
    try:
        found = followed(content, _Sensitivities())
    except RefusedError as error:
        raise TableError(f"{path} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises whatever it meets
        said = " ".join(str(error).split())[:100] or type(error).__name__
        raise TableError(f"{path} is not a readable pickle ({said})") from error
    return _losses(found.fields.get("sensitivies") if isinstance(found, _Status) else found, path)  # their spelling


def _losses(found: Made, path: Path) -> Losses:
    """What was read, as names, ratios and losses.

    Raises:
        TableError: it is something else.
    """
    if not isinstance(found, dict) or not found:
        raise TableError(f"{path} holds no sensitivities: a dict of parameters was expected")
    losses: Losses = {}
    left = _MOST_LOSSES
    for name, points in found.items():
        if not isinstance(name, str) or not isinstance(points, dict):
            raise TableError(f"{path} holds no sensitivities: {repr(name)[:60]} has no dict of ratios")
        left -= len(points)
        if len(name) > _LONGEST_NAME or left < 0:
            raise TableError(
                f"{path} holds no sensitivities: names have {_LONGEST_NAME} characters at most, and there are at "
                f"most {_MOST_LOSSES:,} losses"
            )
        losses[name] = dict(sorted(_point(ratio, loss, f"{path}: {name[:60]!r}") for ratio, loss in points.items()))
    return losses


def _point(ratio: Any, loss: Any, place: str) -> tuple[float, float]:
    for value in (ratio, loss):
        if not isinstance(value, float) and not (type(value) is int and abs(value) <= _HIGHEST):
            raise TableError(f"{place} has a {type(value).__name__} where a ratio or a loss was expected")
    if not 0 < ratio < 1 or not math.isfinite(loss) or not 0 < round(float(ratio), 6) < 1:
        raise TableError(f"{place} has the loss {loss:g} at ratio {ratio:g}; ratios lie between 0 and 1")
    return round(float(ratio), 6), float(loss)
