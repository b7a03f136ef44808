"""Distributions as pip leaves them: real `.dist-info` folders."""

from __future__ import annotations

from pathlib import Path


def install(site: Path, distribution: str, plugin: str, target: str, version: str = "1.0") -> None:
    """A distribution in a folder of packages, whose entry point `plugin` names `target`."""
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[paddleprune]\n{plugin} = {target}\n")
