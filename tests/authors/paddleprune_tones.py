"""A stranger's plugin: which note does a recording hold? Its inputs are no images."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from paddleprune import Dataset, DatasetConfig, Demo, FamilyInfo, FamilyOptions, Metric, Predictor, TaskInfo
from paddleprune.errors import DataError
from paddleprune.hookspecs import hookimpl

NOTES = ("low", "high")
SECONDS_EACH = 64


class Recordings(DatasetConfig):
    """A folder of `NOTE_NUMBER.npy`, each [64] float32."""

    folder: Path

    @classmethod
    def from_directory(cls, directory, split):
        folder = directory / split
        if not folder.is_dir():
            raise DataError(f"{directory} holds no {split} recordings: expected a folder {split}")
        return cls(folder=folder)


class ToneOptions(FamilyOptions):
    """A network on the wave itself."""

    num_classes: int = Field(2, ge=1, description="notes")
    width: int = Field(8, ge=1, description="filters of each convolution")

    def input_shapes(self):
        return ((1, SECONDS_EACH),)


@hookimpl
def paddleprune_register_tasks():
    return [TaskInfo(name="tones", description="which note a recording holds", dataset=Recordings)]


@hookimpl
def paddleprune_register_families():
    return [FamilyInfo(task="tones", name="wave_net", description="three convolutions", options=ToneOptions)]


@hookimpl
def paddleprune_build_model(options):
    from paddle import nn

    class Mean(nn.Layer):
        def forward(self, x):
            return x.mean(2)

    layers, channels = [], 1
    for _ in range(3):
        layers += [nn.Conv1D(channels, options.width, 5, stride=2), nn.BatchNorm1D(options.width), nn.ReLU()]
        channels = options.width
    return nn.Sequential(*layers, Mean(), nn.Linear(channels, options.num_classes))


class Waves(Dataset):
    labels = NOTES

    def __init__(self, folder):
        self.files = sorted(folder.glob("*.npy"))
        if not self.files:
            raise DataError(f"{folder} holds no recordings (*.npy)")

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        import numpy as np

        return (np.load(self.files[index])[None],), NOTES.index(self.files[index].stem.partition("_")[0])


@hookimpl
def paddleprune_build_dataset(config):
    return Waves(config.folder)


@hookimpl
def paddleprune_build_loss():
    from paddle.nn.functional import cross_entropy

    return lambda outputs, targets: cross_entropy(outputs[0], targets)


class Share(Metric):
    primary = "right"

    def reset(self):
        self.right = []

    def update(self, outputs, targets):
        self.right.extend(outputs[0].argmax(1) == targets)

    def accumulate(self):
        return [sum(map(float, self.right)) / len(self.right)]

    def name(self):
        return ["right"]


@hookimpl
def paddleprune_build_metric():
    return Share()


class Listener(Predictor):
    suffixes = (".npy",)

    def read(self, file):
        import numpy as np

        return np.load(file)

    def prepare(self, image):
        return (image[None],)

    def interpret(self, outputs, image):
        return {"note": NOTES[int(outputs[0].argmax())]}


@hookimpl
def paddleprune_build_predictor():
    return Listener()


@hookimpl
def paddleprune_demo(directory):
    import numpy as np

    generator = np.random.default_rng(0)
    for split, count in (("train", 32), ("eval", 16)):
        (directory / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            note = number % len(NOTES)
            wave = np.sin(np.arange(SECONDS_EACH) * (0.3, 0.9)[note] + generator.uniform(0, 6))
            noisy = (wave + generator.normal(0, 0.1, SECONDS_EACH)).astype(np.float32)
            np.save(directory / split / f"{NOTES[note]}_{number}.npy", noisy)
    return Demo(
        family="wave_net",
        options={"width": 8},
        train_dataset=Recordings(folder=directory / "train"),
        eval_dataset=Recordings(folder=directory / "eval"),
        settings={"num_epochs": 6, "train_batch_size": 8, "learning_rate": 0.05},
        retrain_settings={"num_epochs": 4},
        flops=0.5,
    )
