"""What PaddleClas does by itself, run where `ppcls` is: `train CONFIG`, or `outputs CONFIG FOLDER`.

The second says what the network of `FOLDER`, cut by `FOLDER/plan.json`, gives for the evaluation images, in
`FOLDER/inputs.npz` and `FOLDER/outputs.npz`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle
from ppcls.engine.engine import Engine
from ppcls.utils.config import get_config

import paddleprune

config = get_config(sys.argv[2])
config.profiler_options = None
if sys.argv[1] == "train":
    Engine(config, mode="train").train()
else:
    folder, engine = Path(sys.argv[3]), Engine(config, mode="eval")
    weights = paddle.load(str(folder / "best_model.pdparams"))
    paddleprune.load_shrunk(engine.model, folder / "plan.json", weights)
    engine.model.eval()
    images = paddle.concat([batch[0] for batch in engine.eval_dataloader])
    np.savez(folder / "inputs.npz", x=images.numpy())
    np.savez(folder / "outputs.npz", paddle.nn.functional.softmax(engine.model(images)).numpy())
