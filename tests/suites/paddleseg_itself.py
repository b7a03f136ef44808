"""What PaddleSeg does by itself, run where it is installed: `train CONFIG FOLDER`, or `outputs CONFIG FOLDER`.

The first trains; the second says what the network of `FOLDER/best_model`, cut by `FOLDER/plan.json`, gives for the
validation images, in `FOLDER/inputs.npz` and `FOLDER/outputs.npz`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle
from paddleseg.core import train
from paddleseg.cvlibs import Config, SegBuilder

import paddleprune

config, folder = Config(sys.argv[2]), Path(sys.argv[3])
builder = SegBuilder(config)
model, data = builder.model, builder.val_dataset
if sys.argv[1] == "train":
    train(
        model,
        builder.train_dataset,
        optimizer=builder.optimizer,
        losses=builder.loss,
        iters=config.iters,
        batch_size=config.batch_size,
        save_dir=str(folder),
    )
else:
    paddleprune.load_shrunk(model, folder / "plan.json", paddle.load(str(folder / "best_model" / "model.pdparams")))
    model.eval()
    images = np.stack([data[i]["img"] for i in range(len(data))])
    np.savez(folder / "inputs.npz", input_0=images)
    np.savez(folder / "outputs.npz", model(paddle.to_tensor(images))[0].numpy())
