"""Which plugin each call goes to, and the typed methods that are the only way to call a hook.

"Build this model" has one answer, so a call reaches the plugin that registered the family or the task,
and the wrappers of other plugins, but never the others' own implementations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddleprune import hookresults
from paddleprune.catalog import Catalog, PluginRecord
from paddleprune.dependencies import require
from paddleprune.discovery import find_plugins
from paddleprune.errors import PaddlePruneError, UnknownNameError
from paddleprune.hooks import Hooks
from paddleprune.interfaces import Predictor
from paddleprune.specs import Contract, DatasetConfig, Demo, FamilyInfo, FamilyOptions, Split, TaskInfo
from paddleprune.validation import choose_from, validated

if TYPE_CHECKING:
    from paddle import nn

    from paddleprune.graph import ChannelGraph
    from paddleprune.interfaces import Dataset, Loss, Metric


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
                    PluginRecord(
                        name=found.name, distribution=found.distribution, version=found.version, error=error
                    )
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
            tasks, families = (
                hookresults.instances(self._hooks.registered(record.package, hook), kind, f"{hook} of {record.package}")
                for hook, kind in (("register_tasks", TaskInfo), ("register_families", FamilyInfo))
            )
            self._catalog.add(record, tasks, families)
        except PaddlePruneError:
            self._hooks.remove(record.package)
            raise
