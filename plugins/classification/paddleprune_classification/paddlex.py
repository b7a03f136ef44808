"""A classifier as PaddleX 3 reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F  # noqa: N812

from paddleprune.interfaces import PaddleXModel
from paddleprune.specs import Contract
from paddleprune.vision.colours import mean_and_std
from paddleprune.vision.paddlex import (
    Entrance,
    check_channels,
    colours,
    name_of,
    repeatable_steps,
    unsayable,
)
from paddleprune.vision.specs import CenterCrop, Resize, ResizeByShort
from paddleprune_classification.config import ClassificationData
from paddleprune_classification.options import ClassifierOptions

_NAMES = {
    "mobilenet_v1": "MobileNetV1_x1_0",
    "mobilenet_v2": "MobileNetV2_x1_0",
    "mobilenet_v3_small": "MobileNetV3_small_x1_0",
    "mobilenet_v3_large": "MobileNetV3_large_x1_0",
    **{f"resnet{n}": f"ResNet{n}" for n in (18, 34, 50, 101, 152)},
    **{f"resnet{n}_vd": f"ResNet{n}_vd" for n in (18, 34, 50, 101)},
}
"""Family -> PaddleX's name, whatever the width."""
_SHOWN = 5


def paddlex_model(
    family: str,
    options: ClassifierOptions,
    labels: Sequence[str],
    transforms: Sequence[Mapping[str, Any]],
    layer: nn.Layer,
    model_name: str | None,
) -> PaddleXModel:
    """The network with a softmax behind it, since PaddleX takes what it gives for probabilities.

    Raises:
        ConfigError: PaddleX has no such model, or can't do the preprocessing.
    """
    check_channels(options)
    steps, normalize = repeatable_steps(ClassificationData, transforms)
    ops, size = _resizing(steps)
    ops += [{"NormalizeImage": {**mean_and_std(normalize), "channel_num": 3, "order": ""}}, {"ToCHWImage": None}]
    top = {"topk": min(_SHOWN, len(labels)), "label_list": list(labels)}
    config = {
        "Global": {"model_name": name_of(family, _NAMES, model_name)},
        "PreProcess": {"transform_ops": ops},
        "PostProcess": {"Topk": top},
    }
    network = _Classifier(layer, options.input_channels)
    return PaddleXModel(config, network, {"x": (3, *size)}, lambda inputs: [(colours(inputs[0], size),)])


class _Classifier(nn.Layer):
    """[N, 3, H, W] -> probabilities [N, classes]."""

    def __init__(self, network: nn.Layer, channels: int) -> None:
        super().__init__()
        self.entrance, self.network = Entrance(channels), network

    def forward(self, images: Tensor) -> Tensor:
        """The probabilities of the first head."""
        scores = paddle.utils.flatten(self.network(self.entrance(images)))[0]
        return F.softmax(scores.flatten(1), axis=-1)


def _resizing(steps: Sequence[Contract]) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """PaddleX's words for what comes before Normalize, and the height and width of what comes out.

    It resizes, once, and may then crop.
    """
    kinds = [type(step) for step in steps]
    if not steps or isinstance(steps[0], CenterCrop):
        raise unsayable("crops before it resizes" if steps else "doesn't resize")
    first, *rest = steps
    if len(rest) > 1 or not all(isinstance(step, CenterCrop) for step in rest):
        raise unsayable(f"is more than a resize and a crop: {', '.join(kind.__name__ for kind in kinds)}")
    crop = [{"CropImage": {"size": list(step.crop_size[::-1])}} for step in rest if isinstance(step, CenterCrop)]
    if isinstance(first, ResizeByShort):
        if first.max_size > 0:
            raise unsayable(f"limits the longer side to {first.max_size} (max_size of ResizeByShort)")
        if not rest:
            raise unsayable("makes images of many sizes: ResizeByShort without CenterCrop")
        resize: dict[str, Any] = {"resize_short": first.short_size}
    elif isinstance(first, Resize):
        resize = {"size": list(first.target_size[::-1])}
    else:
        raise unsayable(f"has {kinds[0].__name__}")
    last = steps[-1]
    size = last.crop_size if isinstance(last, CenterCrop) else last.target_size  # type: ignore[attr-defined]
    return [{"ResizeImage": resize}, *crop], size
