"""What pydantic complains of, in words for the person who wrote the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from textwrap import shorten
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_LIST, _FIELDS, _TEXT = "must be a list", "must hold names and their values", "must be text"
_NUMBER, _WHOLE, _BOOL = "must be a number", "must be a whole number", "must be true or false"
_SIZE, _MOMENT = "must be a size, such as 500MB or 2GB", "must be a date or a time"
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here; is it misspelled, or in the wrong place?",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "too_short": "must have at least {min_length} entries, not {actual_length}",
    "too_long": "must have at most {max_length} entries",
    "string_type": _TEXT,
    "string_unicode": "must be text in UTF-8",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must have the form {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "bool_type": _BOOL,
    "bool_parsing": _BOOL,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "has too many digits",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bytes_type": "must be bytes",
    "byte_size": _SIZE,
    "byte_size_unit": _SIZE,
    "path_type": "must be a path",
    "model_type": _FIELDS,
    "model_attributes_type": _FIELDS,
    "dict_type": _FIELDS,
    "mapping_type": _FIELDS,
    "invalid_key": "must be named by text",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "iterable_type": _LIST,
    "none_required": "must be left out",
    "is_instance_of": "must be a {class}",
    "is_subclass_of": "must be a kind of {class}",
    "callable_type": "must be a function",
    "union_tag_invalid": "has an unknown {discriminator}, {tag!r}; choose from {expected_tags}",
    "union_tag_not_found": "has no {discriminator}",
    "json_invalid": "is not JSON ({error})",
    "frozen_field": "can't be changed",
    "frozen_instance": "can't be changed",
    "recursion_loop": "holds itself",
    "recursion_depth_exceeded": "is nested too deeply",
}
_ANYTHING = "can't be used"
_OF_A_USER = ("value_error", "assertion_error")
"""Errors that validators of models raise: their own words."""
_WITHOUT_VALUE = ("missing", "extra_forbidden", "union_tag_invalid", "json_invalid", "invalid_key", *_OF_A_USER)
_LONGEST_VALUE, _LONGEST = 60, 400
_TYPED_NUMBER = re.compile(r"[-+]?[\d.]+|nan|inf")
_PLAIN = (bool, int, float, str, list, tuple, dict, type(None))
_CHOICE = re.compile(r"[a-z-]+\[.*\]|path|int|float|str|bool|lax-or-strict.*|function-.*", re.DOTALL)
"""What pydantic calls the kinds that a value may have, in a place: they are no fields."""


def first_problem(error: ValidationError, quote: str = "") -> str:
    """The first complaint, on one line: `field must be …, or …, not VALUE`.

    Args:
        error: what pydantic raised.
        quote: what stands before and after the field's name.
    """
    details = error.errors(include_url=False)
    first, place = details[0], _place(details[0], quote)
    phrases = [_phrase(detail) for detail in details if _place(detail, quote) == place]
    said = phrases[0]
    if _is_choice(first):
        wanted = list(dict.fromkeys(phrase.removeprefix("must be ").removeprefix("must ") for phrase in phrases))
        said = f"must be {', or '.join(wanted)}"
    said = shorten(said, _LONGEST, placeholder=" …")
    if not place:
        return said if first["type"] in _OF_A_USER else f"it {said}"
    if first["type"] in _OF_A_USER:
        return said if said.startswith(str(first["loc"][-1])) else f"{place}{_joint(said)} {said}"
    return f"{place} {said}{_value(first)}"


def _phrase(detail: ErrorDetails) -> str:
    """What is wrong, to be read behind the place."""
    context: Mapping[str, Any] = detail.get("ctx", {})
    if detail["type"] in _OF_A_USER:
        return str(context.get("error", _ANYTHING))
    plain = {key: f"{value:g}" if isinstance(value, float) else value for key, value in context.items()}
    plain["discriminator"] = str(context.get("discriminator", "")).strip("'")
    return _WORDS.get(detail["type"], _ANYTHING).format(**plain)


def _joint(said: str) -> str:
    return "" if said.startswith(("must ", "has ", "is ")) else ":"


def _place(detail: ErrorDetails, quote: str) -> str:
    """Where it is: `transforms, entry 1 (Resize), target_size`."""
    said = ""
    for before, part in zip((None, *detail["loc"]), detail["loc"], strict=False):
        if _CHOICE.fullmatch(str(part)) and before is not None:
            continue
        if isinstance(part, int):
            said += f", entry {part + 1}" if said else f"entry {part + 1}"
        elif isinstance(before, int) and part[:1].isupper():
            said += f" ({part})"
        else:
            said += f", {part}" if said else f"{quote}{part}{quote}"
    return said


def _is_choice(detail: ErrorDetails) -> bool:
    return len(detail["loc"]) > 1 and bool(_CHOICE.fullmatch(str(detail["loc"][-1])))


def _value(detail: ErrorDetails) -> str:
    value = detail.get("input")
    try:
        shown = repr(value if isinstance(value, _PLAIN) else str(value))
        shown = shown.strip("'") if isinstance(value, str) and _TYPED_NUMBER.fullmatch(value) else shown
    except ValueError:  # Python refuses to write numbers of thousands of digits
        return ""
    return "" if detail["type"] in _WITHOUT_VALUE or len(shown) > _LONGEST_VALUE else f", not {shown}"
