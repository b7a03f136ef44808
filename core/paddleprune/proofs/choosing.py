"""Files whose last step chooses by comparing numbers: the best class of a pixel, the best of boxes that overlap.

Of two numbers that rounding makes equal either may be the larger. So the numbers are compared in a file of their own,
and the choice with what the same step makes of that file's numbers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddleprune.exports.inference_files import input_names
from paddleprune.machine.cpu import cpu_threads
from paddleprune.proofs.proof import Fed, prove
from paddleprune.proofs.proved import Port, Proof
from paddleprune.runtimes.modes import Runtime


class Chained(nn.Layer):
    """A layer and the step after it. (A trace takes no `*inputs`.)"""

    def __init__(self, layer: nn.Layer, choose: nn.Layer) -> None:
        super().__init__()
        self.layer, self.choose = layer, choose

    def forward(self, first: Any, second: Any = None, third: Any = None) -> Any:
        """What the step makes of what the layer gives."""
        made = self.layer(*(given for given in (first, second, third) if given is not None))
        return self.choose(*made) if isinstance(made, list | tuple) else self.choose(made)


def prove_choice(
    layer: nn.Layer,
    choose: Callable[..., Any] | None,
    path: Path,
    runtime: Runtime,
    write: Callable[[nn.Layer, Path], Any],
    fed: Fed,
) -> tuple[tuple[Port, ...], Proof, Proof | None]:
    """Compare a file with the layer that it was written of, and its last step.

    Args:
        layer: what gives the numbers.
        choose: the last step, if there is one.
        path: of the file, without suffix.
        runtime: loads it.
        write: writes a layer like that, without the step, to (layer, path without suffix).
        fed: what they are compared on.

    Returns:
        The file's outputs; the proof of the numbers; that of the choice, if there is one.

    Raises:
        GraphError: as `prove` says.
    """
    if choose is None:
        outputs, proof = prove(layer, path, runtime, fed)
        return outputs, proof, None
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".numbers.") as place:
        numbers = Path(place) / "numbers"
        write(layer, numbers)
        _, proof = prove(layer, numbers, runtime, fed)
        names = fed.names or input_names(len(fed.probe[0]))
        outputs, choice = prove(_Chosen(choose, names, numbers, runtime), path, runtime, fed)
    return outputs, proof, choice


class _Chosen:
    """The last step on the numbers that a file gives."""

    def __init__(self, choose: Callable[..., Any], names: Sequence[str], numbers: Path, runtime: Runtime) -> None:
        self._choose, self._names = choose, names
        self._session = runtime.load(numbers, cpu_threads())

    def __call__(self, *inputs: Any) -> Any:
        fed = {name: np.asarray(tensor.numpy()) for name, tensor in zip(self._names, inputs, strict=True)}
        self._session.feed(fed)
        self._session.run()
        return self._choose(*map(paddle.to_tensor, self._session.outputs()))
