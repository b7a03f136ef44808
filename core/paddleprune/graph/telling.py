"""Sizes that a forward writes, heard while it runs, and told otherwise once it is cut.

`x.reshape([n, count, 3, self.num_heads, width // self.num_heads])` computes a width that only holds in the dense
network, and so does `x[:, :self.touched]`. A layer that is told its sizes becomes one of a class of its own, whose
methods are the same source with each size going through the functions below, which put the told ones in. So do
functions outside of layers that such methods call. Nothing else of the layer or its class changes.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from numbers import Integral
from types import FunctionType
from typing import Any, TypeAlias

from paddle import Tensor, nn

from paddleprune.graph.scripts import SIZES, Calls, spoken
from paddleprune.paddle_private.programs import Value

Heard: TypeAlias = Callable[[nn.Layer, str, list[Any], list[Any], Any], None]
"""Hears of a call: the layer, which call it is, the sizes that the forward says, those that are taken, the result.

Of a slice the sizes are where it starts and where it ends along each axis, from the front; None for what stays open.
Instead of the result there are what is sliced, and the part if it is read.
"""

_TOLD, _TELLS = "_told_sizes", "__paddleprune_tells__"
_listening = threading.local()


def size_name(call: str, entry: int) -> str:
    """What a plan calls a size: `forward[0][4]` is the fifth size of the first call in `forward`."""
    return f"{call}[{entry}]"


def is_size(name: str) -> bool:
    """Is it the name of a size in a forward, and not of an attribute?"""
    return name.endswith("]")


def is_slice(call: str) -> bool:
    """Is it a slice, and not a call?"""
    return call.rpartition("[")[0].endswith(".slice")


def call_of(name: str) -> str:
    """The call that a size belongs to."""
    return name.rpartition("[")[0]


def tell(layer: nn.Layer, name: str, size: int) -> None:
    """From now on a forward takes a size for the one that it writes."""
    script = _script(_plain(type(layer)))
    if script is not None:
        object.__setattr__(layer, "__class__", script.kind)
        vars(layer)[_TOLD] = {**told(layer), name: size}


def told(layer: nn.Layer) -> Mapping[str, int]:
    """The sizes that a layer has been told."""
    return dict(vars(layer).get(_TOLD, {}))


def tell_only(layer: nn.Layer, sizes: Mapping[str, int]) -> None:
    """Make a layer what it was when it had been told these sizes, or none."""
    vars(layer).pop(_TOLD, None)
    object.__setattr__(layer, "__class__", _plain(type(layer)))
    for name, size in sizes.items():
        tell(layer, name, size)


@contextmanager
def hearing(layer: nn.Layer, heard: Heard) -> Iterator[None]:
    """While open and in this thread, hear the sizes that a layer and its sublayers write."""
    quiet = [(sub, type(sub)) for sub in layer.sublayers(include_self=True)]
    before = getattr(_listening, "heard", None)
    _listening.heard = heard
    try:
        for sub, kind in quiet:
            script = None if "forward" in vars(sub) else _script(_plain(kind))
            if script is not None:
                object.__setattr__(sub, "__class__", script.kind)
        yield
    finally:
        _listening.heard = before
        for sub, kind in quiet:
            object.__setattr__(sub, "__class__", kind)


def calls_of(layer: nn.Layer) -> Calls:
    """The calls and slices in a layer's methods that write sizes, as far as their source tells.

    Returns:
        Call -> its sizes, where they are written as a list: the attribute that a size is, if the method reads that
        for nothing else; None for anything else.
    """
    script = _script(_plain(type(layer)))
    return {} if script is None else script.calls


@dataclass(frozen=True)
class _Script:
    """A class whose methods pass their sizes on, and where these do."""

    kind: type
    calls: Calls


@dataclass(frozen=True)
class _Place:
    """Where a helper is called: the layer, and what the names of its calls begin with."""

    layer: nn.Layer
    name: str


def _plain(kind: type) -> type:
    """The class itself, of one that is told sizes."""
    return kind.__mro__[1] if _TELLS in vars(kind) else kind


@cache
def _script(kind: type) -> _Script | None:
    """What a class becomes when it is told sizes; None if it writes none, or its source isn't to be had."""
    members = {name: inspect.getattr_static(kind, name) for name in dir(kind) if name != "__init__"}
    found = {name: spoken(each, _SPEAKERS) for name, each in members.items() if isinstance(each, FunctionType)}
    made = {name: each for name, each in found.items() if each is not None and each.function.__name__ == name}
    if not made:
        return None
    own: dict[str, Any] = {name: each.function for name, each in made.items()} | {_TELLS: True}
    own |= {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    calls = {place: sizes for each in made.values() for place, sizes in each.calls.items()}
    return _Script(type(kind.__name__, (kind,), own), calls)


def _say(owner: nn.Layer | _Place, place: str, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """Call what takes a list of sizes with the told ones; whoever listens hears of it."""
    key: Any = next((name for name in SIZES if name in more), None)
    if key is None:
        key = int(bool(args) and isinstance(args[0], (Tensor, Value)))
    given = more.get(key) if isinstance(key, str) else args[key] if key < len(args) else None
    if not isinstance(given, (list, tuple)):
        return function(*args, **more)
    layer, call = _placed(owner, place)
    known = vars(layer).get(_TOLD, {})
    sizes = [known.get(size_name(call, entry), size) for entry, size in enumerate(given)]
    if known and isinstance(key, str):
        more = {**more, key: sizes}
    elif known:
        args = (*args[:key], sizes, *args[key + 1 :])
    result = function(*args, **more)
    _report(layer, call, given, sizes, result)
    return result


def _item(owner: nn.Layer | _Place, place: str, x: Any, key: Any) -> Any:
    """Read a slice, with the told bounds."""
    told, report = _bounded(owner, place, x, key)
    result = x[told]
    report([x, result])
    return result


def _key(owner: nn.Layer | _Place, place: str, x: Any, key: Any) -> Any:
    """What stands in the brackets of a slice that is written, with the told bounds."""
    told, report = _bounded(owner, place, x, key)
    report([x])
    return told


def _bounded(owner: nn.Layer | _Place, place: str, x: Any, key: Any) -> tuple[Any, Callable[[list[Any]], None]]:
    """What stands in the brackets of a slice, with the told bounds; and what tells them to whoever listens."""
    axes = _axes_of(key, len(x.shape)) if isinstance(x, (Tensor, Value)) else None
    if axes is None:
        return key, lambda values: None
    layer, call = _placed(owner, place)
    given: list[int | None] = [None] * (2 * len(x.shape))
    for part, axis in zip(key, axes, strict=True):
        if axis is not None:
            given[2 * axis : 2 * axis + 2] = _ends(part, x.shape[axis])
    known = vars(layer).get(_TOLD, {})
    sizes = [known.get(size_name(call, entry), size) for entry, size in enumerate(given)]
    told = tuple(
        part if axis is None or _pair(given, axis) == _pair(sizes, axis) else slice(*_pair(sizes, axis))
        for part, axis in zip(key, axes, strict=True)
    )
    return told, partial(_report, layer, call, given, sizes)


def _through(owner: nn.Layer | _Place, place: str, function: Any) -> Any:
    """A helper that knows where it is called."""
    made = spoken(function, _SPEAKERS, helper=True) if isinstance(function, FunctionType) else None
    return function if made is None else partial(made.function, _Place(*_placed(owner, place)))


_SPEAKERS = (_say, _item, _key, _through)


def _axes_of(key: Any, rank: int) -> list[int | None] | None:
    """For each entry in the brackets of a slice the axis that it is about; None if it picks positions otherwise."""
    if not isinstance(key, tuple):
        return None
    if not all(map(_is_known, key)) or key.count(...) > 1:
        return None
    rest = rank - sum(part is not None and part is not ... for part in key)
    found: list[int | None] = []
    axis = 0
    for part in key:
        found.append(None if part is None or part is ... else axis)
        axis += rest if part is ... else part is not None
    return found if rest >= 0 else None


def _is_known(part: Any) -> bool:
    """Is an entry in brackets a slice by whole numbers, or a whole number? A tensor picks positions, or says where."""
    if isinstance(part, slice):
        return all(end is None or isinstance(end, Integral) for end in (part.start, part.stop, part.step))
    return part is None or part is ... or (isinstance(part, Integral) and not isinstance(part, bool))


def _ends(part: Any, size: int) -> tuple[int | None, int | None]:
    """Where a slice of steps of 1 starts and ends, from the front; None for what stays open, or isn't known."""
    if not isinstance(part, slice) or part.step is not None or size < 0:
        return None, None
    first, last, _ = part.indices(size)
    return None if part.start is None else first, None if part.stop is None else last


def _pair(sizes: Sequence[int | None], axis: int) -> tuple[int | None, int | None]:
    """Where a slice starts and ends along an axis, of the sizes that are heard of it."""
    return sizes[2 * axis], sizes[2 * axis + 1]


def _placed(owner: nn.Layer | _Place, place: str) -> tuple[nn.Layer, str]:
    return (owner.layer, owner.name + place) if isinstance(owner, _Place) else (owner, place)


def _report(layer: nn.Layer, call: str, given: Sequence[Any], taken: Sequence[Any], about: Any) -> None:
    heard: Heard | None = getattr(_listening, "heard", None)
    if heard is not None:
        heard(layer, call, list(given), list(taken), about)
