"""Messages name settings as Python does (`save_dir`, `workers=1`); whoever typed flags reads flags."""

from __future__ import annotations

import re
from collections.abc import Collection

from paddleprune import console

_QUOTES = "'\""


def flag(name: str) -> str:
    """The flag of a setting."""
    return f"--{name.replace('_', '-')}"


def speak_flags(names: Collection[str]) -> None:
    """Let messages name these settings as flags from now on, and no others."""
    console.spelling(lambda message: with_flags(message, names))


def with_flags(message: str, names: Collection[str]) -> str:
    """A message in which settings are spelled as flags.

    A setting is a name with an underscore, a name in backquotes, or one before `=`; what is quoted, or part of a
    path or of a longer word, is none.

    Args:
        message: as the Python calls have it.
        names: of the settings.
    """
    if not names:
        return message
    any_name = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    setting = (
        rf"(?<![\w/.'\"`-])(?P<tick>`?)(?P<name>{any_name})(?:=(?P<value>[^\s,;:()`]+))?(?P=tick)(?![\w/'\"`=-]|\.\w)"
    )

    def spelled(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        if "_" not in name and not found["tick"] and value is None:
            return found[0]
        return flag(name) if value is None else f"{flag(name)} {value.strip(_QUOTES)}"

    return re.sub(setting, spelled, message)
