"""Turning what a user wrote into a contract, and a wrong name into a helpful line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from pydantic import ValidationError

from paddleprune.errors import ConfigError
from paddleprune.problems import first_problem
from paddleprune.specs import Contract

Model = TypeVar("Model", bound=Contract)
_LISTED_AT_MOST = 12
_LONGEST = 100
"""Characters of a name that may be meant for another: to compare longer ones takes long."""
SETTING = "setting"
"""What a command's flag or an argument of a Python call is."""


def did_you_mean(name: str, choices: Collection[str]) -> str:
    """`; did you mean 'scale'?`, or nothing where no choice is near."""
    if len(name) > _LONGEST:
        return ""
    near = get_close_matches(name, choices, n=1) or [c for c in choices if c.lower() == name.lower()]
    return f"; did you mean {near[0]!r}?" if near else ""


def choose_from(name: str, choices: Collection[str]) -> str:
    """The way out of a wrong name: the near one, and all of them where they fit on a line."""
    listed = f" (choose from {', '.join(sorted(choices))})" if 0 < len(choices) <= _LISTED_AT_MOST else ""
    return did_you_mean(name, choices) + listed


def matching(names: Collection[str], patterns: Iterable[str], noun: str) -> frozenset[str]:
    """The names that patterns match: each is a name itself, or a glob with `*`, `?` and `[…]`.

    Raises:
        ConfigError: a pattern matches none; the message has the near names.
    """
    found: set[str] = set()
    for pattern in patterns:
        hit = [name for name in names if name == pattern or fnmatchcase(name, pattern)]
        if not hit:
            near = get_close_matches(pattern.strip("*?."), names, n=3, cutoff=0.3) or list(names)[:3]
            raise ConfigError(f"no {noun} is called {pattern!r}; near it are {', '.join(near)}")
        found.update(hit)
    return frozenset(found)


def validated(model: type[Model], values: Mapping[str, Any], of: str, noun: str = "option") -> Model:
    """The contract that `values` make; `of` says whose they are ("mobilenet_v2", "the training settings").

    Raises:
        ConfigError: a field is unknown (with the near name), is missing or has a value that can't be used.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"the {noun}s of {of} must be names and their values, not {values!r}")
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        unknown = [name for name in values if name not in model.model_fields]
        if unknown:
            way_out = choose_from(str(unknown[0]), model.model_fields.keys())
            raise ConfigError(f"unknown {noun} {str(unknown[0])[:_LONGEST]!r} of {of}{way_out}") from error
        problem = first_problem(error, "`" if noun == SETTING else "")
        raise ConfigError(f"bad {noun} of {of}: {problem}") from error
