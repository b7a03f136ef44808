"""The source of a forward again, with every size that it writes passed on first: in calls, slices and helpers."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, TypeAlias

import paddle

from paddleprune.paddle_private.programs import became

Calls: TypeAlias = Mapping[str, tuple[str | None, ...]]
Speakers: TypeAlias = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any], Callable[..., Any]]
"""What a size is passed to: in a call, in a slice that is read, in one that is written, and in a helper's call."""

SHAPED = frozenset({"reshape", "reshape_", "split"})
MADE = frozenset({"expand", "broadcast_to", "tile", "zeros", "ones", "full"})
SIZES = ("shape", "num_or_sections", "repeat_times")
_SAY, _ITEM, _KEY, _THROUGH = _NAMES = tuple(f"__paddleprune_{name}__" for name in ("say", "item", "key", "through"))
_SLICE, _PLACE, _BECAME = (f"__paddleprune_{name}__" for name in ("slice", "place", "became"))
_open: list[FunctionType] = []
"""The helpers that are being read: one may call itself."""


@dataclass(frozen=True)
class Spoken:
    """A function that passes its sizes on.

    Attributes:
        function: of a helper, which belongs to no layer, it takes where it is called as one argument more, the first.
        calls: call -> its sizes, as far as they are written as a list or a slice: the attribute that a size is, if the
            method reads that for nothing else; None for anything else. A call's name goes on after the method's.
    """

    function: FunctionType
    calls: Calls


@cache
def spoken(function: FunctionType, speakers: Speakers, helper: bool = False) -> Spoken | None:
    """A function whose sizes are passed on; None if it writes none, or its source isn't to be had.

    Args:
        function: a method of a layer, or a helper that methods call.
        speakers: what the sizes are passed to.
        helper: whether it is one.
    """
    if _is_paddles(function):
        return None
    try:
        (source,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, SyntaxError, TypeError, ValueError):
        return None
    if not isinstance(source, ast.FunctionDef) or source.decorator_list or source.name != function.__name__:
        return None
    arguments = source.args.posonlyargs or source.args.args
    if not helper and not arguments:
        return None
    owner = _PLACE if helper else arguments[0].arg
    rewriting = _Rewriting("" if helper else source.name, owner, _known(function), speakers)
    rewriting.visit(source)
    if not rewriting.sizes or rewriting.mangled:
        return None
    if helper:
        arguments.insert(0, ast.arg(_PLACE))
    ast.increment_lineno(source, function.__code__.co_firstlineno - 1)
    return Spoken(_compiled(function, source, speakers), rewriting.calls())


def _is_paddles(function: FunctionType) -> bool:
    module = f"{function.__module__}."
    return module.startswith("paddle.") and not module.startswith("paddle.vision.models.")


def _known(function: FunctionType) -> Mapping[str, Any]:
    """What names in a function stand for, outside of it."""
    inside = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    return {**function.__globals__, **{name: cell.cell_contents for name, cell in inside.items() if _is_set(cell)}}


def _is_set(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


class _Rewriting(ast.NodeTransformer):
    """Passes the sizes in a function on. Its first `reshape` or `split` is called `forward[0]`, its first slice
    `forward.slice[0]`, the first call in a helper `forward.helper[0][0]`.
    """

    def __init__(self, method: str, owner: str, known: Mapping[str, Any], speakers: Speakers) -> None:
        self._method, self._owner, self._known, self._speakers = method, owner, known, speakers
        self._counts: Counter[str] = Counter()
        self.sizes: dict[str, Sequence[ast.expr | None]] = {}
        self.mangled = False
        self._loads: list[str] = []
        self._local: frozenset[str] = frozenset()

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.mangled |= node.attr.startswith("__") and not node.attr.endswith("__")
        if self._is_own(node) and isinstance(node.ctx, ast.Load):
            self._loads.append(node.attr)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        helper = self._helper(node.func)
        if helper is not None:
            place = self._named(f".{called}")
            self.sizes.update({place + inner: () for inner in helper.calls})
            return _at(node, ast.Call(self._passed(_THROUGH, place, node.func), node.args, node.keywords))
        if called not in SHAPED | MADE:
            return node
        lists = [part for part in node.args if isinstance(part, (ast.List, ast.Tuple))]
        place = self._named("" if called in SHAPED else f".{called}")
        sizes = next(iter([*lists, *(part.value for part in node.keywords if part.arg in SIZES)]), None)
        self.sizes[place] = getattr(sizes, "elts", ())
        said = self._passed(_SAY, place, node.func)
        return _at(node, ast.Call(said.func, [*said.args, *node.args], node.keywords))

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
        bounds = [bound for part in parts for bound in _bounds(part)]
        if not any(bounds) or any(isinstance(part, ast.Starred) for part in parts):
            return node
        key = ast.Tuple([_as_value(part) for part in parts], ast.Load())
        reads = isinstance(node.ctx, ast.Load)
        if not reads and not isinstance(node.value, ast.Name):
            return node
        place = self._named(".slice")
        self.sizes[place] = () if any(map(_may_move, parts)) else bounds
        if reads:
            return _at(node, self._passed(_ITEM, place, node.value, key))
        node.slice = self._passed(_KEY, place, _read(node.value), key)
        return _at(node, node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        outer, self._local = self._local, _locals_of(node)
        self.generic_visit(node)
        self._local = outer
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        self.generic_visit(node)
        return [node, *(made for target in node.targets for made in self._renewed(target))]

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        target = node.target
        if not isinstance(target, ast.Subscript) or not isinstance(target.value, ast.Name):
            return self.generic_visit(node)
        before = ast.Subscript(_read(target.value), deepcopy(target.slice), ast.Load())  # read and written apart
        changed = ast.Assign([target], ast.BinOp(before, node.op, node.value))
        return self.visit_Assign(ast.fix_missing_locations(ast.copy_location(changed, node)))

    def _renewed(self, target: ast.expr) -> list[ast.stmt]:
        """After a part was written, take what became of the whole: in a trace that is another value."""
        whole = target.value if isinstance(target, ast.Subscript) else None
        if not isinstance(whole, ast.Name) or whole.id not in self._local:
            return []
        taken = ast.Call(ast.Name(_BECAME, ast.Load()), [_read(whole)], [])
        made = ast.Assign([ast.Name(whole.id, ast.Store())], taken)
        return [ast.fix_missing_locations(ast.copy_location(made, target))]

    def calls(self) -> Calls:
        """For each call the attributes that it writes as sizes, and that are read for nothing else."""
        entries = {place: tuple(map(self._attribute, sizes)) for place, sizes in self.sizes.items()}
        written = Counter(name for names in entries.values() for name in names)
        loads = Counter(self._loads)
        return {
            place: tuple(name if name and written[name] == loads[name] else None for name in names)
            for place, names in entries.items()
        }

    def _helper(self, node: ast.expr) -> Spoken | None:
        """What a call goes to, if that is a function outside of the layer that writes sizes."""
        found = None
        if isinstance(node, ast.Name):
            found = self._known.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = self._known.get(node.value.id)
            found = vars(module).get(node.attr) if isinstance(module, ModuleType) else None
        if not isinstance(found, FunctionType) or found in _open:
            return None
        _open.append(found)
        try:
            return spoken(found, self._speakers, helper=True)
        finally:
            _open.remove(found)

    def _named(self, kind: str) -> str:
        number, self._counts[kind] = self._counts[kind], self._counts[kind] + 1
        return f"{self._method}{kind}[{number}]"

    def _passed(self, speaker: str, place: str, *said: ast.expr) -> ast.Call:
        return ast.Call(
            ast.Name(speaker, ast.Load()), [ast.Name(self._owner, ast.Load()), ast.Constant(place), *said], []
        )

    def _attribute(self, node: ast.expr | None) -> str | None:
        return node.attr if isinstance(node, ast.Attribute) and self._is_own(node) else None

    def _is_own(self, node: ast.Attribute) -> bool:
        return isinstance(node.value, ast.Name) and node.value.id == self._owner


def _bounds(part: ast.expr) -> tuple[ast.expr | None, ast.expr | None]:
    """Where a slice starts and ends."""
    return (part.lower, part.upper) if isinstance(part, ast.Slice) and part.step is None else (None, None)


def _as_value(part: ast.expr) -> ast.expr:
    """What stands in brackets, as an expression that may stand elsewhere."""
    if not isinstance(part, ast.Slice):
        return part
    ends = [ast.Constant(None) if end is None else end for end in (part.lower, part.upper, part.step)]
    return ast.Call(ast.Name(_SLICE, ast.Load()), ends, [])


def _locals_of(function: ast.FunctionDef) -> frozenset[str]:
    """The names that are a function's own."""
    arguments = function.args
    own = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    open_: list[ast.AST] = [*function.body]
    others: set[str] = set()
    while open_:
        node = open_.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            others.update(node.names)
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            open_.extend(ast.iter_child_nodes(node))
    return frozenset(own - others)


def _read(name: ast.expr) -> ast.expr:
    return ast.Name(getattr(name, "id", ""), ast.Load())


def _may_move(part: ast.expr) -> bool:
    """Does an entry in brackets leave it open which axes the others are about?"""
    return isinstance(part, ast.Constant) and part.value in (None, ...)


def _at(node: ast.expr, made: ast.expr) -> ast.expr:
    return ast.fix_missing_locations(ast.copy_location(made, node))


def _compiled(function: FunctionType, source: ast.FunctionDef, speakers: Speakers) -> FunctionType:
    """A changed source as a function with the globals, defaults and closure of the one that it was made of."""
    code, cells = function.__code__, dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    cells |= {name: CellType(speaker) for name, speaker in zip(_NAMES, speakers, strict=True)}
    cells |= {_SLICE: CellType(slice), _BECAME: CellType(became)}
    module = ast.parse(f"def around({', '.join(cells)}): pass")
    module.body[0].body = [source]  # type: ignore[attr-defined]
    outer = _code_of(compile(ast.fix_missing_locations(module), code.co_filename, "exec"), "around")
    inner = _code_of(outer, source.name)
    closure = tuple(cells[name] for name in inner.co_freevars)
    made = FunctionType(inner, function.__globals__, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__, made.__qualname__, made.__doc__ = (
        function.__kwdefaults__,
        function.__qualname__,
        function.__doc__,
    )
    made.__module__ = function.__module__
    paddle.jit.not_to_static(made)  # Paddle would rewrite the source in the file, which says nothing of this
    return made


def _code_of(code: CodeType, name: str) -> CodeType:
    return next(part for part in code.co_consts if isinstance(part, CodeType) and part.co_name == name)
