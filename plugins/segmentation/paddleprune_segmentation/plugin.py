"""The segmentation task, as a plugin."""

from __future__ import annotations

from paddleprune.specs import TaskInfo
from paddleprune.vision.plugin import VisionTask
from paddleprune_segmentation.config import SegmentationData, SegmentationLoss
from paddleprune_segmentation.families import AUXILIARY, TASK, families

plugin = VisionTask(
    info=TaskInfo(
        name=TASK,
        description="Which class does each pixel belong to?",
        dataset=SegmentationData,
        loss=SegmentationLoss,
    ),
    families=families(),
    model="paddleprune_segmentation.architectures:build",
    dataset="paddleprune_segmentation.data.dataset:MaskDataset",
    loss="paddleprune_segmentation.losses:weighted_mixture",
    distillation="paddleprune_segmentation.losses:by_pixel",
    metric="paddleprune_segmentation.metrics:Overlap",
    predictor="paddleprune_segmentation.predictor:MaskPredictor",
    demo="paddleprune_segmentation.demo:scenes_demo",
    samples="paddleprune_segmentation.samples:write_roads",
    paddlex="paddleprune_segmentation.paddlex:paddlex_model",
    auxiliary={info.name: (AUXILIARY,) for info in families()},
)
