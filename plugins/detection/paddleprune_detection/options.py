"""What a user may choose about each family."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, field_validator

from paddleprune.specs import ImageOptions

Scale: TypeAlias = Annotated[float, Field(gt=0, le=8, description="factor on the channels of every layer")]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
YOLO_LEVELS = 3


class DetectorOptions(ImageOptions):
    """Options of every detection family.

    A third party's family has options of this kind too: `reading.head_of` is told how its outputs are read, and the
    task's loss, metric and predictor then work with it.
    """

    num_classes: int = Field(80, ge=1, description="number of classes; there is none for the background")
    input_size: tuple[int, int] = Field((416, 416), description="height and width of the input, in pixels")
    scale: Scale = 1.0
    score_threshold: Share = Field(0.01, description="objects with a lower score aren't reported")
    nms_threshold: Share = Field(0.5, description="of two objects of a class that overlap more, the better one stays")
    max_objects: int = Field(100, ge=1, description="objects reported of an image, at most")


class YoloOptions(DetectorOptions):
    """YOLOv3."""

    nms_threshold: Share = Field(0.45, description="of two objects of a class that overlap more, the better one stays")
    anchors: tuple[tuple[float, float], ...] | None = Field(
        None, description="widths and heights of boxes, in pixels of the input, 3 a level; those of COCO if unset"
    )
    ignore_threshold: Share = Field(
        0.7, description="boxes that overlap an object more than this needn't be background in training"
    )

    @field_validator("anchors")
    @classmethod
    def _usable(cls, value: tuple[tuple[float, float], ...] | None) -> tuple[tuple[float, float], ...] | None:
        if value is None:
            return None
        if not value or len(value) % YOLO_LEVELS:
            raise ValueError(f"{len(value)} anchors; give as many for each of the {YOLO_LEVELS} levels, such as 9")
        for width, height in value:
            if not (0 < width < float("inf") and 0 < height < float("inf")):
                raise ValueError(f"an anchor of {width:g} x {height:g} pixels; both must be positive")
        return tuple(sorted(value, key=lambda size: size[0] * size[1]))


class SsdOptions(DetectorOptions):
    """SSD."""

    input_size: tuple[int, int] = Field((300, 300), description="height and width of the input, in pixels")
    smallest: Share = Field(0.2, gt=0, description="side of the finest level's boxes, as a share of the input's")
    largest: Share = Field(0.95, gt=0, description="side of the coarsest level's boxes, as a share of the input's")


class FcosOptions(DetectorOptions):
    """FCOS."""

    input_size: tuple[int, int] = Field((512, 512), description="height and width of the input, in pixels")


class PpYoloeOptions(DetectorOptions):
    """PP-YOLOE."""

    input_size: tuple[int, int] = Field((640, 640), description="height and width of the input, in pixels")


class FasterRcnnOptions(DetectorOptions):
    """Faster R-CNN."""

    input_size: tuple[int, int] = Field((512, 512), description="height and width of the input, in pixels")
    score_threshold: Share = Field(0.05, description="objects with a lower score aren't reported")
    proposals: int = Field(128, ge=1, le=2000, description="boxes of an image that the second stage looks at")
