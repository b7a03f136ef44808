"""Heads: what a family's outputs mean, for training and for evaluation."""

from paddleprune_detection.heads.base import Candidates as Candidates
from paddleprune_detection.heads.base import Detections as Detections
from paddleprune_detection.heads.base import Head as Head
from paddleprune_detection.heads.base import Limits as Limits
