"""A layer's Python state: what its forward and its hooks fill, noted before a run and put back after it."""

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from paddle import nn

from paddleprune.graph.tensors import named_tensors, overwrite

_CONTAINERS = (list, dict, set, deque)
_PLAIN = (str, bytes, int, float, complex, bool, type(None), types.ModuleType, np.ndarray, np.generic)


@contextmanager
def undisturbed(layer: nn.Layer) -> Iterator[None]:
    """While open, the layer may run; afterwards its Python state is what it was.

    That is its attributes and those of its sublayers, and the lists, dicts, sets and closures that they, their
    methods and their hooks reach; objects that aren't layers are followed one step.
    """
    held = _Held(layer)
    try:
        yield
    finally:
        held.restore()


@contextmanager
def unchanged_buffers(layer: nn.Layer) -> Iterator[None]:
    """While open, the layer may run; afterwards the contents of its buffers are what they were."""
    parameters = {id(tensor) for tensor in layer.parameters() if not tensor.stop_gradient}
    buffers = [tensor for tensor in named_tensors(layer).values() if id(tensor) not in parameters]
    before = [tensor.numpy() for tensor in buffers]
    try:
        yield
    finally:
        for tensor, array in zip(buffers, before, strict=True):
            now = tensor.numpy()
            if now.shape != array.shape or now.tobytes() != array.tobytes():
                overwrite(tensor, array)


class _Held:
    """Everything mutable that a layer's Python reaches, with what it held."""

    def __init__(self, layer: nn.Layer) -> None:
        self._known: set[int] = set()
        self._containers: list[tuple[Any, Any]] = []
        self._cells: list[tuple[Any, Any]] = []
        self._waiting: list[tuple[Any, bool]] = [(layer, False)]
        while self._waiting:
            self._hold(*self._waiting.pop())

    def restore(self) -> None:
        """Put back what has changed."""
        for container, before in self._containers:
            if isinstance(container, dict):
                if list(map(id, container)) != list(map(id, before)) or any(
                    container[key] is not value for key, value in before.items()
                ):
                    container.clear()
                    container.update(before)
            elif list(map(id, container)) != list(map(id, before)):
                container.clear()
                container.update(before) if isinstance(container, set) else container.extend(before)
        for cell, value in self._cells:
            cell.cell_contents = value

    def _hold(self, thing: Any, inside: bool) -> None:
        """Note one thing; `inside` an object that is no layer, other objects aren't followed."""
        if isinstance(thing, _PLAIN) or id(thing) in self._known:
            return
        self._known.add(id(thing))
        if isinstance(thing, _CONTAINERS):
            self._note(thing, inside)
        elif isinstance(thing, (tuple, frozenset)):
            self._waiting.extend((part, inside) for part in thing)
        elif isinstance(thing, nn.Layer):
            self._note(vars(thing), False)
            self._hold_class(type(thing))
        elif isinstance(thing, types.FunctionType):
            self._hold_function(thing)
        elif isinstance(thing, types.MethodType):
            self._waiting.extend([(thing.__self__, False), (thing.__func__, False)])
        elif isinstance(thing, functools.partial):
            self._waiting.extend([(thing.func, inside), (thing.args, inside), (thing.keywords, inside)])
        elif not inside and not isinstance(thing, type) and type(thing).__module__.partition(".")[0] not in _FOREIGN:
            if isinstance(getattr(thing, "__dict__", None), dict):
                self._note(vars(thing), True)
            self._hold_class(type(thing))

    def _note(self, container: Any, inside: bool) -> None:
        self._known.add(id(container))
        self._containers.append((container, container.copy()))
        parts = container.values() if isinstance(container, dict) else container
        self._waiting.extend((part, inside) for part in parts if not isinstance(part, _PLAIN))

    def _hold_class(self, kind: type) -> None:
        """What methods reach, and what the class itself holds; not of Paddle's or Python's own classes."""
        for above in kind.__mro__:
            if id(above) not in self._known and above.__module__.partition(".")[0] not in _FOREIGN:
                self._known.add(id(above))
                parts = (*_CONTAINERS, types.FunctionType)
                self._waiting.extend((part, True) for part in vars(above).values() if isinstance(part, parts))

    def _hold_function(self, function: types.FunctionType) -> None:
        for cell in function.__closure__ or ():
            try:
                self._cells.append((cell, cell.cell_contents))
            except ValueError:  # not set yet
                continue
            self._waiting.append((cell.cell_contents, False))
        named = (function.__globals__.get(name) for name in function.__code__.co_names)
        self._waiting.extend((thing, True) for thing in named if isinstance(thing, _CONTAINERS))
        self._waiting.extend((thing, True) for thing in function.__defaults__ or ())


_FOREIGN = frozenset({"paddle", "numpy", "builtins", "collections", "functools", "threading", "logging", "pathlib"})
