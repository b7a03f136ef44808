"""Strangers' plugins, installed: each with its own `.dist-info` folder, on a path of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import install
from pages import blocks

from paddleprune import new_plugin

PLUGINS = ("paddleprune_tones", "paddleprune_counting")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that holds the plugins."""
    folder = tmp_path_factory.mktemp("site")
    new_plugin("tones", kind="task", save_dir=folder)
    install(folder, "paddleprune-tones", "tones", "paddleprune_tones")
    counting = folder / "paddleprune_counting"
    counting.mkdir()
    for name, program in zip(("plugin", "parts"), blocks("docs/vision.md"), strict=False):
        (counting / f"{name}.py").write_text(program)
    install(folder, "paddleprune-counting", "counting", "paddleprune_counting.plugin:plugin")
    return folder


@pytest.fixture(autouse=True)
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugins are there, for this process and for those that it starts."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    yield
    for module in [name for name in sys.modules if name.startswith(PLUGINS)]:
        del sys.modules[module]
