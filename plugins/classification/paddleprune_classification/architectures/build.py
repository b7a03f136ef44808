"""The table of builders, one for each family of `paddleprune_classification.families`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from paddle import nn
from paddle.vision import models

from paddleprune.backbones import DarkNet53, ResNetVd, Xception
from paddleprune_classification.architectures.inception import PrunableInceptionV3
from paddleprune_classification.architectures.pooled import PooledClassifier
from paddleprune_classification.architectures.shufflenet import PrunableShuffleNetV2
from paddleprune_classification.families import families
from paddleprune_classification.options import BackboneOptions, ClassifierOptions


def build(family: str, options: ClassifierOptions) -> nn.Layer:
    """A freshly initialised model: [N, C, H, W] -> [N, num_classes], or a list of that and the auxiliary heads'."""
    return _BUILDERS[family](options)


def _from_paddle(model: Callable[..., nn.Layer], options: ClassifierOptions) -> nn.Layer:
    return model(num_classes=options.num_classes, **options.own())


def _from_backbone(backbone: Callable[..., nn.Layer], options: BackboneOptions) -> nn.Layer:
    features = backbone(in_channels=options.input_channels, scale=options.scale)
    return PooledClassifier(features, options.num_classes, options.dropout)


_OWN: dict[str, Callable[..., nn.Layer]] = {
    **{f"resnet{depth}_vd": partial(_from_backbone, partial(ResNetVd, depth)) for depth in (18, 34, 50, 101)},
    **{f"xception{depth}": partial(_from_backbone, partial(Xception, depth)) for depth in (41, 65)},
    "darknet53": partial(_from_backbone, DarkNet53),
    **{
        f"shufflenet_v2_x{scale}".replace(".", "_"): partial(_from_paddle, partial(PrunableShuffleNetV2, scale))
        for scale in (0.25, 0.33, 0.5, 1.0, 1.5, 2.0)
    },
    "shufflenet_v2_swish": partial(_from_paddle, partial(PrunableShuffleNetV2, 1.0, "swish")),
    "inception_v3": partial(_from_paddle, PrunableInceptionV3),
    "lenet": partial(_from_paddle, models.LeNet),
}
_BUILDERS: dict[str, Callable[..., nn.Layer]] = {
    info.name: _OWN.get(info.name) or partial(_from_paddle, getattr(models, info.name)) for info in families()
}
