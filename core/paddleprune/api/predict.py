"""What a model makes of files: images, recordings, whatever its task reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from paddleprune.api.loading import open_model
from paddleprune.console import progress
from paddleprune.errors import DataError, PaddlePruneError, PluginError
from paddleprune.files import unreadable, user_path, write_bytes, write_json
from paddleprune.measure.evaluation import eager_forward
from paddleprune.registry import Registry
from paddleprune.registry.discovery import one_line
from paddleprune.training import select_device
from paddleprune.vision.lists import visible


def predict(
    checkpoint: str | Path, images: str | Path, *, save_dir: str | Path | None = None, device: str = "auto"
) -> list[dict[str, Any]]:
    """Run a checkpoint on a file, or on every file of a folder that its task can read.

    Args:
        checkpoint: a checkpoint folder.
        images: a file that the task reads (an image, for most), or a folder of them.
        save_dir: gets a picture of each result, where the task draws any, and `predictions.json`.
        device: "auto", "cpu", "gpu" or "gpu:N".

    Returns:
        For each file its path as `file`, and what the task's plugin reads from the outputs.

    Raises:
        DataError: there is no such file, or one can't be decoded.
    """
    select_device(device)
    registry = Registry.discover()
    loaded = open_model(registry, checkpoint)
    info, forward = loaded.info, eager_forward(loaded.layer)
    predictor = registry.build_predictor(info.task, loaded.options, info.labels, info.transforms)
    results = []
    files = _files(user_path(images), predictor.suffixes)
    folder = None if save_dir is None else user_path(save_dir)
    with progress("predict", len(files)) as bar:
        for file in files:
            with _naming(file, info.task):
                image = predictor.read(file)
                inputs = tuple(array[None] for array in predictor.prepare(image))
                result = predictor.interpret(tuple(y[0] for y in forward(inputs)), image)
                picture = None if folder is None else predictor.draw(image, result)
            results.append({"file": str(file), **result})
            if folder is not None and picture is not None:
                write_bytes(folder / f"{file.stem}.png", cv2.imencode(".png", picture)[1].tobytes())
            bar.advance(note=file.name)
    if folder is not None:
        write_json(folder / "predictions.json", results)
    return results


@contextmanager
def _naming(file: Path, task: str) -> Iterator[None]:
    """Say at which file a plugin's predictor failed.

    Raises:
        PluginError: it raised what isn't meant for the user.
    """
    try:
        yield
    except PaddlePruneError:
        raise
    except Exception as error:
        raise PluginError(f"the predictor of the task {task!r} failed at {file}: {one_line(error)}") from error


def _files(place: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise DataError(f"{place} does not exist")
    try:
        found = [file for file in visible(place) if file.suffix.lower() in suffixes and file.is_file()]
    except OSError as error:
        raise DataError(unreadable(place, error)) from error
    if not found:
        raise DataError(f"the folder {place} holds nothing that this model reads ({', '.join(suffixes)})")
    return found
