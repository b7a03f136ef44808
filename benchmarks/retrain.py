"""What brings a cut network back, at equal epochs, from the same dense network and at the same budget.

- `control`: the dense network, trained on.
- `plain`: retrained from the cut alone, at the dense network's learning rate.
- `repaired`: from the repaired network, at half of it, as `train` does, and its recipes do.
- `distilled`: likewise, and learning the dense network's outputs.
- `layers`: likewise, and learning what its layers give, too.
- `iterative`: from the repaired network, in rounds, as many as there are epochs but three at most.
- `sparse`: the dense network is trained on for half of the epochs with its units pulled towards zero; then cut,
  repaired and retrained for the rest.

The last line is JSON: for each network and share of the FLOPs gone the mean over seeds, and its standard error.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from trained import Trained, parser_of, trained

import paddleprune
from paddleprune.settings import REPAIRED_RATE

SIDES = ("plain", "repaired", "distilled", "layers", "iterative", "sparse")
_ROUNDS = 3
_SPARSITY = 2.0


def main() -> None:
    """Compare, print, and end with a line of JSON."""
    parser = parser_of(__doc__)
    parser.set_defaults(epochs=3)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES, help="of those above, beside the control")
    asked = parser.parse_args()
    found = {name: _compare(trained(name, asked.folder, asked.full), asked) for name in asked.networks}
    print(json.dumps(found))


def _compare(network: Trained, asked: argparse.Namespace) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    control = _trained(network, asked, {}, REPAIRED_RATE)
    print(f"{network.name}: control {_shown(control)}", flush=True)
    for share in asked.shares:
        rows[f"{share:g}"] = {"control": control}
        for name, (said, rate) in _sides(network, asked.epochs).items():
            if name in asked.sides:
                rows[f"{share:g}"][name] = _trained(network, asked, {**said, "flops": 1 - share}, rate)
                print(f"  -{share:.0%} {name} {_shown(rows[f'{share:g}'][name])}", flush=True)
    return rows


def _sides(network: Trained, epochs: int) -> Mapping[str, tuple[Mapping[str, Any], float]]:
    """What `train` is told, and what the dense network's learning rate is multiplied by."""
    taught = {"teacher": network.checkpoint}
    return {
        "plain": ({"repair": False}, 1.0),
        "repaired": ({}, REPAIRED_RATE),
        "distilled": (taught, REPAIRED_RATE),
        "layers": ({**taught, "distill_layers": 1.0}, REPAIRED_RATE),
        "iterative": ({"rounds": min(_ROUNDS, epochs)}, REPAIRED_RATE),
        "sparse": ({"sparsity": _SPARSITY}, REPAIRED_RATE),
    }


def _trained(network: Trained, asked: argparse.Namespace, said: Mapping[str, Any], rate: float) -> dict[str, float]:
    values = []
    for seed in range(asked.seeds):
        settings = {**network.settings, "seed": seed}
        for name in ("learning_rate", "warmup_start_lr"):
            settings[name] = settings.get(name, 0.0) * rate
        with tempfile.TemporaryDirectory() as folder:
            start, epochs, rest = network.checkpoint, asked.epochs, dict(said)
            if sparsity := rest.pop("sparsity", 0.0):
                first = {"num_epochs": epochs // 2, "sparsity": sparsity, "save_dir": f"{folder}/sparse"}
                found = paddleprune.train(network.task, pretrain_weights=start, **network.data, **{**settings, **first})
                start, epochs = found.best_model, epochs - epochs // 2
            last = {"num_epochs": epochs, "save_interval_epochs": epochs, "save_dir": f"{folder}/last", **rest}
            done = paddleprune.train(network.task, pretrain_weights=start, **network.data, **{**settings, **last})
        values.append(next(iter(done.metrics.values())))
    error = float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0.0
    return {"mean": round(float(np.mean(values)), 4), "error": round(error, 4)}


def _shown(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.4f} ± {value['error']:.4f}"


if __name__ == "__main__":
    main()
