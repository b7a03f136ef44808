"""The detection task, as a plugin."""

from __future__ import annotations

from paddleprune.specs import TaskInfo
from paddleprune.vision.plugin import VisionTask
from paddleprune_detection.config import DetectionData, DetectionLoss, DetectionMetricConfig
from paddleprune_detection.families import TASK, families

plugin = VisionTask(
    info=TaskInfo(
        name=TASK,
        description="Which objects are where?",
        dataset=DetectionData,
        loss=DetectionLoss,
        metric=DetectionMetricConfig,
    ),
    families=families(),
    model="paddleprune_detection.architectures:build",
    dataset="paddleprune_detection.data.dataset:ObjectDataset",
    loss="paddleprune_detection.reading:loss",
    distillation="paddleprune_detection.reading:distillation",
    metric="paddleprune_detection.reading:metric",
    predictor="paddleprune_detection.predictor:ObjectPredictor",
    demo="paddleprune_detection.demo:scenes_demo",
    samples="paddleprune_detection.samples:write_signs",
    paddlex="paddleprune_detection.paddlex:paddlex_model",
    boxes="paddleprune_detection.boxes:box_model",
)
