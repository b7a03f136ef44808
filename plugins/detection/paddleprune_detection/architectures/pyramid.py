"""The feature pyramid, from Lin et al., "Feature Pyramid Networks for Object Detection" (2017), section 3."""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn

from paddleprune_detection.architectures.layers import resized


class FeaturePyramid(nn.Layer):
    """Maps of any channels, finest first -> as many maps of `width` channels, each with the meaning of the coarser."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.LayerList([nn.Conv2D(inputs, width, 1) for inputs in channels])
        self.smooth = nn.LayerList([nn.Conv2D(width, width, 3, padding=1) for _ in channels])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The pyramid, finest first."""
        inner = [lateral(maps[level]) for level, lateral in enumerate(self.lateral)]
        for level in range(len(inner) - 1, 0, -1):
            inner[level - 1] = inner[level - 1] + resized(inner[level], inner[level - 1])
        return [smooth(inner[level]) for level, smooth in enumerate(self.smooth)]
