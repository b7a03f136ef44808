"""A checkpoint out of weights that another program saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddleprune.api.data import Data, open_dataset
from paddleprune.api.evaluate import evaluated
from paddleprune.api.loading import Evaluation, as_path, metric_of
from paddleprune.api.published import fetch_published, is_published
from paddleprune.api.starting import start_from_file
from paddleprune.errors import ConfigError
from paddleprune.files import user_path
from paddleprune.interfaces import Dataset
from paddleprune.locks import locked
from paddleprune.plain_yaml import read_yaml
from paddleprune.registry import Registry
from paddleprune.specs import FamilyOptions
from paddleprune.training import CheckpointInfo, save_checkpoint, seed_everything, select_device
from paddleprune.training.foreign import read_foreign
from paddleprune.training.places import place_for_model

_BATCH = 64


@dataclass(frozen=True)
class ImportedWeights:
    """What became of a file of weights.

    Attributes:
        best_model: the checkpoint.
        by_name: weights that were found by their name.
        by_order: the network's name -> the file's, of those that were found by their shape and order.
        fresh: weights of a head that the file lacks, which start afresh.
        unused: names of the file that the network lacks.
        metrics: what evaluation gave; empty without data.
    """

    best_model: Path
    by_name: int
    by_order: dict[str, str]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]
    metrics: dict[str, float]


def import_weights(
    file: str | Path,
    *,
    task: str,
    model: str,
    save_dir: str | Path,
    options: Mapping[str, Any] | None = None,
    eval_dataset: Data | None = None,
    names: str | Path | Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> ImportedWeights:
    """Make a checkpoint of weights of a family's network that another program saved: to prune, or to train on.

    The file is read as plain data; nothing that it names is run. Weights are found by their names, those that are
    left by shape and order; what matched how is said. Only a head, what depends on the number of classes, may be
    missing, and then starts afresh. With data the imported model is evaluated: a metric that you know is the proof.

    Args:
        file: what `paddle.save` wrote of a network's `state_dict()` (`.pdparams`); a safetensors file, PyTorch's too;
            the weights of an exported model (`.pdiparams`), with its program (`.json` or `.pdmodel`) beside, or the
            folder that holds both; or the name of published weights, "IMAGENET".
        task: a task's name, such as "classification".
        model: a family's name.
        save_dir: gets `best_model/`.
        options: the family's options; without data they say `num_classes`.
        eval_dataset: data that says the classes and the preprocessing, and evaluates.
        names: the network's name -> the file's, where neither name nor order tells; or a YAML file of that.
        overwrite: replace a model that `save_dir` holds.

    Raises:
        CheckpointError: the file can't be read or is refused, or lacks weights of the network.
        GraphError: an exported model's weights have no names, and the network can't be traced.
        ConfigError, DataError, UnknownNameError: an argument can't be used.
    """
    select_device("cpu")
    registry, folder = Registry.discover(), user_path(save_dir)
    registry.task(task)
    chosen, data = _opened(registry, task, model, options, eval_dataset)
    given = fetch_published(registry, task, model, chosen, str(file)) if is_published(file) else as_path(file, "file")
    found, said = read_foreign(given), _names(names)
    with locked(folder / ".lock", folder, "choose another save_dir"):
        best = place_for_model(folder, overwrite)
        seed_everything(0, 0)
        layer, fitted = start_from_file(registry, task, model, chosen, found, said)
        labels = () if data is None else tuple(data.labels)
        metric = metric_of(registry, task, {}, labels, chosen)
        metrics = {} if data is None else evaluated(layer, Evaluation(data, metric), _BATCH)
        info = CheckpointInfo(
            task=task,
            family=model,
            options=chosen.model_dump(mode="json"),
            labels=labels,
            transforms=() if data is None else tuple(step.model_dump(mode="json") for step in data.transforms),
            primary_metric=metric.primary,
            higher_is_better=metric.higher_is_better,
            metrics=metrics,
            imported=f"{found.path.name} {found.sha256}",
        )
        save_checkpoint(best, layer, info)
    by_name = len(fitted.weights) - len(fitted.by_order)
    return ImportedWeights(best, by_name, fitted.by_order, fitted.missing, fitted.unused, metrics)


def _opened(
    registry: Registry, task: str, model: str, options: Mapping[str, Any] | None, data: Data | None
) -> tuple[FamilyOptions, Dataset | None]:
    """The family's options, with as many classes as the data has, and the data."""
    given = dict(options or {})
    if data is None:
        if "num_classes" not in given:
            raise ConfigError("say how many classes the weights are for: options num_classes=1000, or give data")
        return registry.options(task, model, given), None
    dataset = open_dataset(registry, task, data, "eval", registry.options(task, model, given))
    chosen = registry.options(task, model, {**given, "num_classes": given.get("num_classes", len(dataset.labels))})
    if chosen.num_classes != len(dataset.labels):
        raise ConfigError(f"num_classes is {chosen.num_classes}, but the data has {len(dataset.labels)} classes")
    return chosen, dataset


def _names(given: str | Path | Mapping[str, str] | None) -> Mapping[str, str]:
    if given is None or isinstance(given, Mapping):
        return given or {}
    path = user_path(given)
    found = read_yaml(path, "the names in", ConfigError)
    if not isinstance(found, dict) or not all(isinstance(part, str) for pair in found.items() for part in pair):
        raise ConfigError(f"{path} holds no names: `the network's name: the file's name` was expected, line by line")
    return found
