"""Where Paddle publishes the weights of its networks, trained on ImageNet."""

from __future__ import annotations

import importlib

from paddleprune.errors import ConfigError
from paddleprune.specs import PublishedWeights
from paddleprune_classification.options import ClassifierOptions

_MODULES = (
    *("alexnet", "densenet", "googlenet", "inceptionv3", "mobilenetv1", "mobilenetv2", "mobilenetv3"),
    *("resnet", "shufflenetv2", "squeezenet", "vgg"),
)
"""Those of `paddle.vision.models` that have a table of files."""
_NAMES = {
    "mobilenet_v1": "mobilenetv1_1.0",
    "mobilenet_v2": "mobilenetv2_1.0",
    "mobilenet_v3_small": "mobilenet_v3_small_x1.0",
    "mobilenet_v3_large": "mobilenet_v3_large_x1.0",
}
"""Paddle's names of the files, where they aren't the families'."""


def published_weights(family: str, options: ClassifierOptions) -> dict[str, PublishedWeights]:
    """The file of ImageNet's weights, if Paddle has one of the family.

    Raises:
        ConfigError: the file is for another width or structure.
    """
    tables = (importlib.import_module(f"paddle.vision.models.{module}").model_urls for module in _MODULES)
    files = {name: file for table in tables for name, file in table.items()}
    file = files.get(_NAMES.get(family, family))
    if file is None:
        return {}
    usual = type(options)()
    other = next((name for name in options.own() if getattr(options, name) != getattr(usual, name)), None)
    if other is not None and other != "dropout":
        raise ConfigError(f"weights of {family} are published for {other}={getattr(usual, other)} alone")
    return {"IMAGENET": PublishedWeights(url=file[0], md5=file[1])}
