"""The kinds of values that steps of preprocessing have."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

LONGEST_SIDE = 16_384
"""Pixels of the longest side that a step may ask for."""
IGNORED = 255
"""The value of mask pixels that count neither in training nor in evaluation."""


def _square(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


Probability: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Factor: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Level: TypeAlias = Annotated[float, Field(ge=0, le=255)]
"""Of an 8-bit pixel."""
Side: TypeAlias = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
Size: TypeAlias = Annotated[
    tuple[Side, Side],
    BeforeValidator(_square),
    Field(description="height and width of the result; one number for a square"),
]
Enlargement: TypeAlias = Annotated[float, Field(gt=0, le=100)]
"""By how much a step may make an image larger."""
Filling: TypeAlias = Annotated[
    Finite | None, Field(description="pixels added to the image; by default the middle of their range")
]
Interpolation: TypeAlias = Literal["NEAREST", "LINEAR", "CUBIC", "AREA", "LANCZOS4", "RANDOM"]
Angle: TypeAlias = Annotated[float, Field(ge=0, le=180, description="greatest angle, in degrees, either way")]
