"""A network to the model folder that PaddleX 3 reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from paddle import nn

from paddleprune.exports.inference_files import export_model
from paddleprune.exports.paddlex_ops import for_onednn
from paddleprune.files import saving
from paddleprune.interfaces import Array, PaddleXModel
from paddleprune.proofs.choosing import Chained, prove_choice
from paddleprune.proofs.proof import Fed
from paddleprune.proofs.proved import Port, Proof
from paddleprune.runtimes.modes import MODES

STEM = "inference"
"""Of the files; the name is PaddleX's."""
_RUNTIME = MODES["onednn_on"]
"""As PaddleX runs most files on a CPU."""


def export_paddlex(made: PaddleXModel, folder: Path, *, batch: int | None = None) -> list[Path]:
    """Write `inference.json`, `inference.pdiparams` and `inference.yml`.

    Args:
        made: the network, and what the last one says.
        folder: gets them.
        batch: images a run; by default any number.

    Raises:
        GraphError: the network can't be traced.
        SaveError: the disk is full, or the place can't be written.
    """
    whole = made.layer if made.choose is None else Chained(made.layer, made.choose)
    config = folder / f"{STEM}.yml"
    files = _write(made, whole, folder / STEM, batch)
    with saving(config):
        config.write_text(yaml.safe_dump(dict(made.config), sort_keys=False, allow_unicode=True), encoding="utf-8")
    return [*files, config]


def prove_paddlex(
    made: PaddleXModel,
    folder: Path,
    probe: Sequence[Sequence[Array]],
    data: Sequence[Sequence[Array]] = (),
    *,
    samples: int = 0,
    batch: int | None = None,
) -> tuple[tuple[Port, ...], Proof, Proof | None]:
    """Compare what `export_paddlex` wrote with the network.

    Args:
        made: what was written.
        folder: holds it.
        probe: batches of the network's own inputs, random numbers.
        data: likewise, of data.
        samples: of data.
        batch: of the file.

    Returns:
        The file's outputs; the proof of the network; that of the choice, if there is one.

    Raises:
        GraphError: as `prove` says.
    """
    fed = Fed(_fed(made, probe), _fed(made, data), samples, list(made.inputs))

    def write(layer: nn.Layer, path: Path) -> list[Path]:
        return _write(made, layer, path, batch)

    return prove_choice(made.layer, made.choose, folder / STEM, _RUNTIME, write, fed)


def _write(made: PaddleXModel, layer: nn.Layer, path: Path, batch: int | None) -> list[Path]:
    with for_onednn():
        return export_model(layer, list(made.inputs.values()), path, batch=batch, names=list(made.inputs))


def _fed(made: PaddleXModel, several: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """What the layer reads where the network itself reads this."""
    return [[np.ascontiguousarray(part) for part in fed] for batch in several for fed in made.feeds(tuple(batch))]
