"""Makes `tiny` available to the tests as a module, whatever the import mode."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

_PATH = Path(__file__).with_name("tiny.py")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("training_tiny", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The parts in tiny.py."""
    return _load()
