"""The table of families. How each is built is in `architectures`, which imports Paddle."""

from __future__ import annotations

from paddleprune.specs import FamilyInfo
from paddleprune.vision.plugin import family_table
from paddleprune_classification import options as o

TASK = "classification"
AUXILIARY_HEADS = {"googlenet": ("_conv_o1", "_fc_o1", "_out1", "_conv_o2", "_fc_o2", "_out2")}
"""The layers of a family that only training uses."""

_TABLE: dict[type[o.ClassifierOptions], dict[str, str]] = {
    o.AlexNetOptions: {"alexnet": "AlexNet"},
    o.GoogLeNetOptions: {"googlenet": "GoogLeNet, with two auxiliary heads"},
    o.InceptionOptions: {"inception_v3": "Inception v3"},
    o.LeNetOptions: {"lenet": "LeNet, for grey images of digits"},
    o.SqueezeNet10Options: {"squeezenet1_0": "SqueezeNet 1.0"},
    o.SqueezeNet11Options: {"squeezenet1_1": "SqueezeNet 1.1"},
    o.DenseNetOptions: {f"densenet{n}": f"DenseNet with {n} layers" for n in (121, 161, 169, 201, 264)},
    o.VggOptions: {f"vgg{n}": f"VGG with {n} layers" for n in (11, 13, 16, 19)},
    o.MobileNetOptions: {
        "mobilenet_v1": "MobileNet v1: depthwise separable convolutions",
        "mobilenet_v2": "MobileNet v2: inverted residuals",
        "mobilenet_v3_small": "MobileNet v3 small: with squeeze-and-excitation",
        "mobilenet_v3_large": "MobileNet v3 large: with squeeze-and-excitation",
    },
    o.WidthOptions: {f"resnet{n}": f"ResNet with {n} layers, bottleneck blocks" for n in (50, 101, 152)},
    o.RgbOptions: {
        **{f"resnet{n}": f"ResNet with {n} layers, basic blocks" for n in (18, 34)},
        **{
            f"resnext{n}_{groups}x4d": f"ResNeXt with {n} layers, {groups} groups of width 4"
            for n in (50, 101, 152)
            for groups in (32, 64)
        },
        **{f"wide_resnet{n}_2": f"ResNet with {n} layers, twice as wide inside" for n in (50, 101)},
        **{
            f"shufflenet_v2_x{scale}": f"ShuffleNet v2, width x{scale.replace('_', '.')}"
            for scale in ("0_25", "0_33", "0_5", "1_0", "1_5", "2_0")
        },
        "shufflenet_v2_swish": "ShuffleNet v2, width x1.0, with swish",
    },
    o.BackboneOptions: {f"resnet{n}_vd": f"ResNet-vd with {n} layers" for n in (18, 34, 50, 101)},
    o.DarkNetOptions: {"darknet53": "DarkNet53"},
    o.XceptionOptions: {f"xception{n}": f"Aligned Xception with {n} layers" for n in (41, 65)},
}


def families() -> list[FamilyInfo]:
    """Every family of the task, with its options."""
    return family_table(TASK, _TABLE)
