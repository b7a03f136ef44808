"""The registry's side of pluggy: the plugins' hooks, checked when they are added and called one plugin at a time."""

from __future__ import annotations

import inspect
from typing import Any

import pluggy

from paddleprune import hookspecs
from paddleprune.dependencies import missing
from paddleprune.errors import PaddlePruneError, PluginError
from paddleprune.registry.discovery import one_line
from paddleprune.validation import did_you_mean

_PREFIX = f"{hookspecs.PROJECT}_"


class Hooks:
    """A plugin manager of its own, and the only place where its hooks are touched."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)

    def add(self, plugin: object, owner: str) -> None:
        """Take in a plugin's hooks, under the name `owner`.

        Raises:
            PluginError: a hook is misspelled, unmarked or has arguments that its spec lacks, there are none,
                or the plugin or its name is there already. Nothing of the plugin stays.
        """
        known = self._manager.get_name(plugin)
        if known is not None or self._manager.has_plugin(owner):
            raise PluginError(f"{owner} is the plugin {known or owner} again; remove one of the two entry points")
        try:
            self._manager.register(plugin, owner)
            self._refuse_misspelled(plugin, owner)
        except pluggy.PluginValidationError as error:
            self.remove(owner)
            raise PluginError(f"{owner} has a hook that can't be called: {' '.join(str(error).split())}") from error
        except PluginError:
            self.remove(owner)
            raise

    def remove(self, owner: str) -> None:
        """Forget a plugin's hooks."""
        if self._manager.has_plugin(owner):
            self._manager.unregister(name=owner)

    def implements(self, owner: str, hook: str) -> bool:
        """Whether the plugin has an implementation of its own, not only a wrapper of others'."""
        return self._manager.get_plugin(owner) in self._implementers(hook)

    def ask(self, owner: str, hook: str) -> Any:
        """What the plugin alone, wrapped by nobody, answers to a hook without arguments."""
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not self._manager.get_plugin(owner)]
        return self._guarded(self._manager.subset_hook_caller(hook, others), owner, hook, {})

    def call(self, owner: str, hook: str, **arguments: Any) -> Any:
        """What the plugin answers, through the wrappers of all plugins.

        Raises:
            PluginError: the plugin lacks the hook, or something went wrong in it.
            PaddlePruneError: whatever the plugin raised of that kind, unchanged.
        """
        if not self.implements(owner, hook):
            raise PluginError(f"{owner} lacks the hook {hook}, which what it registered needs")
        own = self._manager.get_plugin(owner)
        others = [plugin for plugin in self._implementers(hook) if plugin is not own]
        return self._guarded(self._manager.subset_hook_caller(hook, others), owner, hook, arguments)

    def origin(self, owner: str, hook: str) -> str:
        """The hook, its plugin and those that wrap it, for messages."""
        impls = getattr(self._manager.hook, hook).get_hookimpls()
        wrappers = [impl.plugin_name for impl in impls if impl.wrapper or impl.hookwrapper]
        return f"{hook} of {owner}" + (f", wrapped by {' and by '.join(wrappers)}," if wrappers else "")

    def _implementers(self, hook: str) -> list[object]:
        impls = getattr(self._manager.hook, hook).get_hookimpls()
        return [impl.plugin for impl in impls if not (impl.wrapper or impl.hookwrapper)]

    def _guarded(self, caller: pluggy.HookCaller, owner: str, hook: str, arguments: dict[str, Any]) -> Any:
        try:
            return caller(**arguments)
        except PaddlePruneError:
            raise
        except ModuleNotFoundError as error:
            raise missing(error, self.origin(owner, hook)) from error
        except Exception as error:
            raise PluginError(f"{self.origin(owner, hook)} failed: {one_line(error)}") from error

    def _refuse_misspelled(self, plugin: object, owner: str) -> None:
        specs = [name for name in vars(hookspecs) if name.startswith(_PREFIX)]
        callers = self._manager.get_hookcallers(plugin) or []
        for caller in callers:
            if not caller.has_spec():
                raise PluginError(
                    f"{owner} implements {caller.name!r}, which is no hook{did_you_mean(caller.name, specs)}"
                )
        for name, value in inspect.getmembers(plugin, inspect.isroutine):
            if name.startswith(_PREFIX) and self._manager.parse_hookimpl_opts(plugin, name) is None:
                raise PluginError(f"{owner} has {value.__name__!r} without @hookimpl; mark it, or rename it")
        if not callers:
            raise PluginError(
                f"{owner} has no hooks; its entry point must name what has them: a module, or an object in one "
                "(my_package.plugin:plugin)"
            )
