"""A classifier on the coarsest feature map of a backbone."""

from __future__ import annotations

import paddle
from paddle import Tensor, nn


class PooledClassifier(nn.Layer):
    """Average over the last feature map, dropout, one linear layer: [N, C, H, W] -> [N, num_classes]."""

    def __init__(self, backbone: nn.Layer, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(backbone.channels[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """The class scores, before softmax."""
        features = self.backbone(x)[-1]
        return self.fc(self.dropout(paddle.flatten(self.pool(features), 1)))
