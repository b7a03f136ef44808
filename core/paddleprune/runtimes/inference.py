"""Paddle Inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paddle import inference

from paddleprune.machine.cpu import cpu_threads

_FAULTS = (
    ('"1.leaky_relu', "conv_activation_onednn_fuse_pass"),  # reads its slope as the wrong type: the process dies
    ('"1.leaky_relu', "matmul_activation_fuse_pass"),  # the same behind a product and a sum
    ('_interp"', "onednn_placement_pass"),  # can't read its list of scales: the program is refused
    ('"1.pad"', "onednn_placement_pass"),  # a pad of any axes then writes past its memory: the process dies
)
"""What of a program Paddle 3.3's passes for oneDNN fail at, and the pass to leave out then."""

_GPU_MEGABYTES = 256
"""What a program takes of a GPU's memory to begin with; it takes more as it needs it."""


def create_predictor(prefix: Path, *, onednn: bool = True, threads: int | None = None, device: str = "cpu") -> Any:
    """Load an exported model.

    Args:
        prefix: path of the model without suffix; `.json`, or `.pdmodel` of the old IR, and `.pdiparams` lie there.
        onednn: whether to use oneDNN (it may be on by default, so "off" says so expressly).
        threads: threads of the math library; by default as many as this process may use.
        device: "cpu", or "gpu:N", which has no use for oneDNN.
    """
    old = Path(f"{prefix}.pdmodel")
    program = old if old.exists() else Path(f"{prefix}.json")
    config = inference.Config(str(program), f"{prefix}.pdiparams")
    if device.startswith("gpu"):
        config.enable_use_gpu(_GPU_MEGABYTES, int(device.partition(":")[2] or 0))
        config.disable_glog_info()
        return inference.create_predictor(config)
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(threads or cpu_threads())
    config.disable_glog_info()
    if onednn:
        config.enable_mkldnn()
        config.set_mkldnn_cache_capacity(1)  # or it keeps a copy of the weights for each size of a batch
        for part in passes_to_leave_out(program):
            config.delete_pass(part)
    else:
        config.disable_mkldnn()
    return inference.create_predictor(config)


def passes_to_leave_out(program: Path) -> tuple[str, ...]:
    """The passes at which Paddle 3.3's oneDNN fails for a program, sorted: `Config.delete_pass` leaves one out."""
    text = program.read_text(encoding="utf-8", errors="ignore")
    return tuple(sorted({part for sign, part in _FAULTS if sign in text}))
