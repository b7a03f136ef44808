"""The command line: a thin layer over the Python calls."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from paddleprune.cli.streams import clean_stdout

_NOISE = ("No ccache found", "When training, we now always track global mean and variance")
"""What Paddle warns of though nothing is wrong."""


def main() -> None:
    """Run `paddleprune`. Bad input gives one line on stderr and exit code 2; Ctrl-C gives 130."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    for message in _NOISE:
        warnings.filterwarnings("ignore", message)
    with clean_stdout():
        _run()


def _run() -> None:
    from paddleprune.cli.app import app
    from paddleprune.console import note_command, say, say_error
    from paddleprune.dependencies import missing
    from paddleprune.errors import PaddlePruneError
    from paddleprune.files import unreadable

    note_command(["paddleprune", *sys.argv[1:]])
    try:
        try:
            app(prog_name="paddleprune")
        finally:
            if sys.stdout is not None:  # where it was closed
                sys.stdout.flush()
    except PaddlePruneError as error:
        say_error(" ".join(str(error).split()))
        sys.exit(2)
    except ModuleNotFoundError as error:
        say_error(str(missing(error, "this command")))
        sys.exit(2)
    except OSError as error:
        place = "cannot write to stdout: " + (error.strerror or str(error)).lower()
        say_error(place if error.filename is None else unreadable(Path(error.filename), error))
        sys.exit(2)
    except KeyboardInterrupt:  # before a command has begun
        say("interrupted")
        sys.exit(130)
