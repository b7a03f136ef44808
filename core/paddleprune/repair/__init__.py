"""Shrunk layer + unlabelled samples -> weights with which it works at once, and cuts that a repair can mend."""

from paddleprune.repair.joint import Found as Found
from paddleprune.repair.joint import search as search
from paddleprune.repair.network import RIDGE as RIDGE
from paddleprune.repair.network import Cut as Cut
from paddleprune.repair.network import heads_of as heads_of
from paddleprune.repair.network import repair as repair
from paddleprune.repair.order import order_units as order_units
from paddleprune.repair.path import Path as Path
from paddleprune.repair.path import TablePath as TablePath
from paddleprune.repair.path import UniformPath as UniformPath
from paddleprune.repair.path import UnitPath as UnitPath
from paddleprune.repair.record import Record as Record
from paddleprune.repair.record import record as record
