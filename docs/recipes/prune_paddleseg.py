"""Prune a network that PaddleSeg trained, go on training it in PaddleSeg, evaluate it there, and export it."""

from __future__ import annotations

import argparse
from pathlib import Path

import paddle
from paddleseg.core import evaluate, train
from paddleseg.cvlibs import Config, SegBuilder
from paddleseg.utils import utils

import paddleprune


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="PaddleSeg's configuration, which the weights were trained by")
    parser.add_argument("--weights", required=True, help="PaddleSeg's model.pdparams")
    parser.add_argument("--flops", default="0.5", help="what may stay: a share, or a number such as 150M")
    parser.add_argument("--samples", type=int, default=200, help="training images that the repair looks at")
    parser.add_argument("--iters", type=int, help="batches to train after the cut; by default what the file says")
    parser.add_argument("--save-interval", type=int, default=1000, help="batches from one evaluation to the next")
    parser.add_argument("--log-iters", type=int, default=10, help="batches from one line of the log to the next")
    parser.add_argument("--save-dir", type=Path, default=Path("output/pruned"))
    return parser.parse_args()


def main() -> None:
    """Prune, train, evaluate and export."""
    asked = read_arguments()
    config = Config(asked.config, iters=asked.iters)
    builder = SegBuilder(config)
    model, data = builder.model, builder.train_dataset
    utils.load_entire_model(model, asked.weights)

    images = paddle.to_tensor([data[i]["img"] for i in range(min(asked.samples, len(data)))])
    graph = paddleprune.trace(model, images[:1])
    plan = paddleprune.plan(graph, flops=asked.flops, calibration=images)
    certificate = paddleprune.shrink(model, plan, calibration=images)
    print(plan.summary(), certificate.describe(), sep="\n")
    plan.save(asked.save_dir / "plan.json")

    train(
        model,
        data,
        builder.val_dataset,
        builder.optimizer,  # is made here, of the cut model
        losses=builder.loss,
        iters=config.iters,
        batch_size=config.batch_size,
        save_interval=asked.save_interval,
        log_iters=asked.log_iters,
        save_dir=str(asked.save_dir),
        test_config=config.test_config,
    )

    best = SegBuilder(config).model
    weights = asked.save_dir / "best_model" / "model.pdparams"
    paddleprune.load_shrunk(best, asked.save_dir / "plan.json", weights)
    evaluate(best, builder.val_dataset, **config.test_config)
    paddleprune.export(best, shapes=[images.shape[1:]], save_dir=asked.save_dir / "inference")


if __name__ == "__main__":
    main()
