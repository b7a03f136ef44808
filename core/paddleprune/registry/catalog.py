"""Which plugin claims which task and family. Two that claim the same name: never a silent choice."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from paddleprune.errors import PluginError, UnknownNameError
from paddleprune.specs import Contract, FamilyInfo, TaskInfo
from paddleprune.validation import choose_from


class PluginRecord(Contract):
    """A plugin as `paddleprune plugins` lists it."""

    name: str
    distribution: str
    version: str
    error: str | None = None
    """What keeps it, or some of its names, from being used."""
    tasks: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    """Each as `task/family`."""

    @property
    def package(self) -> str:
        """The plugin, and the package that it came with, for messages."""
        return f"{self.distribution} {self.version} (plugin {self.name!r})"


class Catalog:
    """The claims of all plugins, loaded or not."""

    def __init__(self) -> None:
        self._records: list[PluginRecord] = []
        self._tasks: dict[str, list[tuple[TaskInfo, str]]] = {}
        self._families: dict[str, dict[str, list[tuple[FamilyInfo, str]]]] = {}

    def add(self, record: PluginRecord, tasks: tuple[TaskInfo, ...], families: tuple[FamilyInfo, ...]) -> None:
        """Take in a plugin, and what it registers.

        Raises:
            PluginError: it registers a name twice.
        """
        names, paths = tuple(t.name for t in tasks), tuple(f"{f.task}/{f.name}" for f in families)
        for name in (*names, *paths):
            if (*names, *paths).count(name) > 1:
                raise PluginError(f"{record.package} registers {name!r} twice; rename one of them")
        self._records.append(record.model_copy(update={"tasks": names, "families": paths}))
        for task in tasks:
            self._tasks.setdefault(task.name, []).append((task, record.package))
        for family in families:
            self._families.setdefault(family.task, {}).setdefault(family.name, []).append((family, record.package))

    def add_broken(self, record: PluginRecord) -> None:
        """List a plugin that can't be used, with its error."""
        self._records.append(record)

    def tasks(self) -> dict[str, TaskInfo]:
        """The tasks that one plugin claims, by name."""
        return {name: claims[0][0] for name, claims in sorted(self._tasks.items()) if len(claims) == 1}

    def families(self, task: str) -> dict[str, FamilyInfo]:
        """The families of a task that one plugin claims, by name.

        Raises:
            UnknownNameError: there is no such task.
        """
        self.task(task)
        found = self._families.get(task, {})
        return {name: claims[0][0] for name, claims in sorted(found.items()) if len(claims) == 1}

    def task(self, name: str) -> tuple[TaskInfo, str]:
        """A task, and the package of the plugin that it belongs to.

        Raises:
            UnknownNameError: there is no such task.
            PluginError: two packages register it.
        """
        claims = self._tasks.get(name)
        if claims is None:
            raise UnknownNameError(f"no plugin registers the task {name!r}{self._way_out(name, self._tasks.keys())}")
        if len(claims) > 1:
            raise PluginError(_clash(f"the task {name!r}", _packages(claims)))
        return claims[0]

    def family(self, task: str, name: str) -> tuple[FamilyInfo, str]:
        """A family, and the package of the plugin that it belongs to.

        Raises:
            UnknownNameError: there is no such task, or no such family of it.
            PluginError: two packages register it.
        """
        self.task(task)
        known = self._families.get(task, {})
        if name not in known:
            way_out = self._way_out(name, known.keys()) or f"; `paddleprune families {task}` lists them"
            raise UnknownNameError(f"{task} has no family {name!r}{way_out}")
        if len(known[name]) > 1:
            raise PluginError(_clash(f"the family {name!r} of {task}", _packages(known[name])))
        return known[name][0]

    def plugins(self) -> list[PluginRecord]:
        """Every plugin, with all that is wrong with it."""
        return [self._with_problems(record) for record in self._records]

    def _with_problems(self, record: PluginRecord) -> PluginRecord:
        problems = [record.error, *self._clashes(record.package), *self._orphans(record.package)]
        return record.model_copy(update={"error": "; ".join(text for text in problems if text) or None})

    def _clashes(self, package: str) -> Iterator[str]:
        claimed = {f"the task {name!r}": _packages(claims) for name, claims in self._tasks.items()}
        for task, families in self._families.items():
            claimed.update({f"the family {n!r} of {task}": _packages(claims) for n, claims in families.items()})
        for what, packages in claimed.items():
            if package in packages and len(packages) > 1:
                yield _clash(what, packages)

    def _orphans(self, package: str) -> Iterator[str]:
        for task in self._families.keys() - self._tasks.keys():
            names = [name for name, claims in self._families[task].items() if package in (owner for _, owner in claims)]
            if names:
                way_out = choose_from(task, self._tasks.keys())
                yield f"it adds {', '.join(map(repr, names))} to the task {task!r}, which no plugin registers{way_out}"

    def _way_out(self, name: str, choices: Collection[str]) -> str:
        broken = [repr(record.name) for record in self._records if record.error]
        hint = f"; not loaded: {', '.join(broken)}, see `paddleprune plugins`" if broken else ""
        return choose_from(name, choices) + hint


def _packages(claims: Sequence[tuple[object, str]]) -> list[str]:
    return [package for _, package in claims]


def _clash(what: str, packages: list[str]) -> str:
    return f"{what} is registered by {' and by '.join(packages)}; uninstall one of them, or rename it in one"
