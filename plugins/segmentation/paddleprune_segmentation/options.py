"""What a user may choose about each family."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from paddleprune.specs import ImageOptions

Scale: TypeAlias = Annotated[float, Field(gt=0, le=8, description="factor on the channels of every layer")]


class SegmenterOptions(ImageOptions):
    """Options of every segmentation family; each takes images of any size and any number of channels."""

    num_classes: int = Field(2, ge=1, le=255, description="number of classes, the background included")
    input_size: tuple[int, int] = Field((512, 512), description="height and width of the input, in pixels")


class UNetOptions(SegmenterOptions):
    """U-Net."""

    width: int = Field(64, ge=1, le=1024, description="channels at full size; each halving doubles them")
    depth: int = Field(4, ge=1, le=8, description="how many times the size is halved")
    upsample: Literal["bilinear", "transposed"] = Field(
        "bilinear", description="interpolation, or transposed convolutions"
    )


class ScaledOptions(SegmenterOptions):
    """Families with a width multiplier and auxiliary heads."""

    scale: Scale = 1.0
    aux_heads: bool = Field(True, description="auxiliary heads in training; evaluation doesn't run them")


class HrNetOptions(SegmenterOptions):
    """HRNet."""

    scale: Scale = 1.0


class DeepLabOptions(SegmenterOptions):
    """DeepLab v3+."""

    scale: Scale = 1.0
    output_stride: Literal[8, 16] = Field(16, description="stride of the backbone's coarsest map")
    aspp: bool = Field(True, description="atrous spatial pyramid pooling")
    decoder: bool = Field(True, description="join the result with the backbone's finest map")
    head_width: int = Field(256, ge=1, le=4096, description="channels of the pyramid and the decoder")


class MobileDeepLabOptions(DeepLabOptions):
    """DeepLab v3+ on MobileNet v2."""

    scale: float = Field(1.0, ge=0.25, le=2.0, description="factor on the channels of the backbone")
