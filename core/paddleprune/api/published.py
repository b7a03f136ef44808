"""Published weights: a file in a cache, downloaded where it isn't there."""

from __future__ import annotations

import os
import re
from pathlib import Path

from paddleprune.console import say
from paddleprune.errors import ConfigError, DataError
from paddleprune.files import user_path
from paddleprune.registry import Registry
from paddleprune.specs import PUBLISHED, FamilyOptions
from paddleprune.validation import choose_from

WEIGHTS_DIR = "PADDLEPRUNE_WEIGHTS_DIR"
"""The environment variable that names the folder of such files, if it isn't Paddle's own cache."""


def is_published(given: str | Path) -> bool:
    """Is this a name such as IMAGENET, and no file or folder?"""
    return re.fullmatch(PUBLISHED, str(given)) is not None and not Path(given).exists()


def fetch_published(registry: Registry, task: str, family: str, options: FamilyOptions, name: str) -> Path:
    """The file of a family's published weights, from the folder that keeps them, or downloaded into it.

    Args:
        registry: knows the family.
        task: its task.
        family: its name.
        options: those that the weights have to fit.
        name: what they were trained on.

    Raises:
        ConfigError: none are published under that name, or for these options.
        DataError: the file can't be had, or isn't what was published.
    """
    from paddle.utils import download

    known = registry.published_weights(task, family, options)
    if name not in known:
        more = choose_from(name, known) if known else ""
        raise ConfigError(
            f"no {name} weights of {family} are published{more}; give a checkpoint folder, or take a file of "
            "weights in with import-weights"
        )
    given = os.environ.get(WEIGHTS_DIR)
    folder = user_path(given) if given else Path(download.WEIGHTS_HOME)
    url, md5 = known[name].url, known[name].md5
    say(f"{name} weights of {family}: {url}, kept in {folder}")
    try:
        return Path(download.get_path_from_url(url, str(folder), md5, decompress=False))
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"cannot have {url}, with the MD5 {md5} ({' '.join(str(error).split())}); put the file into a folder "
            f"and name that in the environment variable {WEIGHTS_DIR}"
        ) from error
