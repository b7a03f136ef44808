"""Which classes masks hold, looked at before hours are spent on masks that can't be meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paddleprune.console import say
from paddleprune.errors import DataError
from paddleprune.specs import Split
from paddleprune.vision.values import IGNORED
from paddleprune_segmentation.data.images import decode_mask
from paddleprune_segmentation.data.lists import Pair

_MOST: dict[Split, int] = {"train": 1000, "eval": 100}
"""Masks that are looked at, at most."""
_BINARY = f"{IGNORED} is ignored; a mask of two classes holds 0 and 1, not 0 and {IGNORED}"


def check_classes(pairs: Sequence[Pair], labels: Sequence[str], split: Split, source: Path) -> None:
    """Say which classes no training mask holds, with the likely cause; masks are read until all classes were seen.

    Args:
        pairs: what the masks are.
        labels: the classes' names.
        split: of evaluation masks only two classes must be seen.
        source: the list that names the masks, for messages.

    Raises:
        DataError: a mask can't be used; or those for training hold one class, and pixels that are ignored.
    """
    wanted = len(labels) if split == "train" else min(2, len(labels))
    seen: set[int] = set()
    looked = pairs[: _MOST[split]]
    for pair in looked:
        seen.update(np.unique(decode_mask(pair.mask, len(labels), pair.origin)).tolist())
        if len(seen - {IGNORED}) >= wanted:
            return
    held, whose = seen - {IGNORED}, f"the {len(looked)} masks of {source}"
    if IGNORED in seen and len(held) < 2:
        only = f"only class {next(iter(held))}" if held else "no class"
        message = f"{whose} hold {only} and {IGNORED}: {_BINARY}"
        if split == "train":
            raise DataError(message)
        say(message)
    elif split == "train":
        missing = [f"{number} ({name!r})" for number, name in enumerate(labels) if number not in held]
        shown = ", ".join(missing[:5]) + ", …" * (len(missing) > 5)
        cause = _BINARY if IGNORED in seen else "is the label list theirs, and its first line class 0?"
        say(f"none of {whose} holds class {shown}, so that it can't be learnt; {cause}")
