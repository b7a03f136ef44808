"""What PaddleDetection does by itself, run where it is installed: `train CONFIG`, or `outputs CONFIG FOLDER`.

The second says what the network of `FOLDER`, cut by `FOLDER/plan.json`, gives for the evaluation images, in
`FOLDER/inputs.npz` and `FOLDER/outputs.npz`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle
from ppdet.core.workspace import create, load_config
from ppdet.engine import Trainer

import paddleprune

config = load_config(sys.argv[2])
paddle.seed(0)
np.random.seed(0)
if sys.argv[1] == "train":
    Trainer(config, mode="train").train()
else:
    folder = Path(sys.argv[3])
    config["model"] = model = create(config.architecture)
    weights = paddle.load(str(folder / config.filename / "model_final.pdparams"))
    paddleprune.load_shrunk(model, folder / "plan.json", weights)
    batches = list(Trainer(config, mode="eval").loader)
    inputs = {key: paddle.concat([batch[key] for batch in batches]) for key in ("image", "im_shape", "scale_factor")}
    model.eval()
    found = model(inputs)
    np.savez(folder / "inputs.npz", **{key: tensor.numpy() for key, tensor in inputs.items()})
    np.savez(folder / "outputs.npz", found["bbox"].numpy(), found["bbox_num"].numpy())
