"""The hooks. Each docstring holds a complete plugin that runs.

A plugin is a module, or an object in one, named by an entry point of the group `paddleprune`. It imports cheaply:
no paddle, cv2 or paddleslim at module level, so that listing tasks and families is instant.
Implementations may take fewer arguments than the hooks declare.

Each call has one answer. It goes to the plugin that registered the family or the task; other plugins
can wrap it with `hookimpl(wrapper=True)`, and then see the answer and may change it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from paddleprune.specs import (
    Contract,
    DatasetConfig,
    Demo,
    FamilyInfo,
    FamilyOptions,
    PublishedWeights,
    Split,
    TaskInfo,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paddle import nn

    from paddleprune.graph import ChannelGraph
    from paddleprune.interfaces import BoxModel, Dataset, Distillation, Loss, Metric, PaddleXModel, Predictor

PROJECT = "paddleprune"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def paddleprune_register_tasks() -> Sequence[TaskInfo]:
    """Name the tasks that this plugin brings. *(since 0.1)*

    ```python
    from pathlib import Path

    from paddleprune.hookspecs import hookimpl
    from paddleprune.specs import DatasetConfig, TaskInfo


    class BrightnessData(DatasetConfig):
        image_dir: Path


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="how bright an image is", dataset=BrightnessData)]
    ```
    """


@hookspec(firstresult=True)
def paddleprune_register_families() -> Sequence[FamilyInfo]:
    """Name the families that this plugin adds, to its own tasks or to others'. *(since 0.1)*

    A plugin that registers a family also implements `paddleprune_build_model`.

    ```python
    from pydantic import Field

    from paddleprune.hookspecs import hookimpl
    from paddleprune.specs import FamilyInfo, ImageOptions


    class LinearOptions(ImageOptions):
        hidden: int = Field(64, ge=1, description="width of the hidden layer")


    @hookimpl
    def paddleprune_register_families():
        linear = FamilyInfo(
            task="classification", name="two_linear", description="two linear layers", options=LinearOptions
        )
        return [linear]


    @hookimpl
    def paddleprune_build_model(options):
        from paddle import nn

        pixels = options.input_channels * options.input_size[0] * options.input_size[1]
        layers = (nn.Linear(pixels, options.hidden), nn.ReLU(), nn.Linear(options.hidden, options.num_classes))
        return nn.Sequential(nn.Flatten(), *layers)
    ```
    """


@hookspec(firstresult=True)
def paddleprune_build_model(task: str, family: str, options: FamilyOptions) -> nn.Layer:
    """Build a family, freshly initialised. Called on the plugin that registered the family. *(since 0.1)*

    The layer takes the inputs that `options.input_shapes()` says, each with a batch axis in front.

    ```python
    from paddleprune.hookspecs import hookimpl
    from paddleprune.specs import FamilyInfo

    WIDTHS = {"plain_cnn_s": 16, "plain_cnn_m": 32}


    @hookimpl
    def paddleprune_register_families():
        return [
            FamilyInfo(task="classification", name=name, description=f"two convolutions of {width} filters")
            for name, width in WIDTHS.items()
        ]


    @hookimpl
    def paddleprune_build_model(family, options):
        from paddle import nn

        width = WIDTHS[family]
        features = (
            nn.Conv2D(options.input_channels, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2D(width, width, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        head = (nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(width, options.num_classes))
        return nn.Sequential(*features, *head)
    ```
    """


@hookspec(firstresult=True)
def paddleprune_published_weights(task: str, family: str, options: FamilyOptions) -> Mapping[str, PublishedWeights]:
    """Say where a family's published weights are: what they were trained on -> the file. *(since 0.1)*

    Called on the plugin that registered the family. Optional. Names are upper case, such as `IMAGENET`. The file is
    what `paddle.save` wrote of the network's `state_dict()`, or a safetensors file; `md5` is of its content. Options
    that it doesn't fit are refused with a `ConfigError`.

    ```python
    from paddleprune.errors import ConfigError
    from paddleprune.hookspecs import hookimpl
    from paddleprune.specs import FamilyInfo, PublishedWeights

    FILES = "https://example.org/plain"


    @hookimpl
    def paddleprune_register_families():
        return [FamilyInfo(task="classification", name="plain", description="two convolutions")]


    @hookimpl
    def paddleprune_published_weights(options):
        if options.input_channels != 3:
            raise ConfigError("weights are published for images of 3 channels alone")
        file = PublishedWeights(url=f"{FILES}/plain.pdparams", md5="0340af0a901346c8d46f4529882fb63d")
        return {"IMAGENET": file}


    @hookimpl
    def paddleprune_build_model(options):
        from paddle import nn

        features = (nn.Conv2D(options.input_channels, 8, 3), nn.ReLU(), nn.Conv2D(8, 8, 3), nn.ReLU())
        return nn.Sequential(*features, nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(8, options.num_classes))
    ```
    """


@hookspec(firstresult=True)
def paddleprune_list_prunable(task: str, family: str, options: FamilyOptions, graph: ChannelGraph) -> Mapping[str, str]:
    """Say which groups must stay whole: group name -> reason. *(since 0.1)*

    Called on the plugin that registered the family. Optional: everything that the graph itself
    does not protect may be pruned.

    ```python
    from paddleprune.hookspecs import hookimpl
    from paddleprune.specs import FamilyInfo


    @hookimpl
    def paddleprune_register_families():
        return [FamilyInfo(task="classification", name="stem_kept", description="its first convolution stays whole")]


    @hookimpl
    def paddleprune_build_model(options):
        from paddle import nn

        stem = nn.Conv2D(options.input_channels, 8, 3, padding=1)
        head = (nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(16, options.num_classes))
        return nn.Sequential(stem, nn.ReLU(), nn.Conv2D(8, 16, 3), nn.ReLU(), *head)


    @hookimpl
    def paddleprune_list_prunable(graph):
        return {group.name: "a camera's fixed-function unit computes it" for group in graph.groups[:1]}
    ```
    """


@hookspec(firstresult=True)
def paddleprune_build_dataset(task: str, config: DatasetConfig, split: Split, options: FamilyOptions) -> Dataset:
    """Open the data of a split. Called on the plugin that registered the task. *(since 0.1)*

    ```python
    from pathlib import Path

    from paddleprune.errors import DataError
    from paddleprune.hookspecs import hookimpl
    from paddleprune.interfaces import Dataset
    from paddleprune.specs import DatasetConfig, TaskInfo


    class BrightnessData(DatasetConfig):
        image_dir: Path


    class Images(Dataset):
        labels = ("brightness",)

        def __init__(self, image_dir, input_size):
            self.files, self.input_size = sorted(image_dir.glob("*.png")), input_size
            if not self.files:
                raise DataError(f"{image_dir} holds no *.png; name the folder with the images")

        def __len__(self):
            return len(self.files)

        def __getitem__(self, index):
            import cv2

            image = cv2.imread(str(self.files[index]))
            if image is None:
                raise DataError(f"{self.files[index]} is no image that OpenCV can decode")
            pixels = cv2.resize(image, self.input_size[::-1]).astype("float32") / 255
            return (pixels.transpose(2, 0, 1),), pixels.mean(keepdims=True).reshape(1)


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="how bright an image is", dataset=BrightnessData)]


    @hookimpl
    def paddleprune_build_dataset(config, options):
        return Images(config.image_dir, options.input_size)
    ```
    """


@hookspec(firstresult=True)
def paddleprune_build_loss(task: str, config: Contract, options: FamilyOptions, dataset: Dataset | None) -> Loss:
    """Build what training minimises. Called on the plugin that registered the task. *(since 0.1)*

    `dataset` is the training data, for a loss that depends on it, by how frequent classes are, say; None where there
    is none.

    ```python
    from paddleprune.hookspecs import hookimpl
    from paddleprune.specs import Contract, DatasetConfig, TaskInfo


    class HuberConfig(Contract):
        delta: float = 1.0


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="how bright it is", dataset=DatasetConfig, loss=HuberConfig)]


    @hookimpl
    def paddleprune_build_loss(config):
        from paddle.nn import functional

        def loss(outputs, targets):
            return functional.smooth_l1_loss(outputs[0], targets, delta=config.delta)

        return loss
    ```
    """


@hookspec(firstresult=True)
def paddleprune_build_distillation(task: str, options: FamilyOptions) -> Distillation | None:
    """Build what a network learns from a teacher's outputs. *(since 0.1)*

    Called on the plugin that registered the task. Optional; without it, or where it gives None, it is the mean square
    error over the variance of the teacher's outputs.

    ```python
    from paddleprune.hookspecs import hookimpl
    from paddleprune.specs import DatasetConfig, TaskInfo


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="how bright an image is", dataset=DatasetConfig)]


    @hookimpl
    def paddleprune_build_distillation():
        from paddle.nn import functional

        def term(outputs, wanted):
            return functional.smooth_l1_loss(outputs[0], wanted[0])

        return term
    ```
    """


@hookspec(firstresult=True)
def paddleprune_build_metric(task: str, config: Contract, labels: Sequence[str], options: FamilyOptions) -> Metric:
    """Build what evaluation reports. Called on the plugin that registered the task. *(since 0.1)*

    The answer is a `Metric`, or any object with the methods of `paddle.metric.Metric` and a `primary`. `options` are
    the family's: they may say how its outputs are to be read.

    ```python
    import numpy as np

    from paddleprune.hookspecs import hookimpl
    from paddleprune.interfaces import Metric
    from paddleprune.specs import DatasetConfig, TaskInfo


    class MeanAbsoluteError(Metric):
        primary = "mae"
        higher_is_better = False

        def __init__(self):
            self.reset()

        def reset(self):
            self.errors = []

        def update(self, outputs, targets):
            self.errors.extend(np.abs(outputs[0] - targets).ravel())

        def accumulate(self):
            return [float(np.mean(self.errors))]

        def name(self):
            return ["mae"]


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="how bright an image is", dataset=DatasetConfig)]


    @hookimpl
    def paddleprune_build_metric():
        return MeanAbsoluteError()
    ```
    """


@hookspec(firstresult=True)
def paddleprune_build_predictor(
    task: str, options: FamilyOptions, labels: Sequence[str], transforms: Sequence[Mapping[str, Any]]
) -> Predictor:
    """Build what turns one image into a result. Called on the plugin that registered the task. *(since 0.1)*

    `transforms` is the JSON form of the evaluation dataset's `transforms`, as the checkpoint stores it.

    ```python
    from paddleprune.hookspecs import hookimpl
    from paddleprune.interfaces import Predictor
    from paddleprune.specs import DatasetConfig, TaskInfo


    class BrightnessPredictor(Predictor):
        def __init__(self, input_size):
            self.input_size = input_size

        def prepare(self, image):
            import cv2

            pixels = cv2.resize(image, self.input_size[::-1]).astype("float32") / 255
            return (pixels.transpose(2, 0, 1),)

        def interpret(self, outputs, image):
            return {"brightness": float(outputs[0][0])}

        def draw(self, image, result):
            import cv2

            text = f"{result['brightness']:.2f}"
            return cv2.putText(image.copy(), text, (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 255))


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="how bright an image is", dataset=DatasetConfig)]


    @hookimpl
    def paddleprune_build_predictor(options):
        return BrightnessPredictor(options.input_size)
    ```
    """


@hookspec(firstresult=True)
def paddleprune_paddlex(
    task: str,
    family: str,
    options: FamilyOptions,
    labels: Sequence[str],
    transforms: Sequence[Mapping[str, Any]],
    layer: nn.Layer,
    model_name: str | None,
) -> PaddleXModel:
    """Say a network in PaddleX's terms, for `export --format paddlex`. *(since 0.1)*

    Called on the plugin that registered the task. Optional. `layer` is the network, in evaluation mode; the answer
    wraps it, so that it reads what PaddleX feeds after the preprocessing in `config`, and gives what PaddleX reads.
    `transforms` is the JSON form of the evaluation dataset's `transforms`, as the checkpoint stores it; what of them
    PaddleX can't do is refused with a `ConfigError`. `model_name` is the one of PaddleX's models that the user names.

    ```python
    from paddleprune.errors import ConfigError
    from paddleprune.hookspecs import hookimpl
    from paddleprune.interfaces import PaddleXModel
    from paddleprune.specs import DatasetConfig, TaskInfo


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="how bright an image is", dataset=DatasetConfig)]


    @hookimpl
    def paddleprune_paddlex(options, labels, layer, model_name):
        if model_name is None:
            raise ConfigError("PaddleX measures no brightness; name the model whose files these are as: model_name")
        height, width = options.input_size
        steps = [
            {"ResizeImage": {"size": [width, height]}},
            {"NormalizeImage": {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0], "channel_num": 3, "order": ""}},
            {"ToCHWImage": None},
        ]
        config = {
            "Global": {"model_name": model_name},
            "PreProcess": {"transform_ops": steps},
            "PostProcess": {"Topk": {"topk": 1, "label_list": list(labels)}},
        }
        return PaddleXModel(config, layer, {"x": options.input_shapes()[0]}, feeds=lambda inputs: [inputs])
    ```
    """


@hookspec(firstresult=True)
def paddleprune_boxes(task: str, family: str, options: FamilyOptions, layer: nn.Layer) -> BoxModel:
    """Let a detector say its boxes, for `export --with-nms`. *(since 0.1)*

    Called on the plugin that registered the task. Optional. `layer` is the network, in evaluation mode; the answer
    wraps it in operations that can be traced.

    ```python
    from paddle import nn

    from paddleprune.hookspecs import hookimpl
    from paddleprune.interfaces import BoxModel
    from paddleprune.specs import DatasetConfig, TaskInfo
    from paddleprune.vision.suppression import Suppression


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="where an image is bright", dataset=DatasetConfig)]


    class Boxes(nn.Layer):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, images):
            found = self.network(images)  # [N, 5, K]: left, top, right, bottom, brightness
            return found[:, :4].transpose([0, 2, 1]), found[:, 4:]


    @hookimpl
    def paddleprune_boxes(layer):
        return BoxModel(Boxes(layer), Suppression(score=0.5, overlap=0.45, objects=100))
    ```
    """


@hookspec(firstresult=True)
def paddleprune_demo(task: str, directory: Path) -> Demo:
    """Write real data below `directory` and return the recipe of `paddleprune demo`. *(since 0.1)*

    Called on the plugin that registered the task. Optional.

    ```python
    from pathlib import Path

    from paddleprune.hookspecs import hookimpl
    from paddleprune.specs import DatasetConfig, Demo, TaskInfo


    class BrightnessData(DatasetConfig):
        image_dir: Path


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="how bright an image is", dataset=BrightnessData)]


    @hookimpl
    def paddleprune_demo(directory):
        import cv2
        from sklearn.datasets import load_sample_images

        for split in ("train", "eval"):
            (directory / split).mkdir(parents=True, exist_ok=True)
        for number, photo in enumerate(load_sample_images().images):
            rows = range(0, photo.shape[0] - 64, 64)
            for row in rows:
                folder = directory / ("eval" if row == rows[-1] else "train")
                cv2.imwrite(str(folder / f"{number}_{row}.png"), photo[row : row + 64, :64, ::-1])
        return Demo(
            family="plain_cnn_s",
            options={"num_classes": 1, "input_size": (64, 64)},
            train_dataset=BrightnessData(image_dir=directory / "train"),
            eval_dataset=BrightnessData(image_dir=directory / "eval"),
            settings={"num_epochs": 5},
            retrain_settings={"num_epochs": 3},
        )
    ```
    """


@hookspec(firstresult=True)
def paddleprune_sample_data(task: str, directory: Path) -> Mapping[str, Any]:
    """Write a small data set below `directory`, as `--data` takes it; return settings of `train` for it. *(since 0.1)*

    Called on the plugin that registered the task. Optional.

    ```python
    from pathlib import Path

    from paddleprune.hookspecs import hookimpl
    from paddleprune.specs import DatasetConfig, TaskInfo


    class BrightnessData(DatasetConfig):
        image_dir: Path

        @classmethod
        def from_directory(cls, directory, split):
            return cls(image_dir=directory / split)


    @hookimpl
    def paddleprune_register_tasks():
        return [TaskInfo(name="brightness", description="how bright an image is", dataset=BrightnessData)]


    @hookimpl
    def paddleprune_sample_data(directory):
        import cv2
        import numpy as np

        for split, count in (("train", 16), ("eval", 8)):
            (directory / split).mkdir()
            for number in range(count):
                cv2.imwrite(str(directory / split / f"{number}.png"), np.full((64, 64, 3), 16 * number, np.uint8))
        return {"model": "plain_cnn_s", "options": {"input_size": 64}, "num_epochs": 2, "train_batch_size": 8}
    ```
    """
