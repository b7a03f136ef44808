"""A detector that says its boxes, in operations that can be traced."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import Tensor, nn

from paddleprune.interfaces import BoxModel
from paddleprune.vision.suppression import Suppression
from paddleprune_detection.heads.base import Head
from paddleprune_detection.options import DetectorOptions
from paddleprune_detection.reading import head_of


def box_model(options: DetectorOptions, layer: nn.Layer) -> BoxModel:
    """The network and its head, for one size of images."""
    head = head_of(options)
    return BoxModel(_Boxes(layer, head), Suppression(*head.limits))


def everything(head: Head, outputs: Any) -> tuple[Tensor, Tensor]:
    """As `Head.everything`, traced by calling it: Paddle's reading of its source doesn't know all of Python."""
    found: tuple[Tensor, Tensor] = paddle.jit.not_to_static(head.everything)(tuple(paddle.utils.flatten(outputs)))
    return found


class _Boxes(nn.Layer):
    """Images [N, C, H, W] -> boxes [N, K, 4] in their pixels, and scores [N, classes, K]."""

    def __init__(self, network: nn.Layer, head: Head) -> None:
        super().__init__()
        self.network, self._head = network, head

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The boxes and scores."""
        return everything(self._head, self.network(images))
