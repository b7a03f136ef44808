"""ShuffleNet v2 whose channels can be removed one by one."""

from __future__ import annotations

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.vision.models import ShuffleNetV2

from paddleprune.interfaces import Array


class PrunableShuffleNetV2(ShuffleNetV2):
    """Paddle's ShuffleNetV2, with the same parameters and outputs.

    Paddle's own blocks cut what they read in halves and shuffle what they make by reshaping, so both halves must
    lose the same channels, which ties a whole stage together. These blocks pick each half by number, and the shuffle
    of the block before is part of it, so that every channel is a unit of its own.

    Args:
        scale: factor on the channels, one of those that Paddle knows.
        act: "relu" or "swish".
        num_classes: width of the output.
    """

    _block_list: list[nn.Layer]

    def __init__(self, scale: float, act: str = "relu", num_classes: int = 1000) -> None:
        super().__init__(scale, act, num_classes)
        blocks: list[_Downsampling | _Basic] = []
        names = {id(block): name for name, block in self.named_children()}
        for theirs in self._block_list:
            if hasattr(theirs, "_conv_linear_1"):
                blocks.append(_Downsampling(theirs, blocks[-1].width if blocks else None))
            else:
                blocks.append(_Basic(theirs, blocks[-1].width))
            setattr(self, names[id(theirs)], blocks[-1])
        self._block_list = list(blocks)
        self._shuffle = _Pick(_shuffled(blocks[-1].width))

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, num_classes]."""
        x = self._max_pool(self._conv1(inputs))
        for block in self._block_list:
            x = block(x)
        x = self._pool2d_avg(self._last_conv(self._shuffle(x)))
        return self._fc(paddle.flatten(x, 1))


class _Pick(nn.Layer):
    """Some channels, in some order, by the numbers in a buffer."""

    def __init__(self, numbers: Array) -> None:
        super().__init__()
        self.register_buffer("numbers", paddle.to_tensor(numbers))

    def forward(self, x: Tensor) -> Tensor:
        return paddle.index_select(x, self.numbers, axis=1)


class _Basic(nn.Layer):
    """Paddle's InvertedResidual, before its shuffle and after that of the block before.

    Attributes:
        width: channels that it makes.
    """

    def __init__(self, theirs: nn.Layer, width: int) -> None:
        super().__init__()
        self.width = width
        first, second = np.split(_shuffled(width), 2)
        self._pick_kept, self._pick_changed = _Pick(first), _Pick(second)
        self._conv_pw, self._conv_dw, self._conv_linear = theirs._conv_pw, theirs._conv_dw, theirs._conv_linear

    def forward(self, x: Tensor) -> Tensor:
        changed = self._conv_linear(self._conv_dw(self._conv_pw(self._pick_changed(x))))
        return paddle.concat([self._pick_kept(x), changed], axis=1)


class _Downsampling(nn.Layer):
    """Paddle's InvertedResidualDS, before its shuffle and after that of the block before, if there is one.

    Attributes:
        width: channels that it makes.
    """

    def __init__(self, theirs: nn.Layer, read: int | None) -> None:
        super().__init__()
        self._shuffle = nn.Identity() if read is None else _Pick(_shuffled(read))
        self._conv_dw_1, self._conv_linear_1 = theirs._conv_dw_1, theirs._conv_linear_1
        self._conv_pw_2, self._conv_dw_2 = theirs._conv_pw_2, theirs._conv_dw_2
        self._conv_linear_2 = theirs._conv_linear_2
        self.width = 2 * int(self._conv_linear_1[0].weight.shape[0])

    def forward(self, x: Tensor) -> Tensor:
        x = self._shuffle(x)
        first = self._conv_linear_1(self._conv_dw_1(x))
        second = self._conv_linear_2(self._conv_dw_2(self._conv_pw_2(x)))
        return paddle.concat([first, second], axis=1)


def _shuffled(width: int) -> Array:
    """Which channel of two halves, one after the other, stands at each place when they alternate."""
    return np.arange(width).reshape(2, -1).T.ravel()
