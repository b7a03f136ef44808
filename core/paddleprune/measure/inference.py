"""Paddle Inference on the CPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from paddle import inference

_FUSION = "conv_activation_onednn_fuse_pass"
"""Paddle 3.3's fusion of a convolution with a leaky ReLU reads its slope as the wrong type: the process dies."""

_PLACEMENT = "onednn_placement_pass"
"""Paddle 3.3's placement of an interpolation on oneDNN can't read its list of scales: the program is refused."""


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
        if "leaky_relu" in program:
            config.delete_pass(_FUSION)
        if "_interp" in program:
            config.delete_pass(_PLACEMENT)
    else:
        config.disable_mkldnn()
    return inference.create_predictor(config)
