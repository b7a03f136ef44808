"""Where a training's network comes from: nothing, a checkpoint, published weights, or the run's own last epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paddle import nn

from paddleprune.api.loading import as_path
from paddleprune.api.published import fetch_published, is_published
from paddleprune.api.starting import start_from, start_from_file
from paddleprune.errors import ConfigError
from paddleprune.pruning import Plan
from paddleprune.registry import Registry
from paddleprune.specs import FamilyOptions
from paddleprune.training import WEIGHTS, CheckpointInfo, Source, read_info, resume_folder
from paddleprune.training.folder import existing
from paddleprune.training.foreign import read_foreign


@dataclass(frozen=True)
class Origin:
    """Where a training's network comes from.

    Attributes:
        checkpoint: what training starts from.
        resumed: an earlier epoch, that training goes on from.
        published: the name of published weights, such as IMAGENET.
        file: where those are.
        info: what the checkpoint says of itself; the resumed one, if there are both.
    """

    checkpoint: Path | None
    resumed: Path | None
    published: str | None
    file: Path | None
    info: CheckpointInfo | None

    @classmethod
    def of(cls, weights: str | Path | None, resume: str | Path | None) -> Origin:
        """What the user gave.

        Raises:
            CheckpointError: it isn't a checkpoint, or isn't whole.
        """
        resumed = resume_folder(as_path(resume, "resume_checkpoint")) if resume else None
        published = str(weights) if isinstance(weights, (str, Path)) and is_published(weights) else None
        checkpoint = None if weights is None or published else as_path(weights, "pretrain_weights")
        start = resumed or checkpoint
        return cls(checkpoint, resumed, published, None, None if start is None else read_info(start))

    @property
    def start(self) -> Path | None:
        """The checkpoint that the weights are from."""
        return self.resumed or self.checkpoint

    @property
    def source(self) -> Source | None:
        """What the run's file says of the weights that it starts from."""
        if self.file is not None:
            return Source.of(self.file, Path(self.file.name))
        return None if self.checkpoint is None else checkpoint_source(self.checkpoint)

    def resumed_from(self, save_dir: Path) -> Source | None:
        """What the run's file says of an epoch that is not its own."""
        if self.resumed is None or self.resumed.resolve().parent == save_dir.resolve():
            return None
        return checkpoint_source(self.resumed)

    def family(self, task: str, model: str | None, options: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
        """The family and its options as the user gave them, or else as the starting checkpoint has them.

        Raises:
            ConfigError: neither says it, or they contradict each other.
        """
        info, start = self.info, self.start
        if info is None:
            if model is None:
                raise ConfigError(
                    "say which model to train: `model`, a family's name (`paddleprune families` lists them)"
                )
            return model, dict(options or {})
        if info.task != task:
            raise ConfigError(f"{start} is a checkpoint of the task {info.task!r}, not of {task!r}")
        if model is not None and model != info.family:
            raise ConfigError(
                f"{start} is a {info.family}, not a {model}; leave `model` out, or start from another checkpoint"
            )
        return info.family, {**info.options, **(options or {})}

    def fetched(self, registry: Registry, task: str, family: str, options: FamilyOptions) -> Origin:
        """The same, with the file of published weights at hand.

        Raises:
            ConfigError, DataError: there is none, or it can't be had.
        """
        if self.published is None or self.resumed is not None:
            return self
        return replace(self, file=fetch_published(registry, task, family, options, self.published))

    def network(
        self, registry: Registry, task: str, family: str, options: FamilyOptions
    ) -> tuple[nn.Layer, Plan | None]:
        """The network with the weights that it starts from, and how it is cut, if it is.

        Raises:
            CheckpointError: the weights can't be read, or more than a head doesn't fit.
        """
        if self.file is not None:
            return start_from_file(registry, task, family, options, read_foreign(self.file))[0], None
        if self.start is not None:
            return start_from(registry, self.start, options)
        return registry.build_model(task, family, options), None


def checkpoint_source(checkpoint: Path) -> Source:
    """What the run's file says of a checkpoint: where it is, and the digest of its weights."""
    return Source.of(existing(checkpoint) / WEIGHTS, checkpoint)
