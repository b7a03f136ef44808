"""What a model makes of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2

from paddleprune.api.loading import open_model
from paddleprune.console import progress
from paddleprune.errors import DataError
from paddleprune.files import write_bytes, write_json
from paddleprune.measure.evaluation import eager_forward
from paddleprune.registry import Registry
from paddleprune.training import select_device
from paddleprune.vision.lists import visible


def predict(
    checkpoint: str | Path, images: str | Path, *, save_dir: str | Path | None = None, device: str = "auto"
) -> list[dict[str, Any]]:
    """Run a checkpoint on an image, or on every image of a folder.

    Args:
        checkpoint: a checkpoint folder.
        images: an image file, or a folder of them.
        save_dir: gets a picture of each result, and `predictions.json`.
        device: "auto", "cpu", "gpu" or "gpu:N".

    Returns:
        For each image its `file` and what the task's plugin reads from the outputs.

    Raises:
        DataError: there is no image, or one can't be decoded.
    """
    select_device(device)
    registry = Registry.discover()
    loaded = open_model(registry, checkpoint)
    info, forward = loaded.info, eager_forward(loaded.layer)
    predictor = registry.build_predictor(info.task, loaded.options, info.labels, info.transforms)
    results = []
    files = _files(Path(images), predictor.suffixes)
    with progress("predict", len(files)) as bar:
        for file in files:
            image = predictor.read(file)
            inputs = tuple(array[None] for array in predictor.prepare(image))
            result = predictor.interpret(tuple(y[0] for y in forward(inputs)), image)
            results.append({"file": str(file), **result})
            if save_dir is not None:
                _, png = cv2.imencode(".png", predictor.draw(image, result))
                write_bytes(Path(save_dir) / f"{file.stem}.png", png.tobytes())
            bar.advance(note=file.name)
    if save_dir is not None:
        write_json(Path(save_dir) / "predictions.json", results)
    return results


def _files(place: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise DataError(f"{place} is neither an image nor a folder")
    found = [file for file in visible(place) if file.suffix.lower() in suffixes and file.is_file()]
    if not found:
        raise DataError(f"the folder {place} holds no image ({', '.join(suffixes)})")
    return found
