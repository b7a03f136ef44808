"""Pictures of sensitivity tables, and comparisons of models."""

from paddleprune.report.comparison import Comparison as Comparison
from paddleprune.report.curves import Curve as Curve
from paddleprune.report.curves import CurvePoint as CurvePoint
from paddleprune.report.curves import JointPoint as JointPoint
from paddleprune.report.curves import draw_curve as draw_curve
from paddleprune.report.front import Front as Front
from paddleprune.report.front import FrontPoint as FrontPoint
from paddleprune.report.front import draw_front as draw_front
from paddleprune.report.heatmap import draw_heatmap as draw_heatmap
from paddleprune.report.latencies import Latencies as Latencies
from paddleprune.report.latencies import LatencyRow as LatencyRow
from paddleprune.report.rows import ComparisonRow as ComparisonRow
from paddleprune.report.rows import Conditions as Conditions
from paddleprune.report.rows import MetricValue as MetricValue
from paddleprune.report.rows import comparison_row as comparison_row
from paddleprune.report.rows import conditions as conditions
