"""A detector as PaddleX 3 reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from paddleprune.interfaces import Array, PaddleXModel
from paddleprune.specs import Contract
from paddleprune.vision.colours import mean_and_std
from paddleprune.vision.paddlex import (
    Entrance,
    Padded,
    check_channels,
    colours,
    name_of,
    parts,
    repeatable_steps,
    unsayable,
)
from paddleprune.vision.picture import INTERPOLATIONS
from paddleprune.vision.sizes import size_after
from paddleprune.vision.specs import Letterbox, Normalize, StridePadding
from paddleprune.vision.suppression import Suppression
from paddleprune_detection.boxes import everything
from paddleprune_detection.config import DetectionData
from paddleprune_detection.heads.base import Head
from paddleprune_detection.options import DetectorOptions
from paddleprune_detection.reading import head_of
from paddleprune_detection.transform_specs import Resize

_NAMES = {
    "yolov3_darknet53": "YOLOv3-DarkNet53",
    "yolov3_mobilenet_v3_large": "YOLOv3-MobileNetV3",
    "ppyoloe_s": "PP-YOLOE_plus-S",
    "fcos_resnet50": "FCOS-ResNet50",
    "faster_rcnn_resnet34_fpn": "FasterRCNN-ResNet34-FPN",
    "faster_rcnn_resnet50_fpn": "FasterRCNN-ResNet50-FPN",
}
"""Family -> PaddleX's name."""
_SIZED = (
    *("DETR", "DINO", "RCNN", "YOLOv3", "CenterNet", "BlazeFace"),
    *("PP-DocLayout-L", "PP-DocLayout_plus-L", "PP-DocBlockLayout", "PP-DocLayoutV2"),
)
"""Parts of the names of those models to which PaddleX also feeds the size of the image."""
_SHOWN = 0.5
"""Least score of the objects that PaddleX reports unless it is asked for others; a predictor draws the same."""


def paddlex_model(
    family: str,
    options: DetectorOptions,
    labels: Sequence[str],
    transforms: Sequence[Mapping[str, Any]],
    layer: nn.Layer,
    model_name: str | None,
) -> PaddleXModel:
    """The network with its padding, decoding and suppression.

    Raises:
        ConfigError: PaddleX has no such model, or can't do the preprocessing.
    """
    check_channels(options)
    steps, normalize = repeatable_steps(DetectionData, transforms)
    resize, padded = _resizing(steps, normalize, options.input_channels)
    name, head = name_of(family, _NAMES, model_name), head_of(options)
    config = {
        "Global": {"model_name": name},
        "Preprocess": [
            resize,
            {"type": "NormalizeImage", "norm_type": "mean_std", "is_scale": True, **mean_and_std(normalize)},
            {"type": "Permute"},
        ],
        "label_list": list(labels),
        "draw_threshold": _SHOWN,
    }
    size = size_after(steps[-1], size_after(steps[0], (1, 1)))
    shape = (3, *size) if padded is None else (3, None, None)
    inputs: dict[str, tuple[int | None, ...]] = {"image": shape, "scale_factor": (2,)}
    sized = any(part in name for part in _SIZED)
    if sized:
        inputs["im_shape"] = (2,)
    network = _Detector(layer, head, options.input_channels, padded)
    fed = _Feeds(size, padded is not None, sized)
    return PaddleXModel(config, network, inputs, fed, Suppression(*head.limits))


class _Detector(nn.Layer):
    """Images [N, 3, h, w] and what PaddleX says of them -> boxes [N, K, 4] in pixels of the original, and scores."""

    def __init__(self, network: nn.Layer, head: Head, channels: int, padded: Padded | None) -> None:
        super().__init__()
        self.entrance, self.padded, self.network = Entrance(channels), padded, network
        self._head = head

    def forward(self, image: Tensor, scale_factor: Tensor, im_shape: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Boxes [N, K, 4] and scores [N, classes, K].

        Args:
            image: [N, 3, h, w], resized and normalized.
            scale_factor: [N, 2]: its height and width over those of the original.
            im_shape: [N, 2]: its height and width, for those models that get it.
        """
        given = self.entrance(image)
        outputs = self.network(given if self.padded is None else self.padded(given))
        boxes, scores = everything(self._head, outputs)
        corner = self._corner(image, im_shape)
        if corner is not None:
            boxes = boxes - corner
        return boxes / _twice(scale_factor), scores

    def _corner(self, image: Tensor, im_shape: Tensor | None) -> Tensor | None:
        """Where images lie in the network's input, as it is subtracted from boxes."""
        if im_shape is None:
            if self.padded is None:
                return None
            im_shape = paddle.shape(image)[2:].astype("float32").unsqueeze(0)
        if self.padded is None:  # the difference is none, but every input of a file must be used
            return _twice(im_shape - paddle.to_tensor(np.asarray(image.shape[2:], np.float32)))
        return _twice(paddle.stack(self.padded.corner(im_shape[:, 0], im_shape[:, 1]), axis=-1))


class _Feeds:
    """The network's inputs -> batches of what PaddleX feeds; where there is padding parts of images, too.

    Args:
        size: of the network's input, as the steps make it.
        any_size: is there padding?
        sized: is the size of images fed, too?
    """

    def __init__(self, size: tuple[int, int], any_size: bool, sized: bool) -> None:
        self._size, self._any_size, self._sized = size, any_size, sized

    def __call__(self, inputs: tuple[Array, ...]) -> list[tuple[Array, ...]]:
        """Images, their factors, and perhaps their sizes."""
        images = colours(inputs[0], self._size)
        return [self._with_size(one) for one in (parts(images) if self._any_size else [images])]

    def _with_size(self, images: Array) -> tuple[Array, ...]:
        count = len(images)
        factors = np.tile(np.array([[0.5, 2.0]], np.float32), (count, 1))
        sizes = np.tile(np.array([images.shape[2:]], np.float32), (count, 1))
        return (images, factors, sizes) if self._sized else (images, factors)


def _twice(pairs: Tensor) -> Tensor:
    """Height and width, [N, 2] -> what they are to boxes: width, height, width, height, [N, 1, 4]."""
    return paddle.tile(pairs.flip([1]), [1, 2]).unsqueeze(1)


def _resizing(steps: Sequence[Contract], normalize: Normalize, channels: int) -> tuple[dict[str, Any], Padded | None]:
    """PaddleX's words for the resize; and the padding, if there is any."""
    if not steps or isinstance(steps[0], StridePadding):
        raise unsayable("pads before it resizes" if steps else "doesn't resize")
    first, *rest = steps
    if len(rest) > 1 or not all(isinstance(step, StridePadding) for step in rest):
        names = ", ".join(type(step).__name__ for step in steps)
        raise unsayable(f"is more than a resize and a padding: {names}")
    size = size_after(first, (1, 1))
    whole = size_after(rest[0], size) if rest else size
    if isinstance(first, Letterbox):
        if size[0] != size[1]:
            raise unsayable(f"has a Letterbox of {size[0]}x{size[1]}, which isn't square")
        if rest and whole != size:
            raise unsayable("pads twice, in Letterbox and in Padding")
        padded = Padded(size, _colour(first.fill_value, normalize, channels), frame=size)
        return _resize(size, "LINEAR", keep_ratio=True), padded
    if isinstance(first, Resize):
        black = None if whole == size else Padded(whole, _colour(0, normalize, channels))
        return _resize(size, first.interp, keep_ratio=False), black
    raise unsayable(f"makes images of many sizes: {type(first).__name__}")


def _resize(size: tuple[int, int], interpolation: str, *, keep_ratio: bool) -> dict[str, Any]:
    number = list(INTERPOLATIONS).index(interpolation)
    return {"type": "Resize", "target_size": list(size), "keep_ratio": keep_ratio, "interp": number}


def _colour(value: float, normalize: Normalize, channels: int) -> list[float]:
    """A grey level, normalized: a number for each channel of the network."""
    numbers = mean_and_std(normalize)
    share = round(value) / 255
    return [(share - mean) / std for mean, std in zip(numbers["mean"], numbers["std"], strict=True)][:channels]
