"""A layer to ONNX."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from paddle import nn

from paddleprune.dependencies import require
from paddleprune.errors import GraphError
from paddleprune.exports.inference_files import Shape, export_model
from paddleprune.exports.onnx_ops import rewritten
from paddleprune.files import saving

OPSET = 13
OPSETS = range(11, 22)
"""What may be asked of the converter."""
_NOISE = r"\x1b\[[\d;]*m|^\S* ?[\d:]+ (?=\[ERROR\])"
"""Colours, and the time, of paddle2onnx's messages."""
_CONVERTER = """
import json, os, sys
from pathlib import Path
answers = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    program, weights, target, opset, log = json.loads(line)
    said = os.open(log, os.O_CREAT | os.O_WRONLY)
    os.dup2(said, 1), os.dup2(said, 2), os.close(said)
    try:
        import paddle2onnx
        Path(target).write_bytes(paddle2onnx.export(program, weights, opset_version=opset))
        failed = False
    except BaseException as error:  # it exits where it fails
        print(error, file=sys.stderr, flush=True)
        failed = True
    print(json.dumps(failed), file=answers, flush=True)
"""


def export_onnx(
    layer: nn.Layer,
    shapes: Sequence[Shape],
    path: Path,
    *,
    batch: int | None = None,
    opset: int = OPSET,
    dtypes: Sequence[str] = (),
) -> list[Path]:
    """Write a layer as it is in evaluation mode as ONNX; the layer is left as it was.

    Args:
        layer: any layer that can be traced.
        shapes: shape of each input, without the batch axis; None is any size.
        path: without suffix; the file is `PATH.onnx`.
        batch: images a run; by default any number. Inputs are called `input_0`, `input_1`, …
        opset: the least version of ONNX's operators; raised where the network needs more.
        dtypes: of the inputs; by default float32.

    Returns:
        The file.

    Raises:
        DependencyError: paddle2onnx isn't installed.
        GraphError: the layer can't be traced, or has an operation that ONNX lacks.
        SaveError: the disk is full, or the place can't be written.
    """
    require("paddle2onnx", "ONNX export")
    file = path.with_name(f"{path.name}.onnx")
    with saving(file):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            with rewritten():
                program, *weights = export_model(layer, shapes, Path(folder) / "model", batch=batch, dtypes=dtypes)
            _convert(program, weights[0] if weights else None, Path(folder) / "model.onnx", opset)
            (Path(folder) / "model.onnx").replace(file)
    return [file]


def opset_of(file: Path) -> int:
    """The version of ONNX's own operators that a file uses."""
    model = require("onnx", "reading ONNX").load(str(file), load_external_data=False)
    return max(int(used.version) for used in model.opset_import if used.domain in ("", "ai.onnx"))


class _Converter:
    """A process that runs paddle2onnx: it prints from C++, some failures end it, and it takes a second to start."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CONVERTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process; that one ends with its input
        )

    def convert(self, program: Path, weights: Path | None, target: Path, opset: int, log: Path) -> bool:
        """Whether it could; `log` gets what was printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        files = [str(path.absolute()) if path else "" for path in (program, weights, target)]
        self._process.stdin.write(json.dumps([*files, opset, str(log.absolute())]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process.kill()
            self._process.wait()
        return answer == "false\n"

    @property
    def alive(self) -> bool:
        """Can it be given more?"""
        return self.owner == os.getpid() and self._process.poll() is None


_running: list[_Converter] = []


def _convert(program: Path, weights: Path | None, target: Path, opset: int) -> None:
    if not _running or not _running[0].alive:
        _running[:] = [_Converter()]
    log = target.with_suffix(".log")
    if not _running[0].convert(program, weights, target, opset, log):
        said = log.read_text(errors="replace") if log.exists() else ""
        lines = [re.sub(_NOISE, "", line).strip() for line in said.splitlines() if line.strip()]
        reason = next((line for line in lines if "ERROR" in line), lines[-1] if lines else "nothing, and ended")
        raise GraphError(f"cannot convert to ONNX: paddle2onnx says {reason!r}; use Paddle Inference instead")
