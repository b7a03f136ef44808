"""Random programs. Every choice is Hypothesis's, the simplest first, so that a failure shrinks."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

from hypothesis import strategies as st

from paddleprune.graph.inputs import Input
from paddleprune.graph.walker import Attention
from paddleprune.testing.fuzz.kinds import KINDS
from paddleprune.testing.fuzz.network import Running
from paddleprune.testing.fuzz.program import Program, Step

Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]

_IMAGE, _WIDE, _SERIES, _VOLUME = ((1, 3, 8, 8), (1, 6, 4, 6), (1, 4, 8), (1, 2, 4, 4, 4))
_TOKENS, _VECTOR, _IDS = Input((1, 5, 6)), Input((1, 6)), Input((1, 5), "int64")
_INPUTS: tuple[tuple[Any, ...], ...] = (
    (Input(_IMAGE),),
    (Input(_WIDE),),
    (_TOKENS,),
    (_IDS,),
    (Input(_SERIES),),
    (_VECTOR,),
    (Input(_VOLUME),),
    (Input(_IMAGE), Input(_IMAGE)),
    (Input(_WIDE), _VECTOR),
    ({"image": Input(_WIDE), "other": Input((1, 2, 4, 6))},),
    ([_TOKENS, _TOKENS], _IDS),
)
_TIDY_INPUTS = tuple(_INPUTS[i] for i in (0, 1, 4, 5, 6, 7, 8, 9))
_FAMILIES = (*["weights"] * 3, *["pointwise"] * 3, *["move"] * 2, *["meet"] * 2, "blocks", "written")
_OFTEN = {"conv": 6, "linear": 4, "batch_norm": 2, "activation": 5, "reduce": 4, "softmax": 3, "residual": 3}
_WIDTHS = ("features", "per_group", "filters")
_MOST_STEPS, _MOST_INNER_STEPS, _MOST_NUMBERS = 14, 4, 1500


@dataclass(frozen=True)
class Case:
    """A program and how to cut it.

    Attributes:
        program: the network.
        seed: of the weights and of what is removed.
        tidy: are all filters but those of the last layers removable?
        attention: what attention loses, as `build_graph` takes it.
        compiled: compare the compiled network too.
    """

    program: Program
    seed: int = 0
    tidy: bool = False
    attention: Attention = "heads"
    compiled: bool = False

    def __str__(self) -> str:
        """The call that checks it."""
        options = "".join(f", {name}={value!r}" for name, value in vars(self).items() if name != "program" and value)
        return f"check({self.program!r}{options.replace(', attention=' + repr('heads'), '')})"


@st.composite
def cases(draw: Draw) -> Case:
    """Random networks, and what to remove from them."""
    tidy = draw(st.sampled_from((False, False, True)))
    program = _tidy_program(draw) if tidy else _any_program(draw)
    attention: Attention = "heads" if tidy else draw(st.sampled_from(("heads", "dims")))
    compiled = draw(st.sampled_from((False,) * 4 + (True,))) and not _kills_predictor(program)
    return Case(program, draw(st.integers(0, 9)), tidy, attention, compiled)


def _kills_predictor(program: Program) -> bool:
    """Paddle Inference with oneDNN dies on a batch norm without scale or bias: it reads them all the same."""
    return any(step.kind == "batch_norm" and not step.options["affine"] for step in program.all_steps())


def _any_program(draw: Draw) -> Program:
    inputs = draw(st.sampled_from(_INPUTS))
    drawing = _Drawing(draw, inputs, tidy=False)
    for value in range(drawing.first):
        if draw(st.sampled_from((False, True, True))):  # else most small networks have nothing to remove
            drawing.head(value)
    drawing.several()
    heads = not drawing.steps or draw(st.sampled_from((True, True, True, False)))
    ends = [drawing.head(i) if heads or not drawing.is_real(i) else i for i in drawing.unused()]
    if len(ends) > 1 and draw(st.booleans()):
        ends = ends[-1:]
    return Program(inputs, tuple(drawing.steps), _nest(draw, ends))


def _tidy_program(draw: Draw) -> Program:
    inputs = draw(st.sampled_from(_TIDY_INPUTS))
    drawing = _Drawing(draw, inputs, tidy=True)
    for value in range(len(drawing.running.values)):
        drawing.head(value)
    drawing.several()
    ends = [drawing.head(value) for value in drawing.unused()]
    return Program(inputs, tuple(drawing.steps), _nest(draw, ends))


def _nest(draw: Draw, values: list[int]) -> Any:
    forms: list[Any] = [values] if len(values) > 1 else [values[0], {"a": values[0], "b": None}]
    if len(values) > 1:
        forms += [{"a": values[0], "b": values[1:]}, [values[0], None, values[1:]]]
    return draw(st.sampled_from(forms))


class _Drawing:
    """A program that is being drawn: its steps run as they are added, so that all shapes are known."""

    def __init__(self, draw: Draw, inputs: tuple[Any, ...], tidy: bool) -> None:
        self._draw, self._tidy = draw, tidy
        self.running = Running(inputs)
        self.first = len(self.running.values)
        self.steps: list[Step] = []
        self._used: set[int] = set()

    def several(self) -> None:
        """Add some steps."""
        for _ in range(self._draw(st.integers(3, _MOST_STEPS))):
            if not self._draw(st.sampled_from((False, True, True, True, True, True, True))):
                continue  # lets a step in the middle shrink away
            value = self._draw(st.sampled_from(self._recent()))
            step = self._another(value)
            if step is not None:
                self._add(step)

    def head(self, value: int) -> int:
        """Add a layer with weights; returns the value that it gives."""
        shape = self.shape(value)
        if str(self.running.values[value].dtype) == "paddle.int64":
            self._add(Step("embedding", value, rows=5, features=4))
        elif len(shape) in (3, 4, 5) and (self._tidy or self._draw(st.booleans())):
            self._add(Step("conv", value, per_group=4, groups=1, kernel=1, stride=1, dilation=1, bias=True))
        else:
            self._add(Step("linear", value, features=4, bias=True))
        return len(self.running.values) - 1

    def unused(self) -> list[int]:
        """The values that no step takes; the last one, where all are taken."""
        count = len(self.running.values)
        return [i for i in range(self.first, count) if i not in self._used] or [count - 1]

    def is_real(self, value: int) -> bool:
        """Is it a real number, and not a number of a row?"""
        return "float" in str(self.running.values[value].dtype)

    def shape(self, value: int) -> tuple[int, ...]:
        """With the batch axis."""
        return tuple(self.running.values[value].shape)

    def _recent(self) -> list[int]:
        count, first = len(self.running.values), self.first if self._tidy else 0
        latest = list(range(count))[first:][::-1]
        return [*latest[:1] * 6, *latest[1:3], *[i for i in latest[:6] if i not in self._used]]

    def _add(self, step: Step) -> None:
        self.running.run(step)
        self.steps.append(step)
        self._used.update(step.takes)

    def _another(self, value: int) -> Step | None:
        x = self.shape(value)
        if not self.is_real(value):
            return Step("embedding", value, rows=5, features=self._draw(st.sampled_from((4, 6))))
        found: dict[str, list[tuple[int, ...]]] = {}
        for name, kind in KINDS.items():
            if kind.takes == 1:
                partners: list[tuple[int, ...]] = [()]
            else:
                partners = [(i,) for i in range(len(self.running.values))[::-1] if self.is_real(i)]
            fits = [p for p in partners if self._fits(name, (x, *map(self.shape, p)))]
            if fits and (not self._tidy or all(i >= self.first for p in fits for i in p)):
                found[name] = fits
        if math.prod(x[1:]) > _MOST_NUMBERS:
            found = {name: fits for name, fits in found.items() if name in ("conv", "linear", "global_pool")}
        shared = self._shareable(value)
        if shared and self._draw(st.sampled_from((False,) * 7 + (True,))):
            return Step("again", value, step=self._draw(st.sampled_from(shared)))
        name = self._name(found)
        fits = found[name]  # a value that meets itself ties nothing
        others = self._draw(st.sampled_from([p for p in fits if p != (value,)] * 3 + fits))
        if KINDS[name].nested:
            return self._nested(name, value)
        return Step(name, value, *others, **self._options(name, (x, *map(self.shape, others))))

    def _name(self, names: Collection[str]) -> str:
        """One of some kinds: first its family, so that the larger ones don't crowd out the others."""
        present = {KINDS[name].family for name in names}
        family = self._draw(st.sampled_from([f for f in _FAMILIES if f in present]))
        often = [n for n in names if KINDS[n].family == family for _ in range(_OFTEN.get(n, 1))]
        return str(self._draw(st.sampled_from(often)))

    def _fits(self, name: str, shapes: tuple[tuple[int, ...], ...]) -> bool:
        if name == "embedding" or (self._tidy and not KINDS[name].tidy(*shapes)):
            return False
        choices = KINDS[name].choices(*shapes)
        return choices is not None and all(len(values) > 0 for values in choices.values())

    def _options(self, name: str, shapes: tuple[tuple[int, ...], ...]) -> dict[str, Any]:
        choices = KINDS[name].choices(*shapes) or {}
        if self._tidy:  # what is tied to a single filter can't be removed
            choices = {name: [v for v in values if name not in _WIDTHS or v > 1] for name, values in choices.items()}
        return {option: self._draw(st.sampled_from(list(values))) for option, values in choices.items()}

    def _shareable(self, value: int) -> list[int]:
        fits = []
        for i, step in enumerate(self.steps):
            alike = step.kind not in ("again", "embedding") and len(step.takes) == 1
            alike = alike and not (self._tidy and step.takes[0] < self.first)
            if alike and self.running.layers[i].parameters() and self.shape(step.takes[0]) == self.shape(value):
                fits.append(i)
        return fits[::-1]

    def _nested(self, name: str, value: int) -> Step:
        inside = _Drawing(self._draw, (Input((1, *self.shape(value)[1:])),), self._tidy)
        inside.first = 0
        for _ in range(self._draw(st.integers(1, _MOST_INNER_STEPS))):
            step = inside._another_inside()
            if step is not None:
                inside._add(step)
        before, after = inside.shape(0), inside.shape(len(inside.running.values) - 1)
        steps = tuple(Step(step.kind, 0, **step.options) for step in inside.steps)
        return Step(name if before == after else "sequential", value, steps=steps)

    def _another_inside(self) -> Step | None:
        value = len(self.running.values) - 1
        x = self.shape(value)
        names = [n for n, kind in KINDS.items() if kind.takes == 1 and not kind.nested and n not in _SEVERAL]
        found = {name: [()] for name in names if self._fits(name, (x,))}
        if math.prod(x[1:]) > _MOST_NUMBERS or not found:
            return None
        name = self._name(found)
        return Step(name, value, **self._options(name, (x,)))


_SEVERAL = frozenset(("split", "split_channels", "split_sizes"))
"""What gives several values."""
