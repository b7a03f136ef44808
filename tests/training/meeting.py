"""Two ranks that try what ranks do; each says what came of it, as a line of JSON."""

from __future__ import annotations

import json
import math
import os
import time

import paddle
from paddle import nn

from paddleprune.training.ranks import join


def main() -> dict[str, object]:
    """What this rank got."""
    ranks = join("cpu")
    mine = float(ranks.rank + 1)
    layer = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1D(2), nn.BatchNorm1D(2))
    layer[2].eval()
    for norm in (layer[1], layer[2]):
        norm._mean.set_value(paddle.full([2], mine))
    layer.register_buffer("steps", paddle.to_tensor(ranks.rank))
    layer[0].weight.grad = paddle.full([2, 2], mine)
    if ranks.first:
        layer[1].weight.grad = paddle.ones([2])
    parameters = [parameter for parameter in layer.parameters() if not parameter.stop_gradient]
    loss = ranks.average(mine, parameters)
    gradients = [None if p.grad is None else p.grad.flatten().tolist() for p in parameters]
    ranks.average_statistics(layer)
    long = ranks.once(lambda: "x" * 3_000_000)
    synchronised = ranks.synchronised(layer)
    found = {
        "long": len(long),
        "synchronised": [type(part).__name__ for part in synchronised],
        "weights": list(synchronised.state_dict()),
        "rank": ranks.rank,
        "loss": loss,
        "broken": math.isnan(ranks.average(math.nan if ranks.rank else 1.0, parameters)),
        "gradients": gradients,
        "statistics": synchronised[1]._mean.tolist(),
        "frozen": layer[2]._mean.tolist(),
        "once": ranks.once(lambda: time.sleep(0.2) or [ranks.rank, None, "ä"]),
        "share": ranks.share(paddle.arange(6).numpy()).tolist(),
    }
    ranks.leave()
    return found


if __name__ == "__main__":
    for rank in ("0", "1"):
        if not os.fork():
            os.environ["PADDLE_TRAINER_ID"] = rank
            print(json.dumps(main()), flush=True)
            os._exit(0)
    for _ in range(2):
        os.wait()
