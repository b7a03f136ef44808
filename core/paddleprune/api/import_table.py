"""A sensitivity table out of what PaddleX or PaddleSlim measured."""

from __future__ import annotations

from pathlib import Path

from paddleprune.api.loading import graph_of_loaded, open_model
from paddleprune.errors import ConfigError
from paddleprune.files import user_path
from paddleprune.interfaces import Scorer
from paddleprune.plain_yaml import read_yaml
from paddleprune.registry import Registry
from paddleprune.sensitivity import model_digest
from paddleprune.sensitivity.criteria.importance import criterion_name
from paddleprune.sensitivity.measuring.kept import writing_table
from paddleprune.sensitivity.table.imported import ImportedTable, table_from
from paddleprune.sensitivity.table.unpickle import read_losses
from paddleprune.settings import FilterCriterion


def import_table(
    file: str | Path,
    *,
    model: str | Path,
    save_file: str | Path,
    shapes: str | Path | None = None,
    criterion: FilterCriterion | Scorer = "l1",
) -> ImportedTable:
    """Turn the pickled sensitivities of PaddleX 1.3 or PaddleSlim into a table for `train`.

    The file is read by an unpickler that knows dicts, numbers and strings and refuses anything else. Its
    parameters are matched by structured names where they have them, otherwise by shape and order.

    Args:
        file: what `slim.prune.analysis` of PaddleX, or `sensitive` of a pruner of PaddleSlim, wrote.
        model: checkpoint folder of the model that will be pruned: its own weights, of the same architecture.
        save_file: where the table goes.
        shapes: a YAML file of parameter name -> shape, such as PaddleX's prune.yml.
        criterion: what ranked the filters; PaddleX always used "l1".

    Returns:
        The table, and what matched and what didn't.

    Raises:
        TableError: the file can't be read or is refused, or nothing in it matches the model.
        CheckpointError, ConfigError: the model or the shapes can't be used.
    """
    source = user_path(file)
    losses = read_losses(source)
    known = None if shapes is None else _read_shapes(user_path(shapes))
    registry = Registry.discover()
    loaded = open_model(registry, model)
    imported = table_from(
        losses,
        graph_of_loaded(registry, loaded),
        model=model_digest(loaded.layer),
        source=source.name,
        criterion=criterion_name(criterion),
        shapes=known,
    )
    with writing_table(user_path(save_file)):
        imported.table.save(user_path(save_file))
    return imported


def _read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Parameter -> shape.

    Raises:
        ConfigError: the file holds something else.
    """
    found = read_yaml(path, "the shapes in", ConfigError)
    if not isinstance(found, dict) or not all(_is_shape(shape) for shape in found.values()):
        raise ConfigError(f"{path} holds no shapes: `name: [filters, channels, height, width]` was expected")
    return {str(name): tuple(shape) for name, shape in found.items()}


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int for n in value)
