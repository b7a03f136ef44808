"""Some samples of a large data set, that stand for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddleprune.interfaces import Batch, Dataset, Sample

LARGE = 5000
"""Data of more samples is large: it isn't decoded just to tell what it is, and an adaptive analysis draws so many."""
SAMPLED = "sample:"
"""How the hash of large data begins."""


class Drawn(Dataset):
    """So many samples of a data set, drawn at random, in a random order; always the same ones."""

    def __init__(self, dataset: Dataset, count: int) -> None:
        self._all, self.labels, self.transforms = dataset, dataset.labels, dataset.transforms
        self._chosen = np.random.default_rng(0).permutation(len(dataset))[:count]

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> Sample:
        return self._all[int(self._chosen[index])]

    def listing(self) -> str:
        """That of all."""
        return self._all.listing()

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """As the data set does."""
        return self._all.collate(samples)


def drawn(dataset: Dataset, count: int | None) -> Dataset:
    """At most so many samples of a data set; all where None is said."""
    return dataset if count is None or len(dataset) <= count else Drawn(dataset, count)
