"""Faster R-CNN, from Ren et al., "Faster R-CNN" (2015), on a feature pyramid (Lin et al., 2017, section 4).

The first stage proposes a fixed number of boxes, in the order of their places, so that nothing in the network has a
size that depends on the image, and the whole of it can be traced.
"""

from __future__ import annotations

from collections.abc import Callable

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F  # noqa: N812
from paddle.vision.ops import roi_align

from paddleprune.backbones import scaled
from paddleprune.interfaces import Array
from paddleprune_detection.architectures.pyramid import FeaturePyramid
from paddleprune_detection.heads.boxes import decoded
from paddleprune_detection.heads.two_stage import RATIOS, STRIDES, anchors
from paddleprune_detection.options import FasterRcnnOptions

_WIDTH, _HIDDEN = 256, 1024
_POOLED = 7
_OVERLAP = 0.7
"""Of proposals, at most."""
_ROUNDS = 10
_COARSEST, _FINEST_SIDE = 3, 112
"""The pyramid's last level that boxes are pooled from, and the side from which on the second is (equation 1)."""


def faster_rcnn(backbone: Callable[..., nn.Layer], options: FasterRcnnOptions) -> nn.Layer:
    """The families `faster_rcnn_*`."""
    return FasterRcnn(backbone(in_channels=options.input_channels, scale=options.scale), options)


class FasterRcnn(nn.Layer):
    """[N, C, H, W] -> what `TwoStageHead` reads."""

    def __init__(self, backbone: nn.Layer, options: FasterRcnnOptions) -> None:
        super().__init__()
        width = scaled(_WIDTH, options.scale)
        self.size, self.count = options.input_size, options.proposals
        self.backbone = backbone
        self.pyramid = FeaturePyramid(backbone.channels, width)
        self.coarser = nn.MaxPool2D(1, 2)
        self.shared = nn.Conv2D(width, width, 3, padding=1, weight_attr=_small())
        self.there = nn.Conv2D(width, len(RATIOS), 1, weight_attr=_small())
        self.offsets = nn.Conv2D(width, 4 * len(RATIOS), 1, weight_attr=_small())
        self.second = _SecondStage(width, scaled(_HIDDEN, options.scale), options.num_classes)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Proposals, their class scores and offsets, then the first stage's outputs, finest level first."""
        maps = self.pyramid(self.backbone(x))
        first: list[Tensor] = []
        for here in [*maps, self.coarser(maps[-1])]:
            shared = F.relu(self.shared(here))
            first += [self.there(shared), self.offsets(shared)]
        proposals = self._proposals(first)
        scores, offsets = self.second(maps, proposals)
        return [proposals, scores, offsets, *first]

    def _proposals(self, first: list[Tensor]) -> Tensor:
        """[N, R, 4]: the likeliest boxes of each level, then of all those that no likelier one overlaps."""
        scores, boxes = [], []
        for level, stride in enumerate(STRIDES):
            there, offsets = first[2 * level].detach(), first[2 * level + 1].detach()
            places = anchors((there.shape[2], there.shape[3]), stride)
            score, chosen = _likeliest(there.transpose([0, 2, 3, 1]).flatten(1), min(self.count, len(places)))
            scores.append(score)
            here = decoded(_taken(offsets.transpose([0, 2, 3, 1]).reshape([0, -1, 4]), chosen), _placed(places, chosen))
            boxes.append(self._inside(here))
        score, box = paddle.concat(scores, axis=1), paddle.concat(boxes, axis=1)
        _, chosen = _likeliest(_alone(score, box), min(self.count, score.shape[1]))
        return _taken(box, chosen)

    def _inside(self, boxes: Tensor) -> Tensor:
        height, width = self.size
        return boxes.clip(min=0).minimum(paddle.to_tensor([width, height, width, height], dtype="float32"))


def _small(factor: float = 1.0) -> nn.initializer.Initializer:
    """Of weights: section 3.3 of the paper; offsets of classes start smaller still, as in Fast R-CNN's section 2.3."""
    return nn.initializer.Normal(0.0, 0.01 * factor)


def _likeliest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The highest scores of each row [N, K] and their places, both [N, count], in the order of the places.

    That order, unlike the scores', stays as it is where scores that are nearly equal trade places.
    """
    chosen = paddle.topk(scores, count, axis=1)[1].sort(axis=1)
    return paddle.take_along_axis(scores, chosen, axis=1), chosen


def _taken(rows: Tensor, chosen: Tensor) -> Tensor:
    """[N, K, 4], [N, k] -> [N, k, 4]."""
    return paddle.take_along_axis(rows, chosen.unsqueeze(-1).tile([1, 1, 4]), axis=1)


def _alone(scores: Tensor, boxes: Tensor) -> Tensor:
    """The scores [N, K], far lower where a likelier box of those that stay overlaps the box: greedy suppression.

    Each round decides at least the next box in the order of scores rightly, and usually nearly all that are left.
    """
    low = boxes[:, :, :2].unsqueeze(2).maximum(boxes[:, :, :2].unsqueeze(1))
    high = boxes[:, :, 2:].unsqueeze(2).minimum(boxes[:, :, 2:].unsqueeze(1))
    shared = (high - low).clip(min=0).prod(-1)
    area = (boxes[:, :, 2:] - boxes[:, :, :2]).prod(-1)
    overlap = shared > _OVERLAP * (area.unsqueeze(2) + area.unsqueeze(1) - shared)
    beats = scores.unsqueeze(2) > scores.unsqueeze(1)
    suppresses = (overlap.astype("float32") * beats.astype("float32")).transpose([0, 2, 1])
    stays = paddle.ones_like(scores)
    for _ in range(_ROUNDS):
        stays = (suppresses.matmul(stays.unsqueeze(-1)).squeeze(-1) == 0).astype("float32")
    return scores - 1e4 * (1 - stays)


class _SecondStage(nn.Layer):
    """Pools each proposal's part of the map that suits its size, and says what it is."""

    def __init__(self, width: int, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Linear(width * _POOLED**2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.scores = nn.Linear(hidden, num_classes + 1, weight_attr=_small())
        self.offsets = nn.Linear(hidden, 4 * num_classes, weight_attr=_small(0.1))

    def forward(self, maps: list[Tensor], proposals: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [N, R, classes + 1] and offsets [N, R, 4 * classes]."""
        count = proposals.shape[1]
        hidden = self.hidden(_pooled(maps, proposals).flatten(1))
        scores, offsets = self.scores(hidden), self.offsets(hidden)
        return scores.reshape([-1, count, scores.shape[-1]]), offsets.reshape([-1, count, offsets.shape[-1]])


def _pooled(maps: list[Tensor], proposals: Tensor) -> Tensor:
    """[N * R, width, 7, 7]. Every level is pooled and all but one multiplied by 0: no size depends on the image."""
    boxes = proposals.reshape([-1, 4])
    counts = paddle.ones_like(proposals[:, :, 0]).sum(1).astype("int32")
    side = (boxes[:, 2:] - boxes[:, :2]).clip(min=1).prod(1).sqrt()
    level = (side / _FINEST_SIDE).log2().floor().clip(-1, _COARSEST - 1) + 1
    total = None
    for number in range(_COARSEST + 1):
        part = roi_align(maps[number], boxes, counts, _POOLED, 1 / STRIDES[number], sampling_ratio=2)
        part = part * (level == number).astype("float32").reshape([-1, 1, 1, 1])
        total = part if total is None else total + part
    return total


def _placed(places: Array, chosen: Tensor) -> Tensor:
    """Anchors [K, 4] and places [N, k] -> [N, k, 4]."""
    rows = paddle.gather(paddle.to_tensor(places), chosen.flatten())
    return rows.reshape([-1, chosen.shape[1], 4])
