"""What a training run was asked for: the same again goes on, anything else is refused by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from paddleprune.errors import CheckpointError
from paddleprune.settings import TrainSettings
from paddleprune.signed import Signed, read_signed, write_signed
from paddleprune.specs import Contract

RUN = "run.json"


class Source(Contract):
    """A file that a run starts from; where it lies doesn't matter, what it holds does."""

    path: Path
    sha256: str

    @classmethod
    def of(cls, file: Path, path: Path) -> Source:
        """The content of `file`, which the person calls `path`.

        Raises:
            CheckpointError: it can't be read.
        """
        try:
            return cls(path=path, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
        except OSError as error:
            raise CheckpointError(f"cannot read {file}: {error.strerror}") from error


class Asked(Signed):
    """What `run.json` holds: all that decides about a run's weights and its best model.

    Attributes:
        options, loss, metric: resolved, with their defaults.
        training_samples, evaluation_samples: how many there are.
        labels: names of the classes.
        train_transforms, eval_transforms: the preprocessing, resolved.
        pretrain_weights: where the run starts; None from scratch.
        teacher: what it learns from, beside the labels.
        sensitivities_file: the table that it prunes with.
        eval_metric_loss, flops, params, latency, max_loss, save, runtime, threads, onednn, repair, round_to, depth,
            exclude, only, criterion: how, if it prunes.
        rounds: how often, if more than once; then `settings` has the epochs of all rounds.
        resumed: the checkpoint of another `save_dir` that it goes on from.
        settings: of the training.
    """

    signed_since: ClassVar[int] = 1
    way_out: ClassVar[str] = "start the run again with `overwrite`, or in another save_dir"

    schema_version: int = 1
    task: str
    family: str
    options: dict[str, Any]
    loss: dict[str, Any]
    metric: dict[str, Any]
    training_samples: int
    evaluation_samples: int
    labels: tuple[str, ...]
    train_transforms: tuple[dict[str, Any], ...]
    eval_transforms: tuple[dict[str, Any], ...]
    pretrain_weights: Source | None = None
    teacher: Source | None = None
    sensitivities_file: Source | None = None
    eval_metric_loss: float | None = None
    flops: float | None = None
    params: float | None = None
    latency: float | str | None = None
    max_loss: float | None = None
    save: str | None = None
    runtime: str | None = None
    threads: int | None = None
    onednn: bool | None = None
    repair: bool | None = None
    round_to: int | None = None
    depth: bool | None = None
    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    criterion: str | None = None
    rounds: int | None = None
    resumed: Source | None = None
    settings: TrainSettings

    def difference(self, earlier: Asked, ignored: frozenset[str] = frozenset()) -> str | None:
        """The first thing that an earlier run was asked otherwise, `name is now, but was then`; None if nothing.

        Args:
            earlier: what the run in the folder was asked for.
            ignored: names that may differ.
        """
        then = dict(earlier._flat())
        for name, now in self._flat():
            if name not in ignored and not _same(now, then.get(name)):
                return f"{name} is {_said(now)}, but was {_said(then.get(name))}"
        gone = next((name for name in then if name not in dict(self._flat()) and name not in ignored), None)
        return None if gone is None else f"{gone} is not set, but was {_said(then[gone])}"

    def write(self, save_dir: Path) -> None:
        """Write it into a run's folder."""
        write_signed(save_dir / RUN, self)

    @classmethod
    def of(cls, save_dir: Path) -> Asked | None:
        """What the run in a folder was asked for; None if there is none, or it doesn't say.

        Raises:
            CheckpointError: the file can't be read.
        """
        return read_signed(save_dir / RUN, cls, CheckpointError) if (save_dir / RUN).exists() else None

    def _flat(self) -> Iterator[tuple[str, Any]]:
        """Name -> value, with a name for every option and setting."""
        for field in ("task", "family"):
            yield field, getattr(self, field)
        for part in ("options", "loss", "metric"):
            yield from ((f"{part} {name}", value) for name, value in getattr(self, part).items())
        for field in _REST:
            yield field, getattr(self, field)
        yield from ((name, value) for name, value in self.settings.model_dump(mode="json").items() if name not in _FREE)


_REST = (
    *("labels", "training_samples", "evaluation_samples", "train_transforms", "eval_transforms"),
    *("pretrain_weights", "teacher", "sensitivities_file", "eval_metric_loss", "flops", "params", "latency"),
    *("max_loss", "save", "runtime", "threads", "onednn", "repair", "round_to", "depth"),
    *("exclude", "only", "criterion", "rounds", "resumed"),
)
_FREE = frozenset({"eval_batch_size", "log_interval_steps", "use_vdl", "device", "num_workers", "max_time"})
"""Settings that change neither weights nor which of them are the best."""


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Source) and isinstance(other, Source):
        return one.sha256 == other.sha256
    return bool(one == other)


def _said(value: Any) -> str:
    if isinstance(value, Source):
        return f"{value.path} ({value.sha256[:8]})"
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        return " + ".join(str(step.get("name", step)) + _arguments(step) for step in value)
    return "not set" if value is None else str(list(value) if isinstance(value, tuple) else value)


def _arguments(step: dict[str, Any]) -> str:
    rest = ", ".join(f"{name}={value}" for name, value in step.items() if name != "name")
    return f"({rest})" if rest else ""
