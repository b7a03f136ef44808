"""Inception v3 whose forward names no channel count."""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.vision.models import InceptionV3


class PrunableInceptionV3(InceptionV3):
    """Paddle's InceptionV3, with the same parameters and outputs.

    Paddle's own forward ends in `reshape([-1, 2048])`, which breaks when one of the 2048 channels is removed.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, num_classes]."""
        x = self.inception_stem(x)
        for block in self.inception_block_list:
            x = block(x)
        return self.fc(self.dropout(paddle.flatten(self.avg_pool(x), 1)))
