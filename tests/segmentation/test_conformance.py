"""Every family passes the suite that plugin authors run, with four channels in and at an odd size."""

from __future__ import annotations

from typing import Any

from families import suites

from paddleprune_segmentation.families import families

QUICK = {"unet", "unet transposed", "fast_scnn"}
COMMON = {
    **{"num_classes": 3, "input_size": (33, 47), "input_channels": 4},
    **{"scale": 0.25, "width": 4, "depth": 2, "head_width": 16},
}
"""Options of all families that have them."""
VARIANTS: dict[str, dict[str, Any]] = {
    "unet transposed": {"upsample": "transposed"},
    "deeplabv3p_mobilenet_v2 plain": {"aspp": False, "decoder": False},
    "deeplabv3p_mobilenet_v2 encoder": {"decoder": False},
    "deeplabv3p_resnet50_vd decoder": {"aspp": False, "output_stride": 8},
    "bisenetv2 alone": {"aux_heads": False},
    "deeplabv3p_xception65": {"scale": 0.125},  # twice as wide it amplifies rounding; in float64 it is exact to 1e-13
}
"""Families with options that change the network, beside the defaults."""


INFOS = {info.name: info for info in families()}
globals().update(suites(INFOS, COMMON, VARIANTS, QUICK, __name__, deep={"fast_scnn"}))
