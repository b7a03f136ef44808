"""How much each class counts in a loss, for data in which some classes are rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BeforeValidator, Field

from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array, Dataset


def _known_word(value: Any) -> Any:
    if isinstance(value, str) and value != "balanced":
        raise ValueError("must be a number for each class, such as [1, 2.5], or balanced")
    return value


_Numbers: TypeAlias = tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]
ClassWeights: TypeAlias = Annotated[_Numbers | Literal["balanced"] | None, BeforeValidator(_known_word)]
"""A number for each class, in the order of their numbers; or "balanced": as if all were equally frequent."""
DESCRIPTION = "a number for each class, or balanced: rare classes count as much as frequent ones"


def class_weights(wanted: ClassWeights, classes: int, dataset: Dataset | None) -> Array | None:
    """What each class counts: [classes], float32; None where all count the same.

    Balanced weights are the number of all targets / (classes that occur * targets of this class), so that their mean
    over the data is 1; a class that doesn't occur has 0.

    Args:
        wanted: what the user said.
        classes: how many there are.
        dataset: the training data, whose targets are class numbers or arrays of them; others (255) don't count.

    Raises:
        ConfigError: there are other numbers of weights and classes, only zeros, or no data to balance.
    """
    if wanted is None:
        return None
    if wanted != "balanced":
        return _checked(wanted, classes)
    if dataset is None:
        raise ConfigError("class_weights: balanced needs the training data; give a number for each class")
    counts = np.zeros(classes, np.int64)
    for target in dataset.targets():
        numbers = np.asarray(target).ravel()
        counts += np.bincount(numbers[numbers < classes], minlength=classes)
    present = int((counts > 0).sum())
    balanced = counts.sum() / np.maximum(present * counts, 1) * (counts > 0)
    return np.asarray(balanced, np.float32)


def _checked(weights: Sequence[float], classes: int) -> Array:
    if len(weights) != classes:
        raise ConfigError(
            f"class_weights has {len(weights)} numbers, but there are {classes} classes; give one for each"
        )
    if not any(weights):
        raise ConfigError("class_weights are all 0, so that there is nothing to minimise")
    return np.array(weights, np.float32)
