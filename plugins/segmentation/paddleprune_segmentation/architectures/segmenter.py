"""What all families share: scores at the size of the image, and heads that only training uses."""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn

from paddleprune.backbones import ConvNorm, blocks


class Segmenter(nn.Layer):
    """[N, C, H, W] -> class scores before softmax, [N, num_classes, H, W]; in training with auxiliary heads, a list.

    The list has the scores first, then those of each auxiliary head, in the same shape.

    Args:
        body: an image to a list of feature maps: that of the head, then those of the auxiliary heads.
        head: a feature map to class scores, at any size.
        auxiliary: heads that help training (Zhao et al., "Pyramid Scene Parsing Network", 2017, section 3.3).
    """

    def __init__(self, body: nn.Layer, head: nn.Layer, auxiliary: Sequence[nn.Layer] = ()) -> None:
        super().__init__()
        self.body, self.head = body, head
        self.auxiliary = nn.LayerList(auxiliary)

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """The class scores."""
        maps = self.body(x)
        scores = resized(self.head(maps[0]), x)
        if len(self.auxiliary) == 0 or not self.training:
            return scores
        return [scores, *(resized(head(maps[1 + i]), x) for i, head in enumerate(self.auxiliary))]


def score_head(inputs: int, width: int, num_classes: int, dropout: float = 0.1) -> nn.Layer:
    """A 3x3 convolution of `width` filters, dropout, and a 1x1 convolution to class scores."""
    return nn.Sequential(
        ConvNorm(inputs, width, 3, activation=nn.ReLU()), nn.Dropout(dropout), nn.Conv2D(width, num_classes, 1)
    )


def resized(x: Tensor, like: Tensor) -> Tensor:
    """`x`, interpolated to the height and width of `like`."""
    return blocks.resized(x, like, "bilinear")
