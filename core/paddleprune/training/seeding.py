"""All randomness of an epoch follows from (seed, epoch), so a resumed run repeats what would have been."""

from __future__ import annotations

import random

import numpy as np
import paddle

from paddleprune.interfaces import Array


def seed_everything(seed: int, epoch: int, rank: int = 0) -> None:
    """Seed Paddle, NumPy and Python. Epoch 0 is the initialisation of the weights; training epochs count from 1.

    Ranks draw other numbers each: dropout is to differ between the halves of a batch.
    """
    which = (seed, epoch, rank) if rank else (seed, epoch)
    state = int(np.random.SeedSequence(which).generate_state(1)[0])
    paddle.seed(state)
    np.random.seed(state)
    random.seed(state)


def shuffled(count: int, seed: int, epoch: int) -> Array:
    """The order of `count` samples in an epoch: [count], int64."""
    return np.random.default_rng((seed, epoch)).permutation(count)
