"""Groups -> sensitivity table."""

from paddleprune.sensitivity.criteria import rank as rank
from paddleprune.sensitivity.sweep import Measure as Measure
from paddleprune.sensitivity.sweep import Prunable as Prunable
from paddleprune.sensitivity.sweep import sweep as sweep
from paddleprune.sensitivity.table import Identity as Identity
from paddleprune.sensitivity.table import SensitivityTable as SensitivityTable
from paddleprune.sensitivity.table import model_digest as model_digest
