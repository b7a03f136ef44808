"""Several processes that train one network together, each on its share of every batch (data parallel).

All that is known of Paddle's distributed package is here. A process that trains by itself has `ALONE`, for which every
step is what it would be without ranks.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any, TypeVar

import paddle
from paddle import nn

from paddleprune.console import quiet
from paddleprune.errors import ConfigError, WorkerError
from paddleprune.interfaces import Array
from paddleprune.launched import rank_here, ranks_here
from paddleprune.paddle_private.store import common_store
from paddleprune.pruning.plan import Plan
from paddleprune.pruning.surgery import resize

T = TypeVar("T")
_SECONDS_BETWEEN_LOOKS = 0.02
_HEAD_START = 0.5
"""Seconds: who looks for the first process before that listens looks again after three only."""
_SECONDS_TO_BE_ENDED = 60.0
"""A process that has lost another one waits that long for whoever watches both, and knows which one died of what."""


class Ranks:
    """The processes of a training; this class is that of a single one.

    Attributes:
        rank: the number of this process, from 0. The first one writes, speaks and evaluates for all.
        count: how many there are.
    """

    rank, count = 0, 1

    @property
    def first(self) -> bool:
        """Is this the one that speaks and writes?"""
        return self.rank == 0

    def share(self, batch: Array) -> Array:
        """This process's part of a batch; the parts have one size."""
        size = len(batch) // self.count
        return batch[self.rank * size : (self.rank + 1) * size]

    def once(self, work: Callable[[], T]) -> T:
        """What the first process found, for all: plain data, as JSON has it. The others wait, however long it takes."""
        return work()

    def after_first(self, work: Callable[[], T]) -> T:
        """What each process finds, once the first one has: it may have left something that the others need."""
        return work()

    def average(self, loss: float, parameters: Iterable[Any]) -> float:
        """Give every parameter its mean gradient.

        Returns:
            The mean loss; NaN where it is NaN anywhere.
        """
        return loss

    def average_statistics(self, layer: nn.Layer) -> None:
        """Average what norms that are in training mode have noted of their inputs."""

    def alike(self, layer: nn.Layer, plan: Plan | None) -> Plan | None:
        """Make the networks of all what the first one's is, which may be cut.

        Returns:
            The first one's plan.
        """
        return plan

    def synchronised(self, layer: nn.Layer) -> nn.Layer:
        """Let batch norms see the batches of all; in place."""
        return layer

    def leave(self) -> None:
        """The end of the work together: the first process goes last, since the others talk through it."""


ALONE = Ranks()


class _Together(Ranks):
    """Processes that Paddle has connected, by Gloo on CPUs and by NCCL on GPUs."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count
        self._store, self._met = common_store(), 0

    def once(self, work: Callable[[], T]) -> T:
        name = f"said {self._met}"
        if self.first:
            self._store.set(name, json.dumps(work()))
        self._meet()
        with _reaching():
            found: T = json.loads(self._store.get(name))
        return found

    def after_first(self, work: Callable[[], T]) -> T:
        if not self.first:
            self._meet()
            return work()
        found = work()
        self._meet()
        return found

    def average(self, loss: float, parameters: Iterable[Any]) -> float:
        moved = list(parameters)
        there = paddle.to_tensor([float(parameter.grad is not None) for parameter in moved])
        given = [paddle.zeros_like(p) if p.grad is None else p.grad for p in moved]
        *means, there, mean_loss = self._means([*given, there, paddle.to_tensor([loss], dtype="float32")])
        for parameter, mean, somewhere in zip(moved, means, there.tolist(), strict=True):
            if somewhere:  # what no process has a gradient for isn't moved
                parameter.grad = mean
        return float(mean_loss.item())

    def average_statistics(self, layer: nn.Layer) -> None:
        noted = _statistics(layer)
        for tensor, mean in zip(noted, self._means(noted), strict=True):
            tensor.set_value(mean)

    def alike(self, layer: nn.Layer, plan: Plan | None) -> Plan | None:
        dumped, shapes = self.once(lambda: (None if plan is None else plan.model_dump(mode="json"), _shapes(layer)))
        known = None if dumped is None else Plan.model_validate(dumped)
        if known is not None and _shapes(layer) != shapes:
            sizes = {name: tuple(shape) for name, shape in shapes.items()}
            resize(layer, sizes, known.attributes, known.contents(), known.emptied)
        with paddle.no_grad(), _reaching():
            for tensor in layer.state_dict().values():
                paddle.distributed.broadcast(tensor, 0)
        return known

    def synchronised(self, layer: nn.Layer) -> nn.Layer:
        changed: nn.Layer = nn.SyncBatchNorm.convert_sync_batchnorm(layer)
        return changed

    def leave(self) -> None:
        name = f"left {self._met}"
        with _reaching():
            left = self._store.add(name, 1)
            while self.first and left < self.count:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                left = self._store.add(name, 0)

    def _means(self, tensors: Sequence[Any]) -> list[Any]:
        """The mean over all processes of each tensor, in its type; they go in one message, as float32."""
        if not tensors:
            return []
        with paddle.no_grad():
            flat = paddle.concat([tensor.detach().flatten().astype("float32") for tensor in tensors])
            with _reaching():
                paddle.distributed.all_reduce(flat)
            parts = (flat / self.count).split([tensor.size for tensor in tensors])
            return [p.reshape(t.shape).astype(t.dtype) for p, t in zip(parts, tensors, strict=True)]

    def _meet(self) -> None:
        """Go on when all have come here. Gloo would give up after 30 seconds, and can't be told otherwise."""
        self._met += 1
        with _reaching():
            here = self._store.add("met", 1)
            while here < self._met * self.count:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                here = self._store.add("met", 0)


def _statistics(layer: nn.Layer) -> list[Any]:
    """What layers in training mode hold beside their weights: the mean and variance of batch norms, above all."""
    found: dict[int, Any] = {}
    for part in layer.sublayers(include_self=True):
        if part.training:
            held = [*part.parameters(include_sublayers=False), *part.buffers(include_sublayers=False)]
            found.update({id(t): t for t in held if t.stop_gradient and t.is_floating_point()})
    return list(found.values())


def _shapes(layer: nn.Layer) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in layer.state_dict().items()}


@contextmanager
def _reaching() -> Iterator[None]:
    """What fails meanwhile fails since another process has ended.

    Raises:
        WorkerError: nobody has ended this one, too, for a minute.
    """
    try:
        yield
    except Exception as error:  # Paddle's: of Gloo's and NCCL's a RuntimeError, of its own a ValueError
        time.sleep(_SECONDS_TO_BE_ENDED)
        raise WorkerError(
            "another rank has ended, or is half a minute behind; the same command goes on after the last epoch that "
            "was saved"
        ) from error


def check_ranks(asked: int | None) -> int:
    """How many ranks a training has.

    Args:
        asked: by the user; None leaves it to what started this process.

    Raises:
        ConfigError: it was started otherwise.
    """
    count = ranks_here()
    if asked is not None and asked != count:
        raise ConfigError(
            f"ranks is {asked}, but the processes that were started together are {count}; `paddleprune train --ranks "
            f"{asked}` starts as many, and so does `python -m paddle.distributed.launch`"
        )
    return count


_joined: list[Ranks] = []
"""What connects this process, once it is."""


def join(device: str, sync_norms: bool = False) -> Ranks:
    """Connect the processes that were started together, if there are several.

    Args:
        device: of this one, in Paddle's words.
        sync_norms: whether batch norms are to see the batches of all.

    Raises:
        ConfigError: they can't, on CPUs.
        WorkerError: the processes don't find each other.
    """
    if sync_norms and not device.startswith("gpu:"):
        raise ConfigError(
            f"`sync_norms` needs GPUs, and the device is {device!r}: leave it out; what norms have noted is averaged "
            "before each evaluation"
        )
    if ranks_here() == 1:
        return ALONE
    if _joined:
        return _joined[0]
    if rank_here():
        quiet()
        time.sleep(_HEAD_START)
    if device.startswith("gpu:"):
        os.environ.update(PADDLE_DISTRI_BACKEND="nccl", FLAGS_selected_gpus=device.partition(":")[2])
    else:
        os.environ["PADDLE_DISTRI_BACKEND"] = "gloo"
    try:
        with redirect_stderr(StringIO()):  # Paddle lists its flags there
            paddle.distributed.init_parallel_env()
    except Exception as error:
        raise WorkerError(f"the ranks can't connect: {str(error).strip().splitlines()[-1]}") from error
    _joined.append(_Together(rank_here(), ranks_here()))
    return _joined[0]
