"""Which plugin each call goes to, and the typed methods that are the only way to call a hook.

"Build this model" has one answer, so a call reaches the plugin that registered the family or the task,
and the wrappers of other plugins, but never the others' own implementations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddleprune.dependencies import require
from paddleprune.errors import PaddlePruneError, UnknownNameError
from paddleprune.interfaces import BoxModel, PaddleXModel, Predictor
from paddleprune.registry import results
from paddleprune.registry.catalog import Catalog, PluginRecord
from paddleprune.registry.discovery import find_plugins
from paddleprune.registry.hooks import Hooks
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
from paddleprune.validation import validated

if TYPE_CHECKING:
    from paddle import nn

    from paddleprune.graph import ChannelGraph
    from paddleprune.interfaces import Dataset, Distillation, Loss, Metric


class Registry:
    """Tasks and families by name, and typed calls to the hooks of the plugins behind them.

    Every method that takes a task or a family raises UnknownNameError (with the near name) where nobody
    registered it, and PluginError where two packages did. Every method that calls a hook raises PluginError,
    naming plugin and hook, where the hook is missing, fails, or returns the wrong thing.
    """

    def __init__(self) -> None:
        self._hooks = Hooks()
        self._catalog = Catalog()

    @classmethod
    def discover(cls) -> Registry:
        """A registry of every installed plugin. One that can't be used is listed in `plugins()` with its error."""
        registry = cls()
        for found in find_plugins():
            error = found.error
            if error is None:
                try:
                    registry.register(found.plugin, found.name, found.distribution, found.version)
                except PaddlePruneError as refusal:
                    error = str(refusal)
            if error is not None:
                registry._catalog.add_broken(
                    PluginRecord(name=found.name, distribution=found.distribution, version=found.version, error=error)
                )
        return registry

    def register(self, plugin: object, name: str, distribution: str = "no package", version: str = "") -> None:
        """Add a plugin (a module or any object with hooks) that need not be installed.

        Raises:
            PluginError: a hook is misspelled or can't be called, or what it registers is wrong.
                The registry is then as if the plugin had never been.
        """
        record = PluginRecord(name=name, distribution=distribution, version=version)
        self._hooks.add(plugin, record.package)
        try:
            tasks = self._registered(record.package, "paddleprune_register_tasks", TaskInfo)
            families = self._registered(record.package, "paddleprune_register_families", FamilyInfo)
            self._catalog.add(record, tasks, families)
        except PaddlePruneError:
            self._hooks.remove(record.package)
            raise

    def plugins(self) -> list[PluginRecord]:
        """Every plugin that was found, with what it registers and all that is wrong with it."""
        return self._catalog.plugins()

    def tasks(self) -> dict[str, TaskInfo]:
        """The tasks by name, without those that two packages register."""
        return self._catalog.tasks()

    def families(self, task: str) -> dict[str, FamilyInfo]:
        """A task's families by name, without those that two packages register."""
        return self._catalog.families(task)

    def task(self, name: str) -> TaskInfo:
        """A task by its name."""
        return self._catalog.task(name)[0]

    def family(self, task: str, name: str) -> FamilyInfo:
        """A task's family by its name."""
        return self._catalog.family(task, name)[0]

    def options(self, task: str, family: str, values: Mapping[str, Any]) -> FamilyOptions:
        """A family's options, as a user wrote them, checked.

        Raises:
            ConfigError: an option is unknown or has a value that can't be used.
        """
        return validated(self.family(task, family).options, values, family)

    def dataset_config(self, task: str, values: Mapping[str, Any]) -> DatasetConfig:
        """What a user wrote about the data of a split, checked; ConfigError as for `options`."""
        return validated(self.task(task).dataset, values, f"the {task} dataset", "field")

    def loss_config(self, task: str, values: Mapping[str, Any]) -> Contract:
        """What a user wrote about a task's loss, checked; ConfigError as for `options`."""
        return validated(self.task(task).loss, values, f"the {task} loss", "field")

    def metric_config(self, task: str, values: Mapping[str, Any]) -> Contract:
        """What a user wrote about a task's metric, checked; ConfigError as for `options`."""
        return validated(self.task(task).metric, values, f"the {task} metric", "field")

    def build_model(self, task: str, family: str, options: FamilyOptions) -> nn.Layer:
        """A family's network, freshly initialised.

        Raises:
            DependencyError: Paddle isn't installed.
        """
        owner = self._catalog.family(task, family)[1]
        require("paddle", f"building {family}")
        hook = "paddleprune_build_model"
        model = self._hooks.call(owner, hook, task=task, family=family, options=options)
        return results.layer(model, self._hooks.origin(owner, hook))

    def list_prunable(self, task: str, family: str, options: FamilyOptions, graph: ChannelGraph) -> dict[str, str]:
        """The groups that the family's plugin wants whole, each with its reason; none where it has no such hook."""
        owner, hook = self._catalog.family(task, family)[1], "paddleprune_list_prunable"
        if not self._hooks.implements(owner, hook):
            return {}
        protected = self._hooks.call(owner, hook, task=task, family=family, options=options, graph=graph)
        groups = [group.name for group in graph.groups]
        return results.reasons(protected, groups, self._hooks.origin(owner, hook))

    def published_weights(self, task: str, family: str, options: FamilyOptions) -> dict[str, PublishedWeights]:
        """Where the family's published weights are, by what they were trained on; empty where there are none."""
        owner, hook = self._catalog.family(task, family)[1], "paddleprune_published_weights"
        if not self._hooks.implements(owner, hook):
            return {}
        found = self._hooks.call(owner, hook, task=task, family=family, options=options)
        return results.published(found, self._hooks.origin(owner, hook))

    def build_dataset(self, task: str, config: DatasetConfig, split: Split, options: FamilyOptions) -> Dataset:
        """The data of a split."""
        owner, hook = self._catalog.task(task)[1], "paddleprune_build_dataset"
        dataset = self._hooks.call(owner, hook, task=task, config=config, split=split, options=options)
        return results.dataset(dataset, self._hooks.origin(owner, hook))

    def build_loss(self, task: str, config: Contract, options: FamilyOptions, dataset: Dataset | None = None) -> Loss:
        """What training minimises, on some data."""
        owner, hook = self._catalog.task(task)[1], "paddleprune_build_loss"
        loss = self._hooks.call(owner, hook, task=task, config=config, options=options, dataset=dataset)
        return results.loss(loss, self._hooks.origin(owner, hook))

    def build_distillation(self, task: str, options: FamilyOptions) -> Distillation | None:
        """What a network learns from a teacher's outputs; None where the task doesn't say."""
        owner, hook = self._catalog.task(task)[1], "paddleprune_build_distillation"
        if not self._hooks.implements(owner, hook):
            return None
        term = self._hooks.call(owner, hook, task=task, options=options)
        return None if term is None else results.distillation(term, self._hooks.origin(owner, hook))

    def build_metric(self, task: str, config: Contract, labels: Sequence[str], options: FamilyOptions) -> Metric:
        """What evaluation reports."""
        owner, hook = self._catalog.task(task)[1], "paddleprune_build_metric"
        metric = self._hooks.call(owner, hook, task=task, config=config, labels=labels, options=options)
        return results.metric(metric, self._hooks.origin(owner, hook))

    def build_predictor(
        self, task: str, options: FamilyOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]
    ) -> Predictor:
        """What turns one file, such as an image, into a result."""
        owner, hook = self._catalog.task(task)[1], "paddleprune_build_predictor"
        predictor = self._hooks.call(owner, hook, task=task, options=options, labels=labels, transforms=transforms)
        return results.instance(predictor, Predictor, self._hooks.origin(owner, hook))  # type: ignore[type-abstract]

    def paddlex(
        self,
        task: str,
        family: str,
        options: FamilyOptions,
        labels: Sequence[str],
        transforms: Sequence[Mapping[str, Any]],
        layer: nn.Layer,
        model_name: str | None,
    ) -> PaddleXModel:
        """A network in PaddleX's terms.

        Raises:
            UnknownNameError: the task has none.
            ConfigError: the network or its preprocessing has none.
        """
        owner, hook = self._catalog.task(task)[1], "paddleprune_paddlex"
        if not self._hooks.implements(owner, hook):
            raise UnknownNameError(f"the task {task!r} has no export for PaddleX: {owner} doesn't implement {hook}")
        said = {"labels": labels, "transforms": transforms, "layer": layer, "model_name": model_name}
        model = self._hooks.call(owner, hook, task=task, family=family, options=options, **said)
        return results.instance(model, PaddleXModel, self._hooks.origin(owner, hook))

    def boxes(self, task: str, family: str, options: FamilyOptions, layer: nn.Layer) -> BoxModel:
        """A detector that says its boxes.

        Raises:
            UnknownNameError: the task has no boxes.
        """
        owner, hook = self._catalog.task(task)[1], "paddleprune_boxes"
        if not self._hooks.implements(owner, hook):
            raise UnknownNameError(f"the task {task!r} has no boxes: {owner} doesn't implement {hook}")
        model = self._hooks.call(owner, hook, task=task, family=family, options=options, layer=layer)
        return results.instance(model, BoxModel, self._hooks.origin(owner, hook))

    def demo(self, task: str, directory: Path) -> Demo:
        """Write a task's demo data below `directory`; its recipe.

        Raises:
            UnknownNameError: the task has no demo.
        """
        owner, hook = self._catalog.task(task)[1], "paddleprune_demo"
        if not self._hooks.implements(owner, hook):
            raise UnknownNameError(f"the task {task!r} has no demo: {owner} doesn't implement {hook}")
        demo = self._hooks.call(owner, hook, task=task, directory=directory)
        return results.instance(demo, Demo, self._hooks.origin(owner, hook))

    def sample_data(self, task: str, directory: Path) -> dict[str, Any]:
        """Write a task's small data set below `directory`; the settings of `train` that suit it.

        Raises:
            UnknownNameError: the task has none.
        """
        owner, hook = self._catalog.task(task)[1], "paddleprune_sample_data"
        if not self._hooks.implements(owner, hook):
            raise UnknownNameError(f"the task {task!r} has no sample data: {owner} doesn't implement {hook}")
        return results.settings(
            self._hooks.call(owner, hook, task=task, directory=directory), self._hooks.origin(owner, hook)
        )

    def _registered(self, owner: str, hook: str, kind: type[Any]) -> tuple[Any, ...]:
        if not self._hooks.implements(owner, hook):
            return ()
        return results.instances(self._hooks.ask(owner, hook), kind, self._hooks.origin(owner, hook))
