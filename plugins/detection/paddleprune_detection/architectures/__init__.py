"""The networks of the detection families."""

from paddleprune_detection.architectures.build import build as build
