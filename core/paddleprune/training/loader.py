"""Training batches, in an order that (seed, epoch) decides, decoded ahead by threads.

Threads rather than `paddle.io.DataLoader`: on Paddle 3.3.1 an error while reading a sample makes that one
hang (no workers) or end in "Blocking queue is killed" (workers), and the user must see the file's name.
OpenCV releases the interpreter lock while it decodes and resizes: `make bench-decode` says how much that leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import paddle

from paddleprune.errors import DataError
from paddleprune.interfaces import Array, Batch, Dataset, Sample, read_sample
from paddleprune.training.ranks import ALONE, Ranks
from paddleprune.training.seeding import shuffled

_BATCHES_AHEAD = 2


class TrainLoader:
    """The batches of every epoch. A last incomplete batch is left out; the shuffle varies whom that hits.

    Args:
        dataset: the training split; several threads read it at once.
        batch_size: samples a batch.
        seed: decides the order, together with the epoch.
        num_workers: threads that decode ahead; 0 decodes on demand.
        parts: in how many equal parts a batch comes.
        ranks: each of which reads its share of every batch.

    Raises:
        DataError: there are fewer samples than a batch takes.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, seed: int, num_workers: int, parts: int = 1, ranks: Ranks = ALONE
    ) -> None:
        if len(dataset) < batch_size:
            raise DataError(
                f"the training dataset has {len(dataset)} samples, fewer than train_batch_size {batch_size}; "
                "add samples or choose a smaller train_batch_size"
            )
        self.dataset, self.batch_size, self.seed, self.num_workers = dataset, batch_size, seed, num_workers
        self._ranks, self._part = ranks, batch_size // ranks.count // parts

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.dataset) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[list[Batch]]:
        """This rank's share of the batches of an epoch, each in its parts, as the dataset collates them (NumPy)."""
        self.dataset.set_epoch(self.seed, epoch)
        order = shuffled(len(self.dataset), self.seed, epoch)
        size = self.batch_size
        batches = [self._ranks.share(order[i * size : (i + 1) * size]) for i in range(len(self))]
        samples = self._read_ahead(batches) if self.num_workers else self._read(batches)
        starts = range(0, size // self._ranks.count, self._part)
        return ([self.dataset.collate(batch[start : start + self._part]) for start in starts] for batch in samples)

    def _read(self, batches: list[Array]) -> Iterator[list[Sample]]:
        for indices in batches:
            yield [read_sample(self.dataset, int(i)) for i in indices]

    def _read_ahead(self, batches: list[Array]) -> Iterator[list[Sample]]:
        pool = ThreadPoolExecutor(self.num_workers, thread_name_prefix="decode")
        waiting: deque[list[Future[Sample]]] = deque()
        try:
            for indices in batches:
                waiting.append([pool.submit(read_sample, self.dataset, int(i)) for i in indices])
                if len(waiting) > _BATCHES_AHEAD:
                    yield [future.result() for future in waiting.popleft()]
            while waiting:
                yield [future.result() for future in waiting.popleft()]
        finally:
            pool.shutdown(cancel_futures=True)


def to_tensors(value: Any) -> Any:
    """Arrays, or nests of them, as tensors on the current device; everything else as it is."""
    if isinstance(value, (np.ndarray, np.generic)):
        return paddle.to_tensor(value)
    if isinstance(value, dict):
        return {key: to_tensors(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(to_tensors(part) for part in value)
    return value
