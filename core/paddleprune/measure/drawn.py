"""Some samples of a large data set, that stand for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddleprune.interfaces import Batch, Dataset, Sample

LARGE = 5000
"""Data of more samples is large: it isn't decoded just to tell what it is, and an adaptive analysis draws so many."""
SAMPLED = "sample:"
"""How the hash of large data begins."""


class Part(Dataset):
    """Some samples of a dataset."""

    def __init__(self, whole: Dataset, indices: Sequence[int]) -> None:
        self._whole, self._indices = whole, indices
        self.labels, self.transforms = whole.labels, whole.transforms

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        return self._whole[self._indices[index]]

    def listing(self) -> str:
        """That of the whole dataset."""
        return self._whole.listing()

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """As the whole dataset does."""
        return self._whole.collate(samples)


def drawn(dataset: Dataset, count: int | None) -> Dataset:
    """At most so many samples of a dataset, drawn at random, always the same ones; all where None is said."""
    if count is None or len(dataset) <= count:
        return dataset
    return Part(dataset, np.random.default_rng(0).permutation(len(dataset))[:count].tolist())
