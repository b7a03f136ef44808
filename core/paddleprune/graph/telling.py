"""Sizes that a forward writes into `reshape` and `split`, heard while it runs, and told otherwise once it is cut.

`x.reshape([n, count, 3, self.num_heads, width // self.num_heads])` computes a width that only holds in the dense
network. A layer that is told its sizes becomes one of a class of its own, whose methods are the same source with each
such call going through `_say`, which puts the told sizes in. Nothing else of the layer or its class changes.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import CellType, CodeType, FunctionType
from typing import Any, TypeAlias

import paddle
from paddle import Tensor, nn

from paddleprune.paddle_private.programs import Value

Calls: TypeAlias = Mapping[str, tuple[str | None, ...]]
Heard: TypeAlias = Callable[[nn.Layer, str, list[Any], list[Any], Any], None]
"""Hears of a call: the layer, which call it is, the sizes that the forward says, those that are taken, the result."""

_CALLS = frozenset({"reshape", "reshape_", "split"})
_SIZES = ("shape", "num_or_sections")
_TOLD, _SAY = "_told_sizes", "__paddleprune_say__"
_NAME = re.compile(r"(\w+\[\d+\])\[\d+\]")
_listening = threading.local()


def size_name(call: str, entry: int) -> str:
    """What a plan calls a size: `forward[0][4]` is the fifth size of the first call in `forward`."""
    return f"{call}[{entry}]"


def is_size(name: str) -> bool:
    """Is it the name of a size in a forward, and not of an attribute?"""
    return _NAME.fullmatch(name) is not None


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
    """The calls of `reshape` and `split` in a layer's methods, as far as their source tells.

    Returns:
        Call -> its sizes, where they are written as a list: the attribute that a size is, if the method reads that
        for nothing else; None for anything else.
    """
    script = _script(_plain(type(layer)))
    return {} if script is None else script.calls


@dataclass(frozen=True)
class _Script:
    """A class whose calls go through `_say`, and what these are."""

    kind: type
    calls: Calls


def _plain(kind: type) -> type:
    """The class itself, of one that is told sizes."""
    return kind.__mro__[1] if _SAY in vars(kind) else kind


@cache
def _script(kind: type) -> _Script | None:
    """What a class becomes when it is told sizes; None if it writes none, or its source isn't to be had."""
    found = [(name, _spoken(inspect.getattr_static(kind, name))) for name in dir(kind)]
    spoken = {name: made for name, made in found if made is not None and made[0].__name__ == name}
    if not spoken:
        return None
    own: dict[str, Any] = {name: function for name, (function, _) in spoken.items()} | {_SAY: True}
    own |= {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    calls = {f"{name}[{i}]": sizes for name, (_, found) in spoken.items() for i, sizes in enumerate(found)}
    return _Script(type(kind.__name__, (kind,), own), calls)


def _spoken(method: Any) -> tuple[FunctionType, list[tuple[str | None, ...]]] | None:
    """A method whose calls go through `_say`, and the attributes that each one writes; None if there are none."""
    if not isinstance(method, FunctionType) or _CALLS.isdisjoint(method.__code__.co_names):
        return None
    if method.__module__.startswith("paddle.") and not method.__module__.startswith("paddle.vision.models"):
        return None
    try:
        (function,) = ast.parse(textwrap.dedent(inspect.getsource(method))).body
    except (OSError, SyntaxError, TypeError, ValueError):
        return None
    if not isinstance(function, ast.FunctionDef) or function.decorator_list or not function.args.args:
        return None
    calls = _Rewriting(function.name, function.args.args[0].arg)
    calls.visit(function)
    if not calls.sizes or calls.mangled or function.name != method.__name__:
        return None
    ast.increment_lineno(function, method.__code__.co_firstlineno - 1)
    return _compiled(method, function), calls.attributes()


class _Rewriting(ast.NodeTransformer):
    """Sends every call of `reshape` and `split` in a method through `_say`; the first one is called `forward[0]`."""

    def __init__(self, method: str, owner: str) -> None:
        self._method, self._owner = method, owner
        self.sizes: list[ast.expr | None] = []
        self.mangled = False
        self._loads: list[str] = []

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.mangled |= node.attr.startswith("__") and not node.attr.endswith("__")
        if self._is_own(node) and isinstance(node.ctx, ast.Load):
            self._loads.append(node.attr)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if called not in _CALLS:
            return node
        lists = [part for part in node.args if isinstance(part, (ast.List, ast.Tuple))]
        call = ast.Constant(f"{self._method}[{len(self.sizes)}]")
        first: list[ast.expr] = [ast.Name(self._owner, ast.Load()), call, node.func]
        self.sizes.append(next(iter([*lists, *(part.value for part in node.keywords if part.arg in _SIZES)]), None))
        said = ast.Call(ast.Name(_SAY, ast.Load()), [*first, *node.args], node.keywords)
        return ast.fix_missing_locations(ast.copy_location(said, node))

    def attributes(self) -> list[tuple[str | None, ...]]:
        """For each call the attributes that it writes as sizes, and that are read for nothing else."""
        entries = [tuple(map(self._attribute, getattr(sizes, "elts", ()))) for sizes in self.sizes]
        written = [name for names in entries for name in names]
        return [
            tuple(name if name and written.count(name) == self._loads.count(name) else None for name in names)
            for names in entries
        ]

    def _attribute(self, node: ast.expr) -> str | None:
        return node.attr if isinstance(node, ast.Attribute) and self._is_own(node) else None

    def _is_own(self, node: ast.Attribute) -> bool:
        return isinstance(node.value, ast.Name) and node.value.id == self._owner


def _compiled(method: FunctionType, function: ast.FunctionDef) -> FunctionType:
    """A changed source as a function with the globals, defaults and closure of the one that it was made of."""
    code, cells = method.__code__, dict(zip(method.__code__.co_freevars, method.__closure__ or (), strict=True))
    cells[_SAY] = CellType(_say)
    module = ast.parse(f"def around({', '.join(cells)}): pass")
    module.body[0].body = [function]  # type: ignore[attr-defined]
    outer = _code_of(compile(ast.fix_missing_locations(module), code.co_filename, "exec"), "around")
    inner = _code_of(outer, function.name)
    closure = tuple(cells[name] for name in inner.co_freevars)
    made = FunctionType(inner, method.__globals__, method.__name__, method.__defaults__, closure)
    made.__kwdefaults__, made.__qualname__, made.__doc__ = method.__kwdefaults__, method.__qualname__, method.__doc__
    made.__module__ = method.__module__
    paddle.jit.not_to_static(made)  # Paddle would rewrite the source in the file, which says nothing of this
    return made


def _code_of(code: CodeType, name: str) -> CodeType:
    return next(part for part in code.co_consts if isinstance(part, CodeType) and part.co_name == name)


def _say(layer: nn.Layer, call: str, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """Call `reshape` or `split` with the told sizes; whoever listens hears of it."""
    key: Any = next((name for name in _SIZES if name in more), None)
    if key is None:
        key = int(bool(args) and isinstance(args[0], (Tensor, Value)))
    given = more.get(key) if isinstance(key, str) else args[key] if key < len(args) else None
    if not isinstance(given, (list, tuple)):
        return function(*args, **more)
    known = vars(layer).get(_TOLD, {})
    sizes = [known.get(size_name(call, entry), size) for entry, size in enumerate(given)]
    if known and isinstance(key, str):
        more = {**more, key: sizes}
    elif known:
        args = (*args[:key], sizes, *args[key + 1 :])
    result = function(*args, **more)
    heard: Heard | None = getattr(_listening, "heard", None)
    if heard is not None:
        heard(layer, call, list(given), sizes, result)
    return result
