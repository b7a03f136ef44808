"""Every kind of step that a random network is made of."""

from paddleprune.testing.fuzz.kinds import blocks, meet, move, pointwise, weights, written
from paddleprune.testing.fuzz.kinds.kind import KINDS as KINDS
from paddleprune.testing.fuzz.kinds.kind import Kind as Kind

__all__ = ["KINDS", "Kind", "blocks", "meet", "move", "pointwise", "weights", "written"]
