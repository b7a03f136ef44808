"""A plugin to start from, which passes its own conformance suite."""

from __future__ import annotations

import re
from importlib import util
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from paddleprune.errors import ConfigError
from paddleprune.files import filling, user_path, write_text
from paddleprune.registry import Registry
from paddleprune.validation import choose_from

_TASK = "classification"
"""What a family is written for."""
_NAME = r"[a-z]([a-z0-9_]*[a-z0-9])?"
KINDS = ("family", "task")


def new_plugin(name: str, *, kind: str, save_dir: str | Path) -> Path:
    """Write a package with a plugin, its test and a few words, as it can be installed.

    A family is one of classification: a network on images. A task brings its own data, loss, metric and network; its
    inputs are no images. (`docs/vision.md` shows a task on images.)

    Args:
        name: of the family or task; the package is `paddleprune_NAME`.
        kind: "family" or "task".
        save_dir: an empty folder, or one that isn't there.

    Returns:
        The module with the plugin.

    Raises:
        ConfigError: the name is no Python name in lower case, or is taken; there is no such kind; or `save_dir` holds
            something.
        SaveError: a file can't be written.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown kind {kind!r}{choose_from(kind, KINDS)}")
    package = f"paddleprune_{name}"
    _check_name(name, package)
    folder, module = user_path(save_dir), f"{package}/__init__.py"
    known = {"name": name, "kind": kind, "package": package, "distribution": package.replace("_", "-")}
    files = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        module: f"{kind}.py",
        f"tests/test_{name}.py": f"test_{kind}.py",
    }
    templates = _templates()
    with filling(folder) as place:
        for file, template in files.items():
            write_text(place / file, templates.get_template(f"{template}.jinja").render(known))
    return folder / module


def _check_name(name: str, package: str) -> None:
    """Raises a ConfigError where a name can't be had."""
    if not re.fullmatch(_NAME, name):
        raise ConfigError(f"the name {name!r} must be letters, digits and underscores in lower case, such as wave_net")
    registry = Registry.discover()
    if name in registry.tasks() or name in registry.families(_TASK) or util.find_spec(package):
        raise ConfigError(f"the name {name!r} is taken: a task, a family of {_TASK} or the package {package} has it")


def _templates() -> Environment:
    return Environment(
        loader=PackageLoader(__package__, "plugin_templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
