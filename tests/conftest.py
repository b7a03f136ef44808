"""What all tests share."""

from __future__ import annotations

import os
import random
import zlib
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")


def _seed(name: str) -> None:
    """Chance is the same in each run, whatever ran before in this process."""
    import paddle  # here, because it takes seconds: listing the tests needn't wait for it

    number = zlib.crc32(name.encode())
    random.seed(number)
    np.random.seed(number)
    paddle.seed(number)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
    """A fixture draws the same numbers whichever test asks for it first."""
    _seed(f"{fixturedef.argname}[{getattr(request, 'param', '')}]")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """A test draws the same numbers whichever tests ran before."""
    _seed(item.nodeid)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real data set of three classes, a folder for each."""
    from paddleprune_classification.samples import KINDS, write_shapes

    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, KINDS, val=8)
    return folder


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a session's checkpoints and tables go."""
    return tmp_path_factory.mktemp("work")
