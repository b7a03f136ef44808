"""Every error that paddleprune raises on purpose.

A message is one line for the person at the keyboard: the value, the place, the way out.
The command line prints it and exits with code 2.
"""

import re

_LONGEST = 1500
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class PaddlePruneError(Exception):
    """Base of all errors raised on purpose. Whatever a message quotes, it is one line that a person can read."""

    def __init__(self, message: str = "") -> None:
        line = _CONTROL.sub(" ", message)
        half = _LONGEST // 2
        super().__init__(line if len(line) <= _LONGEST else f"{line[:half]} … {line[-half:]}")


class ConfigError(PaddlePruneError):
    """An option, a run file or an argument has a value that can't be used."""


class DataError(PaddlePruneError):
    """A list, a label or an image of a dataset can't be used."""


class PluginError(PaddlePruneError):
    """A plugin can't be loaded, clashes with another, or returned the wrong thing."""


class UnknownNameError(PaddlePruneError):
    """A task, family, group or command that nobody registered."""


class GraphError(PaddlePruneError):
    """A network can't be traced, or a group in it can't be found."""


class TableError(PaddlePruneError):
    """A sensitivity table can't be read, or belongs to something else."""


class PlanError(PaddlePruneError):
    """A plan doesn't fit the model, or no plan meets the budget."""


class CertificateError(PaddlePruneError):
    """The shrunk model doesn't compute what the masked one does."""


class CheckpointError(PaddlePruneError):
    """A checkpoint can't be read, or doesn't fit."""


class SaveError(PaddlePruneError):
    """A file can't be written; whatever was there before is untouched."""


class WorkerError(PaddlePruneError):
    """A process that shared the work has died."""


class DependencyError(PaddlePruneError):
    """An optional package is missing or can't be used."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a line that says what is saved and how to go on."""


def said_by(error: BaseException) -> str:
    """What an error of Paddle says, on one line: without its stack, its hints and its own source lines."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("---")]
    told = [line for line in lines if not line.startswith(("[Hint", "[operator"))] or [type(error).__name__]
    return re.sub(r"\s*\(at /paddle/.*\)|\[Hint: |\]$|^(\w+: )?\(\w+\) ", "", told[-1]).rstrip(".] ")
