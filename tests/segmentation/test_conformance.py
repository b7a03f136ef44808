"""Every family passes the suite that plugin authors run, with four channels in and at an odd size."""

from __future__ import annotations

from typing import Any

import pytest

from paddleprune.testing import FamilyConformance
from paddleprune_segmentation.families import families

QUICK = {"unet", "unet transposed", "fast_scnn"}
SMALL = {"scale": 0.25, "width": 4, "depth": 2, "head_width": 16}
VARIANTS: dict[str, dict[str, Any]] = {
    "unet transposed": {"upsample": "transposed"},
    "deeplabv3p_mobilenet_v2 plain": {"aspp": False, "decoder": False},
    "deeplabv3p_mobilenet_v2 encoder": {"decoder": False},
    "deeplabv3p_resnet50_vd decoder": {"aspp": False, "output_stride": 8},
    "bisenetv2 alone": {"aux_heads": False},
    "deeplabv3p_xception65": {"scale": 0.125},  # twice as wide it amplifies rounding; in float64 it is exact to 1e-13
}
"""Families with options that change the network, beside the defaults."""


def small_options(info: Any) -> dict[str, Any]:
    small = {key: value for key, value in SMALL.items() if key in info.options.model_fields}
    return {"num_classes": 3, "input_size": (33, 47), "input_channels": 4, **small}


INFOS = {info.name: info for info in families()}
for _name in INFOS | VARIANTS:
    _info = INFOS[_name.partition(" ")[0]]
    _suite = type(
        f"Test_{_name.replace(' ', '_')}",
        (FamilyConformance,),
        {
            "task": "segmentation",
            "family": _info.name,
            "options": {**small_options(_info), **VARIANTS.get(_name, {})},
            "__module__": __name__,
        },
    )
    globals()[_suite.__name__] = _suite if _name in QUICK else pytest.mark.slow(_suite)
