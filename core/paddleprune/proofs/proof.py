"""Is an exported file the model? It is run in its own runtime, and compared with the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import paddle

from paddleprune.errors import GraphError, said_by
from paddleprune.exports.inference_files import input_names
from paddleprune.interfaces import Array
from paddleprune.machine.cpu import cpu_threads
from paddleprune.proofs.proved import TOLERANCE, Compared, Port, Proof
from paddleprune.proofs.watched import Watched
from paddleprune.runtimes.modes import Runtime, Session

_NOTHING = 1e-6
"""An output that stays below this share of the largest one is compared at this scale."""
_SEED, _DYNAMIC = 0, (2, 1)
"""Sizes of the probe batches of a file that takes any."""


class Fed(NamedTuple):
    """What a file and its layer are compared on.

    Attributes:
        probe: batches of random numbers: an array for each input.
        data: batches of data.
        samples: of data, without those that only fill up a batch.
        names: of the inputs; those of `input_names` if there are none.
    """

    probe: Sequence[Sequence[Array]]
    data: Sequence[Sequence[Array]] = ()
    samples: int = 0
    names: Sequence[str] = ()

    @classmethod
    def of(cls, shapes: Sequence[tuple[int, ...]], batch: int | None, data: Sequence[Array] = ()) -> Fed:
        """Random numbers of such shapes, and samples of data.

        Args:
            shapes: of the inputs, without the batch axis.
            batch: samples a run; None for any number.
            data: samples for each input, [N, ...].
        """
        return cls(probes(shapes, batch), batches(data, batch), len(data[0]) if data else 0)


def prove(layer: Callable[..., Any], path: Path, runtime: Runtime, fed: Fed) -> tuple[tuple[Port, ...], Proof]:
    """Compare a file with the layer that it was written of, on random numbers and on data.

    Args:
        layer: in evaluation mode; or any function of tensors.
        path: of the file, without suffix; what tells the layers apart is written beside it where the file is wrong.
        runtime: loads it.
        fed: what they are compared on.

    Returns:
        The file's outputs, and the proof.

    Raises:
        GraphError: it doesn't run; or an output differs by more than the tolerance. The message names the output and,
            where it can be found, the first layer that does.
    """
    named = f"{runtime.library} {runtime.version}"
    try:
        session = runtime.load(path, cpu_threads())
        found = [_Difference(layer, session, fed.names) for _ in range(2)]
        for difference, several in zip(found, (fed.probe, fed.data), strict=True):
            for inputs in several:
                difference.add(inputs)
                if difference.wrong is not None:
                    first = _first_wrong_layer(layer, runtime, inputs, path)
                    raise GraphError(f"{difference.describe()}{first}")
    except GraphError as error:
        raise GraphError(f"in {named} the exported file is another model: {error}") from error
    except Exception as error:  # each runtime has its own
        raise GraphError(f"{named} can't run the exported file: {said_by(error)}") from error
    random_part, data_part = found
    with_data = data_part.compared.model_copy(update={"samples": fed.samples}) if fed.data else None
    return random_part.ports, Proof(runtime=named, probe=random_part.compared, data=with_data)


class _Difference:
    """How far each output of a file is from the layer's, over all that was compared so far."""

    def __init__(self, layer: Callable[..., Any], session: Session, names: Sequence[str] = ()) -> None:
        self._layer, self._session, self._names = layer, session, names
        self.samples, self.ports = 0, tuple[Port, ...]()
        self._worst, self._scale = list[float](), list[float]()

    def add(self, inputs: Sequence[Array]) -> None:
        """Compare some samples.

        Raises:
            GraphError: the file gives another number of outputs.
        """
        wanted = _outputs(self._layer, inputs)
        names = self._names or input_names(len(inputs))
        self._session.feed(dict(zip(names, inputs, strict=True)))
        self._session.run()
        got = self._session.outputs()
        if len(wanted) != len(got):
            raise GraphError(f"it has {len(got)} outputs and the model {len(wanted)}")
        pairs = list(zip(wanted, got, strict=True))
        worst, scale = [_difference(a, b) for a, b in pairs], [_largest(a) for a in wanted]
        self._worst = list(map(max, worst, self._worst or worst))
        self._scale = list(map(max, scale, self._scale or scale))
        self.samples += len(inputs[0])
        ports = [Port(name=n, shape=x.shape, dtype=str(x.dtype)) for n, x in zip(self._session.names, got, strict=True)]
        self.ports = tuple(map(_any_size, self.ports or ports, ports))

    @property
    def _shares(self) -> list[float]:
        least = _NOTHING * max(self._scale, default=0.0) or 1.0
        return [worst / max(scale, least) for worst, scale in zip(self._worst, self._scale, strict=True)]

    @property
    def wrong(self) -> int | None:
        """The number of the first output that differs by more than the tolerance; None if all pass."""
        return next((i for i, share in enumerate(self._shares) if not share <= TOLERANCE), None)

    @property
    def compared(self) -> Compared:
        """What was found."""
        names = (port.name for port in self.ports)
        return Compared(samples=self.samples, differences=dict(zip(names, self._shares, strict=True)))

    def describe(self) -> str:
        """What is wrong."""
        assert self.wrong is not None
        share, name = self._shares[self.wrong], self.ports[self.wrong].name
        if share == float("inf"):
            return f"its output {name!r} has another shape, or is finite at other places"
        return f"its output {name!r} differs by {share:.2g} of its largest value, and {TOLERANCE:g} passes"


def _first_wrong_layer(layer: Any, runtime: Runtime, inputs: Sequence[Array], path: Path) -> str:
    """The first layer whose output differs, in the order in which they end; nothing if none can be found."""
    file, shapes = path.with_name("watched"), [array.shape[1:] for array in inputs]
    try:
        with Watched(layer) as watched:
            runtime.write(watched, shapes, file, batch=len(inputs[0]))
            exported, difference = list(watched.names), _Difference(watched, runtime.load(file, cpu_threads()))
            difference.add(inputs)
    except Exception:  # it was only to say more of what is refused anyway
        return ""
    if difference.wrong is None or watched.names != exported:
        return ""
    return f"; the first layer that differs is {exported[difference.wrong]}"


def probes(shapes: Sequence[tuple[int, ...]], batch: int | None) -> list[list[Array]]:
    """Batches of random numbers for inputs of such shapes, of sizes that a file takes."""
    random, sizes = np.random.default_rng(_SEED), _DYNAMIC if batch is None else (batch,)
    return [[random.standard_normal((size, *shape), np.float32) for shape in shapes] for size in sizes]


def batches(samples: Sequence[Array], batch: int | None) -> list[list[Array]]:
    """Samples in batches that a file takes, the last one filled up with the first samples."""
    if not samples:
        return []
    count = len(samples[0])
    starts = range(0, count, batch or count)
    return [[array[np.arange(start, start + (batch or count)) % count] for array in samples] for start in starts]


def _outputs(layer: Callable[..., Any], inputs: Sequence[Array]) -> list[Array]:
    """The layer's outputs in the order in which they are exported: those of a dict by their keys."""
    with paddle.no_grad():
        outputs = paddle.utils.flatten(layer(*map(paddle.to_tensor, inputs)))
    return [leaf.numpy() for leaf in outputs if isinstance(leaf, paddle.Tensor)]


def _difference(a: Array, b: Array) -> float:
    if a.shape != b.shape or not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return float("inf")
    finite = np.isfinite(a)
    return float(np.abs(a[finite].astype(np.float64) - b[finite]).max(initial=0))


def _largest(array: Array) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0))


def _any_size(before: Port, now: Port) -> Port:
    """The same output after two runs: axes that changed are of any size."""
    if len(before.shape) != len(now.shape):
        return now
    shape: Any = tuple(a if a == b else None for a, b in zip(before.shape, now.shape, strict=True))
    return now.model_copy(update={"shape": shape})
