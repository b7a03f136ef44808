"""Groups -> sensitivity table."""

from typing import TYPE_CHECKING

from paddleprune.lazily import exported

if TYPE_CHECKING:
    from paddleprune.sensitivity.criteria.gradients import importance_by_gradients as importance_by_gradients
    from paddleprune.sensitivity.criteria.importance import Importance as Importance
    from paddleprune.sensitivity.criteria.importance import criterion_name as criterion_name
    from paddleprune.sensitivity.criteria.importance import criterion_of as criterion_of
    from paddleprune.sensitivity.criteria.weights import rank as rank
    from paddleprune.sensitivity.criteria.weights import weigh as weigh
    from paddleprune.sensitivity.measuring.measurer import DataMeasurer as DataMeasurer
    from paddleprune.sensitivity.measuring.measurer import Measurer as Measurer
    from paddleprune.sensitivity.measuring.processes import Processes as Processes
    from paddleprune.sensitivity.measuring.questions import Question as Question
    from paddleprune.sensitivity.measuring.ray_actors import RayActors as RayActors
    from paddleprune.sensitivity.measuring.sweep import Prunable as Prunable
    from paddleprune.sensitivity.measuring.sweep import check_removed as check_removed
    from paddleprune.sensitivity.measuring.sweep import left_out as left_out
    from paddleprune.sensitivity.measuring.sweep import sweep as sweep
    from paddleprune.sensitivity.measuring.sweep import unsure as unsure
    from paddleprune.sensitivity.measuring.workers import WorkerMeasurer as WorkerMeasurer
    from paddleprune.sensitivity.table.file import Identity as Identity
    from paddleprune.sensitivity.table.file import Point as Point
    from paddleprune.sensitivity.table.file import SensitivityTable as SensitivityTable
    from paddleprune.sensitivity.table.file import model_digest as model_digest
else:
    __getattr__ = exported(
        __name__,
        {
            "importance_by_gradients": "criteria.gradients",
            **dict.fromkeys(("Importance", "criterion_name", "criterion_of"), "criteria.importance"),
            **dict.fromkeys(("rank", "weigh"), "criteria.weights"),
            **dict.fromkeys(("DataMeasurer", "Measurer"), "measuring.measurer"),
            "Processes": "measuring.processes",
            "Question": "measuring.questions",
            "RayActors": "measuring.ray_actors",
            **dict.fromkeys(("Prunable", "check_removed", "left_out", "sweep", "unsure"), "measuring.sweep"),
            "WorkerMeasurer": "measuring.workers",
            **dict.fromkeys(("Identity", "Point", "SensitivityTable", "model_digest"), "table.file"),
        },
    )
