"""`python -m paddleprune.testing.fuzz`: check random networks; the exit code is 1 if one breaks the contract."""

from __future__ import annotations

import argparse
import os
import sys

from paddleprune.dependencies import require
from paddleprune.errors import DependencyError


def main() -> int:
    """Read the flags, run, print what was found."""
    parser = argparse.ArgumentParser(prog="python -m paddleprune.testing.fuzz", description=__doc__)
    parser.add_argument("--networks", type=int, default=300, help="how many networks (300)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (1)")
    flags = parser.parse_args()
    os.environ.update(PYTHONWARNINGS="ignore", GLOG_minloglevel="3")  # Paddle warns anew in every process
    try:
        require("hypothesis", "the fuzzer")
        from paddleprune.testing.fuzz.runner import run

        report = run(flags.networks, flags.seed, flags.jobs)
    except KeyboardInterrupt:
        return 130
    except DependencyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
