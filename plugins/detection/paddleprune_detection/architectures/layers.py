"""What several detectors share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from paddle import Tensor, nn

from paddleprune.backbones import blocks

_PRIOR = 0.01


def resized(x: Tensor, like: Tensor) -> Tensor:
    """`x`, repeated to the height and width of `like`."""
    return blocks.resized(x, like, "nearest")


def rare(convolution: nn.Conv2D, groups: int, which: Sequence[int]) -> nn.Conv2D:
    """Start scores at a probability of 0.01, so that the many places without objects don't drown the few with one.

    Lin et al., "Focal Loss for Dense Object Detection" (2017), section 4.1.

    Args:
        convolution: its output channels are `groups` times the same numbers.
        groups: of which the output consists.
        which: of the numbers of a group.
    """
    bias = np.zeros((groups, convolution.bias.shape[0] // groups), np.float32)
    bias[:, which] = -math.log((1 - _PRIOR) / _PRIOR)
    convolution.bias.set_value(bias.ravel())
    return convolution
