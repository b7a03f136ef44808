"""Numbers as users write them: shares, amounts, times, devices. Imports no Paddle, so that `--help` is instant."""

from __future__ import annotations

import re
from numbers import Real
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from paddleprune.errors import ConfigError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_TIME = "a time such as 90s, 10m or 2h"
FLOP = "one multiply-add of a convolution, a linear layer or a matrix product"
"""What counts as one."""


def likely(value: Any) -> str:
    """What someone probably meant who gave a number of 1 or more where a share belongs: `; 5% is 0.05`."""
    if not isinstance(value, Real) or not 1 <= float(value) < 100:
        return ""
    number = float(value)
    return "; 1 would be all of it, and 1% is 0.01" if number == 1 else f"; {number:g}% is {number / 100:g}"


def check_tolerance(value: Any, name: str) -> float:
    """A share of the metric that may be lost: from 0 to below 1.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(value, Real) or not 0 <= float(value) < 1:
        raise ConfigError(f"{name} must be {_TOLERANCE}, got {value!r}{likely(value)}")
    return float(value)


_TOLERANCE = "a share of the metric, from 0 to below 1"
_RATIO = "a share of a group's units, between 0 and 1"


def _tolerance(value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"must be {_TOLERANCE}, not {value:g}{likely(value)}")
    return value


def _ratio(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"must be {_RATIO}, not {value:g}{likely(value)}")
    return value


def _share(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"must be a share that stays, between 0 and 1, not {value:g}{likely(value)}")
    return value


Tolerance: TypeAlias = Annotated[float, AfterValidator(_tolerance)]
"""A share of the metric that may be lost."""
Ratio: TypeAlias = Annotated[float, AfterValidator(_ratio)]
"""A share of a group's units."""
Share: TypeAlias = Annotated[float, AfterValidator(_share)]
"""A share of a cost that stays."""


def _number_and_unit(value: str, units: str, what: str) -> tuple[str, str]:
    """The digits of a number, and the unit behind it, which fits a pattern.

    Raises:
        ValueError: it is something else.
    """
    found = re.fullmatch(rf"\s*(\d+(?:\.\d*)?|\.\d+)\s*({units})\s*", value)
    if found is None:
        raise ValueError(f"must be {what}, not {value!r}")
    return found[1], found[2].lower()


def _seconds(value: Any) -> Any:
    """Seconds, of a number or of words such as 90s, 10m or 2h."""
    if not isinstance(value, str):
        return value
    number, unit = _number_and_unit(value, "[a-zA-Z]*", _TIME)
    if unit not in _UNITS:
        near = f"{number}{unit[0]}" if unit[0] in _UNITS else f"{number}m"
        raise ValueError(f"must be {_TIME}: write {near}, not {value!r}")
    return float(number) * _UNITS[unit]


Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
"""A time, such as 90s, 10m or 2h."""


def shard_of(value: str) -> tuple[int, int]:
    """Which part of how many: `2/8` is the second of eight.

    Raises:
        ValueError: it is something else.
    """
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", str(value))
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count:
        raise ValueError(f"must be a part of several, from 1/8 to 8/8, not {value!r}")
    return number, count


Shard: TypeAlias = Annotated[str, AfterValidator(lambda value: "{}/{}".format(*shard_of(value)))]
"""A part of several, such as 2/8."""


def known_device(value: str) -> str:
    """A device's name.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or not re.fullmatch(r"auto|cpu|gpu(:\d+)?", value):
        raise ValueError(f"must be auto, cpu, gpu or gpu:N, not {value!r}")
    return value


Device: TypeAlias = Annotated[str, AfterValidator(known_device)]
"""What computes."""


_SIZES = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}


def _amount(value: Any) -> Any:
    """A share up to 1, or a number, of words such as 0.5, 50%, 300k, 150M or 1.2G."""
    if not isinstance(value, str):
        return value
    number, unit = _number_and_unit(value, "[kmgbKMGB%]?", AMOUNT)
    return float(number) / 100 if unit == "%" else float(number) * _SIZES[unit]


AMOUNT = "a share that may stay, such as 0.5, or a number, such as 150M"


def _positive(value: float) -> float:
    if not 0 < value < float("inf"):
        raise ValueError(f"must be {AMOUNT}, not {value:g}")
    return value


Amount: TypeAlias = Annotated[float, BeforeValidator(_amount), AfterValidator(_positive)]
"""What may stay: a share of the dense model's up to 1, a number above."""


MOMENT = "a share of the dense model's, such as 0.5, or a time, such as 8ms"


def _latency(value: Any) -> Any:
    """A share up to 1, or a time in words such as 8ms or 0.8 ms."""
    said = value
    if isinstance(value, str):
        digits, unit = _number_and_unit(value, "ms|s|us|%?", MOMENT)
        number = float(digits)
        if unit in _MILLISECONDS and number > 0:
            return f"{number * _MILLISECONDS[unit]:g}ms"
        value = number / 100 if unit == "%" else number
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise ValueError(f"must be {MOMENT}, not {said!r}")
    return float(value)


_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
Moment: TypeAlias = Annotated[float | str, BeforeValidator(_latency)]
"""How long one sample may take: a share of the dense model's time, or a time such as `8ms`."""
