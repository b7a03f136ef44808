"""Groups -> sensitivity table."""

from paddleprune.sensitivity.criteria import rank as rank
from paddleprune.sensitivity.criteria import weigh as weigh
from paddleprune.sensitivity.gradients import importance_by_gradients as importance_by_gradients
from paddleprune.sensitivity.importance import Importance as Importance
from paddleprune.sensitivity.importance import criterion_name as criterion_name
from paddleprune.sensitivity.importance import criterion_of as criterion_of
from paddleprune.sensitivity.measuring import DataMeasurer as DataMeasurer
from paddleprune.sensitivity.measuring import Measurer as Measurer
from paddleprune.sensitivity.questions import Question as Question
from paddleprune.sensitivity.sweep import Prunable as Prunable
from paddleprune.sensitivity.sweep import check_removed as check_removed
from paddleprune.sensitivity.sweep import left_out as left_out
from paddleprune.sensitivity.sweep import sweep as sweep
from paddleprune.sensitivity.sweep import unsure as unsure
from paddleprune.sensitivity.table import Identity as Identity
from paddleprune.sensitivity.table import SensitivityTable as SensitivityTable
from paddleprune.sensitivity.table import model_digest as model_digest
from paddleprune.sensitivity.workers import WorkerMeasurer as WorkerMeasurer
