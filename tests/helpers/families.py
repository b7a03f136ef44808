"""What the tests of every built-in task ask of its families."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from paddleprune.graph import ChannelGraph
from paddleprune.specs import FamilyInfo
from paddleprune.testing import FamilyConformance

HEAVY = ("paddle", "cv2", "sklearn", "matplotlib", "faster_coco_eval")


def known(info: FamilyInfo, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that are options of the family."""
    return {name: value for name, value in values.items() if name in info.options.model_fields}


def each(infos: Mapping[str, FamilyInfo], slow: Collection[str] = ()) -> list[Any]:
    """The names of families as parameters of a test, some of them slow."""
    return [pytest.param(name, marks=pytest.mark.slow if name in slow else ()) for name in sorted(infos)]


def check_defaults(infos: Mapping[str, FamilyInfo]) -> None:
    """Every family's options have usable defaults, which JSON keeps."""
    for info in infos.values():
        options = info.options()
        assert info.options.model_validate_json(options.model_dump_json()) == options, info.name


def heavy_imports(task: str, families: int) -> str:
    """Which heavy packages it takes to list a built-in task and its more than so many families."""
    code = (
        f"import sys; from paddleprune_{task}.plugin import plugin; plugin.paddleprune_register_tasks();"
        f"assert len(plugin.paddleprune_register_families()) > {families};"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def _every_group(self: FamilyConformance, layer: Any, graph: ChannelGraph, probe: tuple[Any, ...]) -> None:
    FamilyConformance.test_every_group_alone_is_exact(self, layer, graph, probe)


def suite(info: FamilyInfo, options: Mapping[str, Any], module: str, name: str = "", *, deep: bool = False) -> Any:
    """The suite of plugin authors for a family, for pytest to collect from `module`.

    Of a deep family all groups together are quick, each one alone is slow.
    """
    fields = {"task": info.task, "family": info.name, "options": dict(options), "__module__": module}
    alone = {"test_every_group_alone_is_exact": _every_group} if deep else {}
    return type(f"Test_{(name or info.name).replace(' ', '_')}", (FamilyConformance,), {**fields, **alone})


def suites(
    infos: Mapping[str, FamilyInfo],
    common: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]],
    quick: Collection[str],
    module: str,
    deep: Collection[str] = (),
) -> dict[str, Any]:
    """Suites for every family and for variants of some ("unet transposed"), the quick ones and those that are slow.

    `common` are options that all get who have them; `deep` are those of which each group alone is slow.
    """
    found = {}
    for name in (*infos, *(name for name in variants if name not in infos)):
        info = infos[name.partition(" ")[0]]
        one = suite(info, {**known(info, common), **variants.get(name, {})}, module, name, deep=name in deep)
        found[one.__name__] = one if name in quick else pytest.mark.slow(one)
    return found
