"""Image files, written by OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write(path: Path, image: np.ndarray) -> Path:
    """An image as a file, of the kind that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path
