"""Prune a network that PaddleDetection trained, go on training it in PaddleDetection, evaluate it there, and export it.

For the architecture `YOLOv3` with a post-process: YOLOv3, PP-YOLO, PP-YOLOv2 and PP-YOLO tiny.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import paddle
from ppdet.core.workspace import create, load_config
from ppdet.engine import Trainer
from ppdet.utils.checkpoint import load_pretrain_weight

import paddleprune


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="PaddleDetection's configuration, which trained the weights")
    parser.add_argument("--weights", required=True, help="PaddleDetection's model_final.pdparams")
    parser.add_argument("--flops", default="0.5", help="what may stay: a share, or a number such as 150M")
    parser.add_argument("--samples", type=int, default=200, help="training images that the repair looks at")
    parser.add_argument("--epochs", type=int, help="epochs to train after the cut; by default what the file says")
    parser.add_argument("--save-dir", type=Path, default=Path("output/pruned"))
    return parser.parse_args()


def main() -> None:
    """Prune, train, evaluate and export."""
    asked = read_arguments()
    config = load_config(asked.config)
    config.save_dir, config.epoch = str(asked.save_dir), asked.epochs or config.epoch
    model, data = create(config.architecture), create("TrainDataset")()
    load_pretrain_weight(model, asked.weights)

    batch = dict(next(create("TrainReader")(data, 0)))  # with the targets that the training forward wants
    shown = [image for _, image in zip(range(asked.samples), create("EvalReader")(data, 0), strict=False)]
    images = {key: paddle.concat([one[key] for one in shown]) for key in ("image", "im_shape", "scale_factor")}

    chosen, model.post_process = model.post_process, lambda heads, *rest: (heads, heads, heads)  # no cut touches it
    graph = paddleprune.trace(model, [batch])
    plan = paddleprune.plan(graph, flops=asked.flops, calibration=[images])
    certificate = paddleprune.shrink(model, plan, calibration=[images])
    print(plan.summary(), certificate.describe(), sep="\n")
    plan.save(asked.save_dir / "plan.json")
    model.post_process = chosen

    config["model"] = model  # a trainer takes it as it is, and makes its optimizer and its averages of it
    Trainer(config, mode="train").train(validate=True)

    config["model"] = trained = create(config.architecture)
    weights = asked.save_dir / config.filename / "model_final.pdparams"
    paddleprune.load_shrunk(trained, asked.save_dir / "plan.json", weights)
    Trainer(config, mode="eval").evaluate()
    exporter = Trainer(config, mode="test")
    os.environ["ENABLE_FALL_BACK"] = "0"  # PaddleDetection 2.6 exports whole programs, of the kind that Paddle 2 had
    with paddle.pir_utils.OldIrGuard():
        exporter.export(str(asked.save_dir))


if __name__ == "__main__":
    main()
