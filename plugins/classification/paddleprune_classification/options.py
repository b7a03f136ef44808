"""What a user may choose about each family."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from paddleprune.specs import ImageOptions


class ClassifierOptions(ImageOptions):
    """Options of every classification family. `input_sides` bounds the height and the width of its input."""

    input_sides: ClassVar[tuple[int, int | None]] = (1, None)

    @field_validator("input_size")
    @classmethod
    def _fits(cls, value: tuple[int, int]) -> tuple[int, int]:
        least, most = cls.input_sides
        if min(value) < least or (most is not None and max(value) > most):
            allowed = f"at least {least}" if most is None else f"{least} to {most}"
            raise ValueError(f"this family needs inputs of {allowed} pixels a side, not {value[0]}x{value[1]}")
        return value

    def own(self) -> dict[str, Any]:
        """The options that the family adds to those of all families."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in ImageOptions.model_fields}


class RgbOptions(ClassifierOptions):
    """Families of `paddle.vision.models`, whose first convolution reads three channels."""

    input_channels: Literal[3] = 3


class AlexNetOptions(RgbOptions):
    """AlexNet: its first linear layer is made for a 6x6 map."""

    input_sides = (223, 254)


class GoogLeNetOptions(RgbOptions):
    """GoogLeNet: its auxiliary heads are made for 3x3 maps."""

    input_sides = (189, 236)


class InceptionOptions(RgbOptions):
    """InceptionV3."""

    input_sides = (75, None)
    input_size: tuple[int, int] = (299, 299)


class SqueezeNet10Options(RgbOptions):
    """SqueezeNet 1.0."""

    input_sides = (35, None)


class SqueezeNet11Options(RgbOptions):
    """SqueezeNet 1.1."""

    input_sides = (29, None)


class DenseNetOptions(RgbOptions):
    """DenseNet, with the dropout inside its dense blocks."""

    input_sides = (29, None)
    dropout: float = Field(0.0, ge=0, lt=1, description="share of a dense layer's output dropped in training")


class VggOptions(RgbOptions):
    """VGG, plain or with batch norm."""

    input_sides = (32, None)
    batch_norm: bool = Field(False, description="batch norm after every convolution")


class LeNetOptions(ClassifierOptions):
    """LeNet: grey digits."""

    input_sides = (28, 31)
    num_classes: int = Field(10, ge=1, description="number of classes that the model tells apart")
    input_size: tuple[int, int] = (28, 28)
    input_channels: Literal[1] = 1


class MobileNetOptions(RgbOptions):
    """The MobileNets, with their width multiplier."""

    scale: float = Field(1.0, ge=1 / 32, le=8, description="factor on the channels of every layer")


class WidthOptions(RgbOptions):
    """ResNets of bottleneck blocks."""

    width: int = Field(64, ge=1, le=1024, description="channels of the first stage's 3x3 convolutions")


class BackboneOptions(ClassifierOptions):
    """Families that paddleprune brings itself: any number of channels in, any width."""

    scale: float = Field(1.0, gt=0, le=8, description="factor on the channels of every layer (multiples of 8)")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the pooled features dropped in training")


class DarkNetOptions(BackboneOptions):
    """DarkNet53, at the input size of its paper."""

    input_size: tuple[int, int] = (256, 256)


class XceptionOptions(BackboneOptions):
    """Aligned Xception, at the input size of its paper."""

    input_size: tuple[int, int] = (299, 299)
