"""Prune a network that PaddleClas trained, go on training it in PaddleClas, evaluate it there, and export it.

Run it where `ppcls` can be imported: with a checkout of PaddleClas on the PYTHONPATH.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import paddle
from ppcls.engine.engine import Engine
from ppcls.optimizer import build_optimizer
from ppcls.utils.config import get_config
from ppcls.utils.ema import ExponentialMovingAverage

import paddleprune


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="PaddleClas' configuration, which the weights were trained by")
    parser.add_argument("--weights", required=True, help="PaddleClas' best_model.pdparams")
    parser.add_argument("--flops", default="0.5", help="what may stay: a share, or a number such as 150M")
    parser.add_argument("--samples", type=int, default=200, help="training images that the repair looks at")
    parser.add_argument("--epochs", type=int, help="epochs to train after the cut; by default what the file says")
    parser.add_argument("--save-dir", type=Path, default=Path("output/pruned"))
    return parser.parse_args()


def open_engine(asked: argparse.Namespace, mode: str, weights: str | None = None) -> Engine:
    """PaddleClas' engine; it changes the configuration that it is given."""
    config = get_config(asked.config)
    config.Global.output_dir, config.Global.pretrained_model = str(asked.save_dir), weights
    config.Global.epochs = asked.epochs or config.Global.epochs
    config.profiler_options = None  # as its tools/train.py does
    with paddle.utils.unique_name.guard():  # some networks name their parameters, and are built more than once
        return Engine(config, mode=mode)


def main() -> None:
    """Prune, train, evaluate and export."""
    asked = read_arguments()
    engine = open_engine(asked, "train", asked.weights)
    config, model, data = engine.config, engine.model, engine.train_dataloader.dataset

    images = paddle.to_tensor([data[i][0] for i in range(0, len(data), max(1, len(data) // asked.samples))])
    graph = paddleprune.trace(model, images[:1])
    plan = paddleprune.plan(graph, flops=asked.flops, calibration=images)
    certificate = paddleprune.shrink(model, plan, calibration=images)
    print(plan.summary(), certificate.describe(), sep="\n")
    plan.save(asked.save_dir / "plan.json")

    steps = engine.iter_per_epoch // engine.update_freq  # what the engine made of the dense model is made again
    parts = [model, engine.train_loss_func]
    engine.optimizer, engine.lr_sch = build_optimizer(config.Optimizer, config.Global.epochs, steps, parts)
    if engine.ema:
        engine.model_ema = ExponentialMovingAverage(model, config.EMA.get("decay", 0.9999))
    engine.train()

    weights = asked.save_dir / "best_model.pdparams"
    evaluator, exporter = (open_engine(asked, mode) for mode in ("eval", "export"))
    for one in (evaluator, exporter):
        paddleprune.load_shrunk(one.model, asked.save_dir / "plan.json", weights)
    evaluator.eval()
    exporter.export(str(asked.save_dir))


if __name__ == "__main__":
    main()
