"""The table of families. How each is built is in `architectures`, which imports Paddle."""

from __future__ import annotations

from paddleprune.specs import FamilyInfo
from paddleprune.vision.plugin import family_table
from paddleprune_detection import options as o

TASK = "detection"

_TABLE: dict[type[o.DetectorOptions], dict[str, str]] = {
    o.YoloOptions: {
        "yolov3_darknet53": "YOLOv3 on DarkNet53",
        "yolov3_resnet34": "YOLOv3 on ResNet with 34 layers",
        "yolov3_mobilenet_v1": "YOLOv3 on MobileNet v1",
        "yolov3_mobilenet_v3_large": "YOLOv3 on MobileNet v3 large",
    },
    o.SsdOptions: {"ssd_mobilenet_v1": "SSD on MobileNet v1"},
    o.FcosOptions: {f"fcos_resnet{n}": f"FCOS on ResNet with {n} layers" for n in (18, 34, 50)},
    o.PpYoloeOptions: {"ppyoloe_s": "PP-YOLOE-s: without anchors, aligned task by task"},
    o.FasterRcnnOptions: {
        f"faster_rcnn_resnet{n}_fpn": f"Faster R-CNN on ResNet with {n} layers and a feature pyramid"
        for n in (18, 34, 50)
    },
}


def families() -> list[FamilyInfo]:
    """Every family of the task, with its options."""
    return family_table(TASK, _TABLE)
