"""What is there: tasks, families, plugins."""

from __future__ import annotations

from paddleprune.registry import Registry
from paddleprune.registry.catalog import PluginRecord
from paddleprune.specs import FamilyInfo, TaskInfo


def tasks() -> dict[str, TaskInfo]:
    """The tasks that installed plugins bring, by name."""
    return Registry.discover().tasks()


def families(task: str) -> dict[str, FamilyInfo]:
    """A task's model families, by name.

    Args:
        task: its name, such as "classification".

    Raises:
        UnknownNameError: nobody registered the task; the message has the near name.
    """
    return Registry.discover().families(task)


def plugins() -> list[PluginRecord]:
    """Every plugin that was found; one that can't be used is there with its error."""
    return Registry.discover().plugins()
