"""The samples that a repair, INT8 or a criterion is made from: training images as evaluation preprocesses them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from paddleprune.api.data import Data, open_plain
from paddleprune.api.loading import check_labels
from paddleprune.errors import ConfigError, DataError
from paddleprune.interfaces import Array, Batch, Dataset, Sample
from paddleprune.machine.cpu import cpu_threads
from paddleprune.registry import Registry
from paddleprune.training import LoadedModel


def open_calibration(
    registry: Registry,
    loaded: LoadedModel,
    calibration: Data | None,
    training: Data | None,
    evaluation: Data,
    what: str = "a repair",
) -> Dataset:
    """What the samples of a repair, or of a quantisation, are drawn from: never the evaluation split.

    Args:
        registry: knows the task.
        loaded: the model, with its preprocessing.
        calibration: what the user gave for it.
        training: the training data, otherwise.
        evaluation: the evaluation data; of a folder the training split is taken, otherwise.
        what: what wants them, for the message.

    Raises:
        ConfigError: neither of them can be used.
        DataError: naming the file or line.
    """
    given = training if calibration is None else calibration
    if given is None and isinstance(evaluation, (str, Path)):
        given = evaluation
    if given is None:
        raise ConfigError(
            f"{what} needs samples that evaluation doesn't use: give train_dataset, or calibration (no labels needed)"
        )
    info = loaded.info
    return open_plain(registry, info.task, given, loaded.options, info.transforms)


def open_labelled(
    registry: Registry, loaded: LoadedModel, criterion: str, training: Data | None, evaluation: Data
) -> Dataset:
    """What a criterion's labelled samples are drawn from: training data as evaluation preprocesses it.

    Args:
        registry: knows the task.
        loaded: the model, with its preprocessing.
        criterion: what wants them, for the message.
        training: the training data.
        evaluation: the evaluation data; of a folder the training split is taken, otherwise.

    Raises:
        ConfigError: neither of them can be used, or has other classes than the model.
        DataError: naming the file or line.
    """
    given = evaluation if training is None and isinstance(evaluation, (str, Path)) else training
    if given is None:
        raise ConfigError(f"{criterion} needs labelled samples that evaluation doesn't use: give train_dataset")
    info = loaded.info
    dataset = open_plain(registry, info.task, given, loaded.options, info.transforms)
    check_labels(dataset, info.labels, "the checkpoint")
    return dataset


def labelled_batches(dataset: Dataset, count: int, size: int) -> list[Batch]:
    """Some samples of a dataset with their labels, in batches; always the same ones.

    Args:
        dataset: what to draw from.
        count: how many samples, at most, as for `calibration_inputs`.
        size: samples a batch.

    Raises:
        DataError: it has no samples, or one can't be read.
    """
    samples = _drawn(dataset, count)
    return [dataset.collate(samples[start : start + size]) for start in range(0, len(samples), size)]


def calibration_inputs(dataset: Dataset, count: int) -> tuple[Array, ...]:
    """The model's inputs for some samples of a dataset, [N, ...] each; always the same ones.

    Args:
        dataset: what to draw from.
        count: how many samples, at most: evenly from the classes, where the dataset tells them.

    Raises:
        DataError: it has no samples, or one can't be decoded.
    """
    return dataset.collate(_drawn(dataset, count))[0]


def _drawn(dataset: Dataset, count: int) -> list[Sample]:
    if not len(dataset):
        raise DataError("the calibration dataset has no samples; give some (200 suffice)")
    with ThreadPoolExecutor(cpu_threads(), thread_name_prefix="decode") as pool:
        return list(pool.map(dataset.__getitem__, choose(dataset, count)))


def choose(dataset: Dataset, count: int) -> list[int]:
    """The samples' numbers: the first of each class in a random order, then the second, and so on."""
    order: list[int] = np.random.default_rng(0).permutation(len(dataset)).tolist()
    classes = None if count >= len(order) else _classes(dataset)
    if classes is None:
        return order[:count]
    by_class: dict[int, list[int]] = {}
    for index in order:
        by_class.setdefault(classes[index], []).append(index)
    return [index for _, index in zip(range(count), _in_turns(list(by_class.values())), strict=False)]


def _classes(dataset: Dataset) -> list[int] | None:
    """The class of every sample; None where samples have none, or would have to be decoded for it."""
    if type(dataset).targets is Dataset.targets:
        return None
    targets = dataset.targets()
    first = next(targets)
    return [int(first), *map(int, targets)] if isinstance(first, (int, np.integer)) else None


def _in_turns(parts: list[list[int]]) -> Iterator[int]:
    for place in range(max(map(len, parts))):
        for part in parts:
            if place < len(part):
                yield part[place]
