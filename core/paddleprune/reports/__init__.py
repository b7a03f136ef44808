"""Pictures of sensitivity tables, and comparisons of models."""

from typing import TYPE_CHECKING

from paddleprune.lazily import exported

if TYPE_CHECKING:
    from paddleprune.reports.comparison import Comparison as Comparison
    from paddleprune.reports.curves import Curve as Curve
    from paddleprune.reports.curves import CurvePoint as CurvePoint
    from paddleprune.reports.curves import JointPoint as JointPoint
    from paddleprune.reports.curves import draw_curve as draw_curve
    from paddleprune.reports.front import Front as Front
    from paddleprune.reports.front import FrontPoint as FrontPoint
    from paddleprune.reports.front import draw_front as draw_front
    from paddleprune.reports.heatmap import draw_heatmap as draw_heatmap
    from paddleprune.reports.latencies import Latencies as Latencies
    from paddleprune.reports.latencies import LatencyRow as LatencyRow
    from paddleprune.reports.rows import ComparisonRow as ComparisonRow
    from paddleprune.reports.rows import Conditions as Conditions
    from paddleprune.reports.rows import MetricValue as MetricValue
    from paddleprune.reports.rows import comparison_row as comparison_row
    from paddleprune.reports.rows import conditions as conditions
else:
    __getattr__ = exported(
        __name__,
        {
            "Comparison": "comparison",
            **dict.fromkeys(("Curve", "CurvePoint", "JointPoint", "draw_curve"), "curves"),
            **dict.fromkeys(("Front", "FrontPoint", "draw_front"), "front"),
            "draw_heatmap": "heatmap",
            **dict.fromkeys(("Latencies", "LatencyRow"), "latencies"),
            **dict.fromkeys(("ComparisonRow", "Conditions", "MetricValue", "comparison_row", "conditions"), "rows"),
        },
    )
