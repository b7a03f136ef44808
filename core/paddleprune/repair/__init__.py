"""Shrunk layer + unlabelled samples -> weights with which it works at once."""

from paddleprune.repair.network import RIDGE as RIDGE
from paddleprune.repair.network import Cut as Cut
from paddleprune.repair.network import repair as repair
from paddleprune.repair.record import Record as Record
from paddleprune.repair.record import record as record
