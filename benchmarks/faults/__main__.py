"""Does everything that is meant to go wrong, and ends with the counts as JSON; exit code 1 if one isn't what it should.

python -m benchmarks.faults               everything: 300 kills, 2,000 mutations of every file
python -m benchmarks.faults --scale 0.05  a twentieth of it
python -m benchmarks.faults kills         one part
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys

PARTS = ("kills", "files")
"""Modules, each with `run(scale: float) -> dict[str, int]`; scale 1 is everything."""
EXPECTED = ("kills", "lost", "corrupt", "stuck", "mutations", "accepted_changed", "foreign_exceptions", "hangs")
DONE = ("kills", "mutations")
"""Counts of what was done; all others must be 0."""


def main() -> int:
    """Run the parts that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all if none is named")
    parser.add_argument("--scale", type=float, default=1.0, help="share of everything")
    chosen = parser.parse_args()
    counts = dict.fromkeys(EXPECTED, 0)
    for part in chosen.parts or PARTS:
        for name, count in importlib.import_module(f"benchmarks.faults.{part}").run(chosen.scale).items():
            counts[name] = counts.get(name, 0) + count
    print(json.dumps(counts))
    return int(any(count for name, count in counts.items() if name not in DONE))


if __name__ == "__main__":
    sys.exit(main())
