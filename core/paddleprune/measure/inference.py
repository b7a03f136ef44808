"""Paddle Inference on the CPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from paddle import inference

_FAULTS = (
    ('"1.leaky_relu', "conv_activation_onednn_fuse_pass"),  # reads its slope as the wrong type: the process dies
    ('_interp"', "onednn_placement_pass"),  # can't read its list of scales: the program is refused
    ('"1.pad"', "onednn_placement_pass"),  # a pad of any axes then writes past its memory: the process dies
)
"""What of a program Paddle 3.3's passes for oneDNN fail at, and the pass to leave out then."""


def cpu_threads() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def create_predictor(prefix: Path, *, onednn: bool = True, threads: int | None = None) -> Any:
    """Load an exported model for the CPU.

    Args:
        prefix: path of the model without suffix; `.json` and `.pdiparams` lie there.
        onednn: whether to use oneDNN (it may be on by default, so "off" says so expressly).
        threads: threads of the math library; by default as many as there are cores.
    """
    config = inference.Config(f"{prefix}.json", f"{prefix}.pdiparams")
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(threads or cpu_threads())
    config.disable_glog_info()
    if onednn:
        config.enable_mkldnn()
        program = Path(f"{prefix}.json").read_text(encoding="utf-8")
        for part in {part for sign, part in _FAULTS if sign in program}:
            config.delete_pass(part)
    else:
        config.disable_mkldnn()
    return inference.create_predictor(config)
