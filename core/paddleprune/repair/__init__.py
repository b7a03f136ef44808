"""Shrunk layer + unlabelled samples -> weights with which it works at once, and cuts that a repair can mend."""

from paddleprune.repair.branches import branch_losses as branch_losses
from paddleprune.repair.network import RIDGE as RIDGE
from paddleprune.repair.network import Cut as Cut
from paddleprune.repair.network import heads_of as heads_of
from paddleprune.repair.network import repair as repair
from paddleprune.repair.record import Record as Record
from paddleprune.repair.record import record as record
from paddleprune.repair.scores import Reader as Reader
from paddleprune.repair.scores import readers as readers
