"""The table of families. How each is built is in `architectures`, which imports Paddle."""

from __future__ import annotations

from paddleprune.specs import FamilyInfo
from paddleprune.vision.plugin import family_table
from paddleprune_segmentation import options as o

TASK = "segmentation"
AUXILIARY = "auxiliary"
"""The layer that holds a network's auxiliary heads."""
HRNET_WIDTHS = (18, 30, 32, 40, 44, 48, 60, 64)

_TABLE: dict[type[o.SegmenterOptions], dict[str, str]] = {
    o.UNetOptions: {"unet": "U-Net"},
    o.ScaledOptions: {
        "fast_scnn": "Fast-SCNN: for images of high resolution in real time",
        "bisenetv2": "BiSeNet v2: a branch for detail and one for meaning",
        "pp_liteseg": "PP-LiteSeg on STDC1, with attention by channel",
    },
    o.MobileDeepLabOptions: {"deeplabv3p_mobilenet_v2": "DeepLab v3+ on MobileNet v2"},
    o.DeepLabOptions: {
        "deeplabv3p_mobilenet_v3_large": "DeepLab v3+ on MobileNet v3 large",
        "deeplabv3p_resnet50_vd": "DeepLab v3+ on ResNet-vd with 50 layers",
        **{f"deeplabv3p_xception{n}": f"DeepLab v3+ on aligned Xception with {n} layers" for n in (41, 65)},
    },
    o.HrNetOptions: {f"hrnet_w{n}": f"HRNet, {n} channels in its finest branch" for n in HRNET_WIDTHS},
}


def families() -> list[FamilyInfo]:
    """Every family of the task, with its options."""
    return family_table(TASK, _TABLE)
