"""The hooks of a task on images, as one object that an entry point can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeVar

from paddleprune.errors import UnknownNameError
from paddleprune.hookspecs import hookimpl
from paddleprune.specs import (
    Contract,
    DatasetConfig,
    Demo,
    FamilyInfo,
    FamilyOptions,
    PublishedWeights,
    Split,
    TaskInfo,
)

if TYPE_CHECKING:
    from paddle import nn

    from paddleprune.graph import ChannelGraph
    from paddleprune.interfaces import BoxModel, Dataset, Distillation, Loss, Metric, PaddleXModel, Predictor

_Options = TypeVar("_Options", bound=FamilyOptions)
_AUXILIARY = "belongs to an auxiliary head, which the metric doesn't see"


@dataclass(frozen=True, eq=False)
class VisionTask:
    """A task on images and its families: a plugin in one object, `plugin = VisionTask(...)`.

    The entry point names it: `my_task = "my_package.plugin:plugin"`. Its parts are functions or classes, named as entry
    points name theirs, "module:name", and imported when they are needed, so that listing tasks stays instant. Each
    takes those arguments of its hook that it needs, by the same names.

    Attributes:
        info: the task, and what users may configure.
        families: its families.
        model: makes the network, of `family` and `options`.
        dataset: opens the data of a split, of `config`, `split` and `options`.
        loss: makes what training minimises, of `config`, `options` and `dataset`.
        metric: makes what evaluation reports, of `config`, `labels` and `options`.
        predictor: makes what turns a file into a result, of `options`, `labels` and `transforms`.
        demo: writes real data to `directory`, and says the recipe of `paddleprune demo`.
        samples: writes a small data set to `directory`, and says the settings of `train` that suit it; None for none.
        paddlex: says a network in PaddleX's terms, of all that `paddleprune_paddlex` gets; None if nothing can.
        distillation: makes what is learned from a teacher's outputs, of `options`; None for what any task does.
        boxes: makes a detector that says its boxes, of `family`, `options` and `layer`; None where there are none.
        weights: says which weights are published, of `family` and `options`; None where none are.
        auxiliary: of a family the layers that only training uses. They stay whole: the metric doesn't see them, so no
            table says what they are worth.
    """

    info: TaskInfo
    families: Sequence[FamilyInfo]
    model: str
    dataset: str
    loss: str
    metric: str
    predictor: str
    demo: str
    auxiliary: Mapping[str, Sequence[str]] = field(default_factory=dict)
    samples: str | None = None
    distillation: str | None = None
    paddlex: str | None = None
    boxes: str | None = None
    weights: str | None = None

    @hookimpl
    def paddleprune_register_tasks(self) -> list[TaskInfo]:
        """The task."""
        return [self.info]

    @hookimpl
    def paddleprune_register_families(self) -> list[FamilyInfo]:
        """Its families."""
        return list(self.families)

    @hookimpl
    def paddleprune_build_model(self, family: str, options: FamilyOptions) -> nn.Layer:
        """A family's network."""
        return _made(self.model, family=family, options=options)

    @hookimpl
    def paddleprune_published_weights(self, family: str, options: FamilyOptions) -> dict[str, PublishedWeights]:
        """Where a family's published weights are."""
        if self.weights is None:
            return {}
        found: dict[str, PublishedWeights] = _made(self.weights, family=family, options=options)
        return found

    @hookimpl
    def paddleprune_list_prunable(self, family: str, graph: ChannelGraph) -> dict[str, str]:
        """Auxiliary heads stay whole."""
        layers = self.auxiliary.get(family, ())
        return {group.name: _AUXILIARY for group in graph.groups if group.name.partition(".")[0] in layers}

    @hookimpl
    def paddleprune_build_dataset(self, config: DatasetConfig, split: Split, options: FamilyOptions) -> Dataset:
        """The data of a split."""
        dataset: Dataset = _made(self.dataset, config=config, split=split, options=options)
        return dataset

    @hookimpl
    def paddleprune_build_loss(self, config: Contract, options: FamilyOptions, dataset: Dataset | None) -> Loss:
        """What training minimises."""
        loss: Loss = _made(self.loss, config=config, options=options, dataset=dataset)
        return loss

    @hookimpl
    def paddleprune_build_distillation(self, options: FamilyOptions) -> Distillation | None:
        """What a network learns from a teacher's outputs."""
        if self.distillation is None:
            return None
        term: Distillation = _made(self.distillation, options=options)
        return term

    @hookimpl
    def paddleprune_build_metric(self, config: Contract, labels: Sequence[str], options: FamilyOptions) -> Metric:
        """What evaluation reports."""
        metric: Metric = _made(self.metric, config=config, labels=labels, options=options)
        return metric

    @hookimpl
    def paddleprune_build_predictor(
        self, options: FamilyOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]
    ) -> Predictor:
        """What turns a file into a result."""
        predictor: Predictor = _made(self.predictor, options=options, labels=labels, transforms=transforms)
        return predictor

    @hookimpl
    def paddleprune_paddlex(
        self,
        family: str,
        options: FamilyOptions,
        labels: Sequence[str],
        transforms: Sequence[Mapping[str, Any]],
        layer: nn.Layer,
        model_name: str | None,
    ) -> PaddleXModel:
        """A network in PaddleX's terms."""
        if self.paddlex is None:
            raise UnknownNameError(f"the task {self.info.name!r} has no export for PaddleX")
        network = {"family": family, "options": options, "layer": layer, "model_name": model_name}
        model: PaddleXModel = _made(self.paddlex, **network, labels=labels, transforms=transforms)
        return model

    @hookimpl
    def paddleprune_boxes(self, family: str, options: FamilyOptions, layer: nn.Layer) -> BoxModel:
        """A detector that says its boxes."""
        if self.boxes is None:
            raise UnknownNameError(f"the task {self.info.name!r} has no boxes")
        model: BoxModel = _made(self.boxes, family=family, options=options, layer=layer)
        return model

    @hookimpl
    def paddleprune_demo(self, directory: Path) -> Demo:
        """Real data, and the recipe."""
        demo: Demo = _made(self.demo, directory=directory)
        return demo

    @hookimpl
    def paddleprune_sample_data(self, directory: Path) -> dict[str, Any]:
        """A small data set, and the settings that suit it."""
        if self.samples is None:
            raise UnknownNameError(f"the task {self.info.name!r} has no sample data")
        settings: dict[str, Any] = _made(self.samples, directory=directory)
        return settings


def _made(part: str, **offered: Any) -> Any:
    """What a part makes of those arguments that it takes."""
    make = resolve_name(part)
    wanted = signature(make).parameters
    return make(**{name: value for name, value in offered.items() if name in wanted})


def family_table(task: str, table: Mapping[type[_Options], Mapping[str, str]]) -> list[FamilyInfo]:
    """The families of a table: options -> name -> description."""
    return [
        FamilyInfo(task=task, name=name, description=description, options=options)
        for options, names in table.items()
        for name, description in names.items()
    ]
