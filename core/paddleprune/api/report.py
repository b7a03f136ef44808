"""A run as one HTML file that people look at: offline, from what is on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paddleprune.console import say
from paddleprune.errors import CheckpointError, ConfigError, PaddlePruneError
from paddleprune.files import user_path, write_text
from paddleprune.reports.html import gather, render, unedited
from paddleprune.reports.html.gather import run_of
from paddleprune.reports.names import distinct_names

REPORT = "report.html"


def report(
    runs: str | Path | Sequence[str | Path], *, save_file: str | Path | None = None, overwrite: bool = False
) -> Path:
    """Write what is known of a run, or of several beside each other, as one HTML file.

    Nothing is measured: it shows what `train`, `analyze`, `front`, `prune`, `quantize`, `compare` and `demo` have
    left. What they haven't is left out. The file needs nothing beside it, and loads nothing.

    Args:
        runs: checkpoint folders, folders that hold `best_model`, or folders of those such as a demo's; one or several.
        save_file: the file; by default `report.html`, in the folder of the run, or here for several runs.
        overwrite: replace a file that is there.

    Returns:
        The file.

    Raises:
        ConfigError: no run, the same one twice, or there is such a file.
        CheckpointError, TableError, PlanError: a folder is no checkpoint and no run, or a file in it is damaged.
        SaveError: the file can't be written.
    """
    given: list[Any] = list(runs) if isinstance(runs, (list, tuple)) else [runs]
    if not given:
        raise ConfigError("give at least one run or checkpoint to report on")
    folders = [user_path(run) for run in given]
    distinct_names([run_of(folder) for folder in folders])  # is one there twice?
    alone = run_of(folders[0]) / REPORT if len(folders) == 1 else Path(REPORT)
    file = alone if save_file is None else user_path(save_file)
    if file.exists() and not overwrite:
        raise ConfigError(f"{file} is there already; choose another save_file, or `overwrite` to replace it")
    write_text(file, _page(folders))
    return file


def _page(folders: Sequence[Path]) -> str:
    found = [gather(folder) for folder in folders]
    if len(found) > 1:
        names = distinct_names([run_of(folder) for folder in folders])
        found = [known.called(name) for known, name in zip(found, names, strict=True)]
    try:
        return render(found)
    except ArithmeticError as error:
        raise CheckpointError(
            f"{', '.join(map(str, folders))} can't be shown: its numbers are none ({error})"
        ) from error


def leave_report(run: Path) -> None:
    """Write a run's report into its folder, when the run is done.

    A report that somebody has edited stays, and nothing that is wrong with it undoes the run: that is said in a line.
    """
    file = run / REPORT
    try:
        if file.exists() and not unedited(file):
            say(f"{file} isn't as it was written, and stays; `paddleprune report {run} --overwrite` replaces it")
            return
        write_text(file, _page([run]))
        say(f"report: {file}")
    except PaddlePruneError as error:
        say(f"no report: {error}")
