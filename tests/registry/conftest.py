"""Fake installed distributions: real `.dist-info` folders and modules, on `sys.path`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import installed
import pytest

Install = Callable[..., None]

TASK = """
from paddleprune.hookspecs import hookimpl
from paddleprune.specs import DatasetConfig, TaskInfo

@hookimpl
def paddleprune_register_tasks():
    return [TaskInfo(name="sorting", description="which bin", dataset=DatasetConfig)]
"""
FAMILY = """
from paddleprune.hookspecs import hookimpl
from paddleprune.specs import FamilyInfo

@hookimpl
def paddleprune_register_families():
    return [FamilyInfo(task="sorting", name="tiny", description="one layer")]

@hookimpl
def paddleprune_build_model(options):
    from paddle import nn
    return nn.Linear(options.num_classes, 2)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`install("acme-tiny", source)`: a distribution whose module `acme_tiny` is the plugin `acme-tiny`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def write(distribution: str, source: str, version: str = "1.0") -> None:
        module = distribution.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(dedent(source))
        installed.install(tmp_path, distribution, distribution, module, version)

    yield write
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def task_source() -> str:
    """A plugin that registers the task `sorting`."""
    return TASK


@pytest.fixture
def family_source() -> str:
    """A plugin that registers the family `tiny` of the task `sorting`."""
    return FAMILY
