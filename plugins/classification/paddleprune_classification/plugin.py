"""The classification task, as a plugin."""

from __future__ import annotations

from paddleprune.specs import TaskInfo
from paddleprune.vision.plugin import VisionTask
from paddleprune_classification.config import ClassificationData, ClassificationLoss, ClassificationMetric
from paddleprune_classification.families import AUXILIARY_HEADS, TASK, families

plugin = VisionTask(
    info=TaskInfo(
        name=TASK,
        description="Which class does the whole image belong to?",
        dataset=ClassificationData,
        loss=ClassificationLoss,
        metric=ClassificationMetric,
    ),
    families=families(),
    model="paddleprune_classification.architectures:build",
    dataset="paddleprune_classification.data.dataset:ClassDataset",
    loss="paddleprune_classification.losses:weighted_cross_entropy",
    distillation="paddleprune_classification.losses:softened",
    metric="paddleprune_classification.metrics:TopK",
    predictor="paddleprune_classification.predictor:ClassPredictor",
    weights="paddleprune_classification.architectures.published:published_weights",
    demo="paddleprune_classification.demo:digits_demo",
    samples="paddleprune_classification.samples:write_shapes",
    auxiliary=AUXILIARY_HEADS,
    paddlex="paddleprune_classification.paddlex:paddlex_model",
)
