"""Random networks, pruned at random: masked must equal shrunk.

`run(networks=300, seed=0)` checks some and reports; `python -m paddleprune.testing.fuzz --networks 10000 --jobs 2`
does so from a shell. A failure comes as a minimal call of `check`, to be pasted into a test.
"""

from paddleprune.dependencies import require

require("hypothesis", "the fuzzer")

from paddleprune.testing.fuzz.check import check as check  # noqa: E402 (a clear error comes first)
from paddleprune.testing.fuzz.program import Program as Program  # noqa: E402
from paddleprune.testing.fuzz.program import Step as Step  # noqa: E402
from paddleprune.testing.fuzz.runner import Report as Report  # noqa: E402
from paddleprune.testing.fuzz.runner import run as run  # noqa: E402
