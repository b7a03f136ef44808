"""What a plugin's hooks return, checked: each function gives the result back, or an error that names the hook."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from paddleprune.dependencies import require
from paddleprune.errors import PluginError
from paddleprune.interfaces import Array, Dataset, Distillation, Metric
from paddleprune.specs import PUBLISHED, PublishedWeights
from paddleprune.validation import choose_from

if TYPE_CHECKING:
    from paddle import nn

    from paddleprune.interfaces import Loss, Reduction

T = TypeVar("T")
_METRIC_METHODS = ("reset", "update", "accumulate", "name")


class AdaptedMetric(Metric):
    """A metric of the `paddle.metric.Metric` kind that is no `Metric`: lone names and values become lists."""

    def __init__(self, metric: Any) -> None:
        self._metric = metric
        self.primary = metric.primary
        self.higher_is_better = getattr(metric, "higher_is_better", True)

    def reset(self) -> None:
        """Forget everything."""
        self._metric.reset()

    def update(self, outputs: tuple[Array, ...], targets: Any) -> None:
        """Take in one batch."""
        self._metric.update(outputs, targets)

    def accumulate(self) -> list[float]:
        """The values since `reset`."""
        return [float(value) for value in _as_list(self._metric.accumulate())]

    def name(self) -> list[str]:
        """The values' names."""
        return [str(name) for name in _as_list(self._metric.name())]

    def state(self) -> dict[str, Array] | None:
        """What was taken in, if the metric can tell and take it back."""
        both = all(callable(getattr(self._metric, name, None)) for name in ("state", "restore"))
        found: dict[str, Array] | None = self._metric.state() if both else None
        return found

    def restore(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` gave."""
        self._metric.restore(state)

    def sample_scores(self, outputs: tuple[Array, ...], targets: Any) -> Array | None:
        """Each sample's share in the primary value, if the metric knows."""
        scores = getattr(self._metric, "sample_scores", None)
        return None if scores is None else np.asarray(scores(outputs, targets))

    def reduction(self) -> Reduction | None:
        """What makes of outputs all that the metric needs, if it says so."""
        found = getattr(self._metric, "reduction", None)
        return None if found is None else found()


def instance(result: Any, expected: type[T], origin: str) -> T:
    """`result`, which must be an `expected`."""
    if not isinstance(result, expected):
        raise wrong(result, f"a {expected.__module__}.{expected.__qualname__}", origin)
    return result


def instances(result: Any, expected: type[T], origin: str) -> tuple[T, ...]:
    """`result`, which must be a sequence of `expected`, as a tuple."""
    if not isinstance(result, Sequence) or not all(isinstance(item, expected) for item in result):
        raise wrong(result, f"a list of {expected.__module__}.{expected.__qualname__}", origin)
    return tuple(result)


def layer(result: Any, origin: str) -> nn.Layer:
    """`result`, which must be a paddle.nn.Layer."""
    model: nn.Layer = instance(result, require("paddle", origin).nn.Layer, origin)
    return model


def loss(result: Any, origin: str) -> Loss:
    """`result`, which must be callable."""
    if not callable(result):
        raise wrong(result, "a callable (outputs, targets) -> scalar tensor", origin)
    checked: Loss = result
    return checked


def distillation(result: Any, origin: str) -> Distillation:
    """`result`, which must be callable."""
    if not callable(result):
        raise wrong(result, "a callable (outputs, teacher's outputs) -> scalar tensor", origin)
    checked: Distillation = result
    return checked


def published(result: Any, origin: str) -> dict[str, PublishedWeights]:
    """`result`, which must map names in upper case to files."""
    if isinstance(result, Mapping) and all(
        isinstance(file, PublishedWeights) and re.fullmatch(PUBLISHED, str(name)) for name, file in result.items()
    ):
        return dict(result)
    raise wrong(result, "a mapping of names such as 'IMAGENET' to PublishedWeights", origin)


def settings(result: Any, origin: str) -> dict[str, Any]:
    """`result`, which must map names of settings to values, and name the family."""
    if isinstance(result, Mapping) and isinstance(result.get("model"), str) and all(isinstance(n, str) for n in result):
        return dict(result)
    raise wrong(result, "a mapping of settings of `train`, one of them `model`", origin)


def dataset(result: Any, origin: str) -> Dataset:
    """`result`, which must be a Dataset that has its labels."""
    checked = instance(result, Dataset, origin)  # type: ignore[type-abstract]
    if not hasattr(checked, "labels"):
        raise PluginError(f"{origin} returned a {type(checked).__name__} without `labels`, the names of its classes")
    return checked


def metric(result: Any, origin: str) -> Metric:
    """`result`, which must be a Metric, or have the methods of a paddle.metric.Metric and a `primary`."""
    methods = all(callable(getattr(result, method, None)) for method in _METRIC_METHODS)
    if not methods or not hasattr(result, "primary"):
        raise wrong(result, f"a Metric (with {', '.join(_METRIC_METHODS)} and `primary`)", origin)
    checked = result if isinstance(result, Metric) else AdaptedMetric(result)
    if checked.primary not in checked.name():
        way_out = choose_from(str(checked.primary), checked.name())
        raise PluginError(f"{origin} returned a metric whose primary {checked.primary!r} it doesn't compute{way_out}")
    return checked


def reasons(result: Any, groups: Collection[str], origin: str) -> dict[str, str]:
    """`result`, which must map names of groups to the reasons why each stays whole."""
    if not isinstance(result, Mapping) or not all(isinstance(text, str) for pair in result.items() for text in pair):
        raise wrong(result, "a mapping from group names to reasons", origin)
    for name in result:
        if name not in groups:
            raise PluginError(f"{origin} protects the group {name!r}, which the graph lacks{choose_from(name, groups)}")
    return dict(result)


def wrong(result: Any, expected: str, origin: str) -> PluginError:
    """The error about a result of the wrong type."""
    text = repr(result)
    shown = "None" if result is None else f"{text} ({type(result).__name__})"
    if len(shown) > 100 or "\n" in shown:
        shown = f"a {type(result).__name__}"
    return PluginError(f"{origin} must return {expected}, but returned {shown}")


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
