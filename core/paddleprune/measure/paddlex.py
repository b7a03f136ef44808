"""A network to the model folder that PaddleX 3 reads."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import yaml
from paddle import nn

from paddleprune.files import saving
from paddleprune.interfaces import Array, PaddleXModel
from paddleprune.measure.export import export_model
from paddleprune.measure.machine import cpu_threads
from paddleprune.measure.paddlex_ops import for_onednn
from paddleprune.measure.proof import Fed, Port, Proof, prove_on
from paddleprune.measure.runtimes import MODES

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
    whole = made.layer if made.choose is None else _Whole(made.layer, made.choose)
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

    Where the last step chooses, the numbers that it chooses from are compared in a file of their own, and the choice
    with what the same step makes of that file's numbers.

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
    shapes = list(made.inputs.values())
    if made.choose is None:
        outputs, proof = prove_on(made.layer, folder / STEM, _RUNTIME, shapes, fed)
        return outputs, proof, None
    with tempfile.TemporaryDirectory(dir=folder, prefix=".numbers.") as place:
        numbers = Path(place) / "numbers"
        _write(made, made.layer, numbers, batch)
        _, proof = prove_on(made.layer, numbers, _RUNTIME, shapes, fed)
        outputs, choice = prove_on(_Chosen(made, numbers), folder / STEM, _RUNTIME, shapes, fed)
    return outputs, proof, choice


class _Whole(nn.Layer):
    """A layer and the step after it. (A trace takes no `*inputs`.)"""

    def __init__(self, layer: nn.Layer, choose: nn.Layer) -> None:
        super().__init__()
        self.layer, self.choose = layer, choose

    def forward(self, first: Any, second: Any = None, third: Any = None) -> Any:
        """What the step makes of what the layer gives."""
        made = self.layer(*(given for given in (first, second, third) if given is not None))
        return self.choose(*made) if isinstance(made, list | tuple) else self.choose(made)


class _Chosen:
    """The last step on the numbers that a file gives."""

    def __init__(self, made: PaddleXModel, numbers: Path) -> None:
        self._choose, self._names = made.choose, list(made.inputs)
        self._session = _RUNTIME.load(numbers, cpu_threads())

    def __call__(self, *inputs: Any) -> Any:
        self._session.feed({name: tensor.numpy() for name, tensor in zip(self._names, inputs, strict=True)})
        self._session.run()
        assert self._choose is not None
        return self._choose(*map(paddle.to_tensor, self._session.outputs()))


def _write(made: PaddleXModel, layer: nn.Layer, path: Path, batch: int | None) -> list[Path]:
    with for_onednn():
        return export_model(layer, list(made.inputs.values()), path, batch=batch, names=list(made.inputs))


def _fed(made: PaddleXModel, several: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """What the layer reads where the network itself reads this."""
    return [[np.ascontiguousarray(part) for part in fed] for batch in several for fed in made.feeds(tuple(batch))]
