"""What PaddleX says of an image: run by the interpreter of an environment that has PaddleX, and nothing of paddleprune.

Its arguments: PaddleX's name of the model, the model folder, the image, a file for the results (`.npz`), and JSON of
arguments of `predict`.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import paddlex

name, folder, image, target, arguments = sys.argv[1:]
(result,) = paddlex.create_model(name, model_dir=folder, device="cpu").predict(image, **json.loads(arguments))
found = {
    key: np.asarray(result[key])
    for key in ("class_ids", "scores", "label_names", "pred")
    if result.get(key) is not None
}
if "boxes" in result:
    found["class_ids"] = np.array([box["cls_id"] for box in result["boxes"]])
    found["label_names"] = np.array([box["label"] for box in result["boxes"]])
    found["scores"] = np.array([box["score"] for box in result["boxes"]])
    found["boxes"] = np.array([box["coordinate"] for box in result["boxes"]], np.float64).reshape(-1, 4)
np.savez(target, **found)
