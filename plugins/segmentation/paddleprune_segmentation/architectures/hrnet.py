"""HRNet with the head of HRNetV2, from Wang et al., "Deep High-Resolution Representation Learning for Visual
Recognition" (2019), sections 3 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import Tensor, nn

from paddleprune.backbones import ConvNorm, scaled
from paddleprune_segmentation.architectures.segmenter import Segmenter, resized
from paddleprune_segmentation.options import HrNetOptions

_STEM = 64
_FIRST_BLOCKS = 4
_EXPANSION = 4
_MODULES = (1, 4, 3)
"""Of the stages with two, three and four branches."""
_BLOCKS = 4
"""Of each branch of a module."""


def hrnet(width: int, options: HrNetOptions) -> nn.Layer:
    """The families `hrnet_w*`: `width` is the number of channels of the finest branch."""
    body = _HrNet(width, options)
    head = nn.Sequential(
        ConvNorm(body.channels, body.channels, 1, activation=nn.ReLU()),
        nn.Conv2D(body.channels, options.num_classes, 1),
    )
    return Segmenter(body, head)


class _HrNet(nn.Layer):
    """[N, C, H, W] -> [[N, channels, ceil(H / 4), ceil(W / 4)]]: four branches, at strides 4 to 32, side by side."""

    def __init__(self, width: int, options: HrNetOptions) -> None:
        super().__init__()
        stem = scaled(_STEM, options.scale)
        widths = [max(1, round(width * options.scale)) << branch for branch in range(len(_MODULES) + 1)]
        self.channels = sum(widths)
        self.stem = nn.Sequential(
            ConvNorm(options.input_channels, stem, 3, stride=2, activation=nn.ReLU()),
            ConvNorm(stem, stem, 3, stride=2, activation=nn.ReLU()),
        )
        wide = stem * _EXPANSION
        blocks = [_bottleneck(stem, stem, wide)] + [_bottleneck(wide, stem, wide) for _ in range(1, _FIRST_BLOCKS)]
        self.first = nn.Sequential(*blocks)
        self.stages = nn.LayerList()
        before = [wide]
        for number, modules in enumerate(_MODULES):
            after = widths[: number + 2]
            self.stages.append(_Stage(before, after, modules))
            before = after

    def forward(self, x: Tensor) -> list[Tensor]:
        """All branches, at the size of the finest."""
        maps = [self.first(self.stem(x))]
        for stage in self.stages:
            maps = stage(maps)
        return [paddle.concat([maps[0], *(resized(coarse, maps[0]) for coarse in maps[1:])], axis=1)]


class _Stage(nn.Layer):
    """One branch more, made of the coarsest map, then modules in which the branches exchange what they found."""

    def __init__(self, before: Sequence[int], after: Sequence[int], modules: int) -> None:
        super().__init__()
        self.enter = nn.LayerList(
            [
                nn.Identity() if mine == theirs else ConvNorm(theirs, mine, 3, activation=nn.ReLU())
                for theirs, mine in zip(before, after, strict=False)
            ]
        )
        self.branch_off = ConvNorm(before[-1], after[-1], 3, stride=2, activation=nn.ReLU())
        self.exchanges = nn.LayerList([_Module(after) for _ in range(modules)])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [*(enter(maps[i]) for i, enter in enumerate(self.enter)), self.branch_off(maps[-1])]
        for module in self.exchanges:
            maps = module(maps)
        return maps


class _Module(nn.Layer):
    """Residual blocks on every branch; then each branch adds up all of them, at its own size."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.LayerList([nn.Sequential(*(_basic(width) for _ in range(_BLOCKS))) for width in widths])
        count = range(len(widths))
        self.paths = nn.LayerList([nn.LayerList([_path(widths, j, i) for j in count]) for i in count])
        self.relu = nn.ReLU()

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [branch(maps[i]) for i, branch in enumerate(self.branches)]
        return [self.relu(self._sum(i, maps)) for i in range(len(maps))]

    def _sum(self, target: int, maps: list[Tensor]) -> Tensor:
        total = maps[target]
        for source, path in enumerate(self.paths[target]):
            if source != target:
                total = total + resized(path(maps[source]), maps[target])
        return total


class _Residual(nn.Layer):
    """`relu(branch(x) + shortcut(x))`."""

    def __init__(self, branch: nn.Layer, shortcut: nn.Layer) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.branch(x) + self.shortcut(x))


def _basic(width: int) -> nn.Layer:
    return _Residual(
        nn.Sequential(ConvNorm(width, width, 3, activation=nn.ReLU()), ConvNorm(width, width, 3)), nn.Identity()
    )


def _bottleneck(inputs: int, width: int, outputs: int) -> nn.Layer:
    branch = nn.Sequential(
        ConvNorm(inputs, width, 1, activation=nn.ReLU()),
        ConvNorm(width, width, 3, activation=nn.ReLU()),
        ConvNorm(width, outputs, 1),
    )
    return _Residual(branch, nn.Identity() if inputs == outputs else ConvNorm(inputs, outputs, 1))


def _path(widths: Sequence[int], source: int, target: int) -> nn.Layer:
    """From one branch to another: a 1x1 convolution upward; downward one of stride 2 for each halving."""
    if source == target:
        return nn.Identity()
    if source > target:
        return ConvNorm(widths[source], widths[target], 1)
    steps = [
        ConvNorm(widths[source], widths[source], 3, stride=2, activation=nn.ReLU()) for _ in range(target - source - 1)
    ]
    return nn.Sequential(*steps, ConvNorm(widths[source], widths[target], 3, stride=2))
