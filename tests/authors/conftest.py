"""A stranger's plugin, installed: its own `.dist-info` folder, on a path of its own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGIN = "paddleprune_tones"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that holds the plugin."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(Path(__file__).parent / f"{PLUGIN}.py", folder)
    info = folder / f"{PLUGIN}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paddleprune-tones\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[paddleprune]\ntones = {PLUGIN}\n")
    return folder


@pytest.fixture(autouse=True)
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin is there, for this process and for those that it starts."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    yield
    sys.modules.pop(PLUGIN, None)
