"""Table, criterion or samples + budget -> plan."""

from paddleprune.solver.costs import Ceiling as Ceiling
from paddleprune.solver.costs import Costs as Costs
from paddleprune.solver.costs import amount as amount
from paddleprune.solver.latency import LayerLatency as LayerLatency
from paddleprune.solver.order import Order as Order
from paddleprune.solver.path import Path as Path
from paddleprune.solver.path import TolerancePath as TolerancePath
from paddleprune.solver.path import UniformPath as UniformPath
from paddleprune.solver.path import UnitPath as UnitPath
from paddleprune.solver.reach import check_reach as check_reach
from paddleprune.solver.search import Found as Found
from paddleprune.solver.search import search as search
from paddleprune.solver.table_order import order_by_table as order_by_table
from paddleprune.solver.table_order import uniform_order as uniform_order
from paddleprune.solver.tolerance import Planner as Planner
from paddleprune.solver.tolerance import solve as solve
from paddleprune.solver.unit_order import order_by_importance as order_by_importance
from paddleprune.solver.unit_order import order_units as order_units
