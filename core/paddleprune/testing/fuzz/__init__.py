"""Random networks, pruned at random: masked must equal shrunk.

`python -m paddleprune.testing.fuzz --networks 10000 --jobs 2` checks some and reports. A failure comes as a minimal
call of `check`, to be pasted into a test.
"""

from paddleprune.testing.fuzz.check import check as check
from paddleprune.testing.fuzz.program import Program as Program
from paddleprune.testing.fuzz.program import Step as Step
