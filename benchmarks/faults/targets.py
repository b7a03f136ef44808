"""Every kind of file that is read, written for real, and what reading it comes to."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import paddle

import paddleprune
from paddleprune.api.data import open_dataset
from paddleprune.api.import_table import _read_shapes
from paddleprune.api.runs import TrainRun
from paddleprune.cli.flags import read_run_file
from paddleprune.exports.inference_files import export_model
from paddleprune.exports.lite import export_lite
from paddleprune.files import write_json
from paddleprune.measure.latency import Latency
from paddleprune.pruning import Plan
from paddleprune.registry import Registry
from paddleprune.reports import Comparison, Front, FrontPoint, MetricValue, comparison_row, conditions
from paddleprune.reports.html import gather, render
from paddleprune.sensitivity import Identity, Point, SensitivityTable
from paddleprune.sensitivity.table.unpickle import read_losses
from paddleprune.settings import TrainSettings
from paddleprune.specs import ImageOptions
from paddleprune.training import Asked, CheckpointInfo, load_model, read_checkpoint, save_checkpoint
from paddleprune.training.asked import RUN
from paddleprune.training.checkpoint import INFO, OPTIMIZER, PLAN, STATE, WEIGHTS, read_state
from paddleprune.training.foreign import read_foreign
from paddleprune.training.places import HISTORY
from paddleprune.training.state import Best, EpochRecord, TrainState
from paddleprune.validation import validated
from paddleprune.vision.decode import decode_colour
from paddleprune_segmentation.data.images import decode_image, decode_mask

SIDE = 28
Read: TypeAlias = Callable[[], object]


@dataclass(frozen=True)
class Target:
    """A file, and how it is read.

    Attributes:
        name: for the report.
        file: what is damaged.
        read: reads it, and gives what it means in a form that can be compared.
        bound: whether another content must be refused; nobody but its owner knows what a list should hold.
    """

    name: str
    file: Path
    read: Read
    bound: bool = False


def write_targets(folder: Path) -> list[Target]:
    """Write the files into a folder."""
    registry = Registry.discover()
    found = [*_own(folder, registry), *_reported(folder), *_old(folder, registry)]
    found += [*_exported(folder), *_lists(folder, registry), *_pictures(folder)]
    losses = folder / "losses.data"
    losses.write_bytes(pickle.dumps({f"conv{i}": {0.1: np.float64(0.1), 0.5: 0.2} for i in range(9)}, 2))
    shapes = folder / "shapes.yml"
    shapes.write_text("".join(f"conv2d_{i}.w_0: [{i + 1}, 3, 3, 3]\n" for i in range(9)))
    return [
        *found,
        Target("pickle", losses, lambda: read_losses(losses)),
        Target("shapes", shapes, lambda: _read_shapes(shapes)),
    ]


def _own(folder: Path, registry: Registry) -> list[Target]:
    """What this project writes: a change of content must not pass."""
    options = registry.options("classification", "lenet", {"num_classes": 3, "input_size": SIDE, "input_channels": 1})
    paddle.seed(0)
    layer = registry.build_model("classification", "lenet", options)
    graph = paddleprune.trace(layer, (1, 1, SIDE, SIDE))
    made = paddleprune.plan(graph, {group.name: 0.5 for group in graph.prunable})
    plan, edited, table = (folder / name for name in ("plan.json", "edited.json", "table.json"))
    made.save(plan)
    made.save(edited)
    _table(graph.prunable, made.plan.model).save(table)
    dense = registry.build_model("classification", "lenet", options)
    dense.set_state_dict(layer.state_dict())
    paddleprune.shrink(layer, made)
    info = CheckpointInfo(
        task="classification", family="lenet", options=options.model_dump(mode="json"), labels=("a", "b", "c"),
        metrics={"acc1": 0.5}, primary_metric="acc1", completed_epochs=1,
    )  # fmt: skip
    record = EpochRecord(epoch=1, loss=1.0, learning_rate=0.1, seconds=2.0, metrics={"acc1": 0.5})
    state = TrainState(
        epoch=1, samples=9, settings=TrainSettings(), best=Best(epoch=1, value=0.5), history=(record,),
        schedule={"last_epoch": 3.0, "last_lr": 0.1},
    )  # fmt: skip
    checkpoint = folder / "epoch_1"
    save_checkpoint(checkpoint, layer, info, made.plan, state, {"velocity": np.ones(9, np.float32)})
    _asked(info).write(folder)
    again = paddleprune.trace(dense, (1, 1, SIDE, SIDE))
    return [
        Target("plan", plan, lambda: Plan.load(plan).model_dump_json(), True),
        Target("edited plan", edited, lambda: paddleprune.load_plan(again, edited, edited=True).plan),
        Target("table", table, lambda: SensitivityTable.load(table).model_dump_json(), True),
        Target("run", folder / RUN, lambda: _run(folder), True),
        *(
            Target(name, checkpoint / name, lambda: _checkpoint(checkpoint), True)
            for name in (INFO, PLAN, WEIGHTS, STATE, OPTIMIZER)
        ),
    ]  # fmt: skip


def _asked(info: CheckpointInfo) -> Asked:
    return Asked(
        task=info.task, family=info.family, options=info.options, loss={}, metric={}, training_samples=9,
        evaluation_samples=3, labels=info.labels, train_transforms=({"name": "Resize"},), eval_transforms=(),
        settings=TrainSettings(),
    )  # fmt: skip


def _run(folder: Path) -> str:
    found = Asked.of(folder)
    return "" if found is None else found.model_dump_json()


def _table(groups: Any, model: str) -> SensitivityTable:
    identity = Identity(
        model=model, data="d", samples=9, metric="acc1", higher_is_better=True, criterion="l1"
    )  # fmt: skip
    points = tuple(Point(ratio=ratio, metric=1 - ratio, loss=ratio, error=0.01, samples=9) for ratio in (0.1, 0.5))
    return SensitivityTable(identity=identity, baseline=1.0, groups={group.name: points for group in groups})


def _checkpoint(folder: Path) -> object:
    found, (state, accumulators) = read_checkpoint(folder), read_state(folder)
    arrays = [*found.weights.items(), *accumulators.items()]
    return (
        found.info.model_dump_json(),
        None if found.plan is None else found.plan.model_dump_json(),
        state.model_dump_json(),
        sorted((name, array.dtype.str, array.shape, array.tobytes()) for name, array in arrays),
    )


def _reported(folder: Path) -> list[Target]:
    """What a report is drawn from beside checkpoints: whatever passes must be drawn."""
    run = folder / "reported"
    shutil.copytree(folder / "epoch_1", run / "net" / "best_model")
    records = [EpochRecord(epoch=i, loss=1 / i, learning_rate=0.1, seconds=2.0, metrics={"acc1": 0.5}) for i in (1, 2)]
    write_json(run / "net" / HISTORY, [record.model_dump(mode="json") for record in records])
    time = {"onednn_on": Latency(median_ms=2.0, p10_ms=1.9, p90_ms=2.1, runs=50, threads=1)}
    rows = [
        comparison_row(name, parameters=9, flops=9, file_bytes=9, latency=time, metric=MetricValue(name="m", value=0.5))
        for name in ("dense", "net")
    ]
    Comparison(conditions=conditions([time]), rows=tuple(rows)).save(run)
    points = [FrontPoint(flops=share, params=share, cut=0.1, repaired=0.5, error=0.1) for share in (0.8, 0.5)]
    front = Front(
        model="lenet", metric="acc1", higher_is_better=True, baseline=0.5, samples=9, by="flops", points=tuple(points)
    )
    write_json(run / "front.json", front)
    files = {"history": run / "net" / HISTORY, "front": run / "front.json", "comparison": run / "comparison.json"}
    files["comparison's notes"] = run / "comparison.md"
    return [Target(name, file, lambda: render([gather(run)])) for name, file in files.items()]


def _old(folder: Path, registry: Registry) -> list[Target]:
    """Files of the first formats, which carry no digest: whatever passes must still be usable."""
    old = folder / "old"
    shutil.copytree(folder / "epoch_1", old)
    shutil.copy(folder / "table.json", old / "table.json")
    for name in ("checkpoint.json", "plan.json", "table.json"):
        content = json.loads((old / name).read_text())
        kept = {key: value for key, value in content.items() if key not in ("sha256", "plan_sha256", "model")}
        (old / name).write_text(json.dumps({**kept, "schema_version": 1}))
    return [
        Target("first plan", old / "plan.json", lambda: load_model(old, registry).plan),
        Target("first checkpoint", old / "checkpoint.json", lambda: read_checkpoint(old)),
        Target("first table", old / "table.json", lambda: SensitivityTable.load(old / "table.json").ratios_for(0.2)),
    ]


def _exported(folder: Path) -> list[Target]:
    """Models that other programs exported: in PIR, and in the old IR."""
    layer = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3), paddle.nn.BatchNorm2D(4))
    new, old = folder / "exported" / "model.json", folder / "exported_old" / "model.pdmodel"
    export_model(layer, [(3, 8, 8)], new.with_suffix(""))
    export_lite(layer, [(3, 8, 8)], old.with_suffix(""))
    weights = [program.with_suffix(".pdiparams") for program in (new, old)]
    return [
        Target("exported weights", weights[0], lambda: read_foreign(weights[0])),
        Target("exported program", new, lambda: read_foreign(weights[0])),
        Target("exported old program", old, lambda: read_foreign(weights[1])),
    ]


def _lists(folder: Path, registry: Registry) -> list[Target]:
    """What users write."""
    (folder / "data").mkdir()
    image, mask = (folder / "data" / name for name in ("a.png", "m.png"))
    cv2.imwrite(str(image), np.zeros((32, 32, 3), np.uint8))
    cv2.imwrite(str(mask), np.tile(np.array([0, 1], np.uint8), (32, 16)))
    labels, items, pairs, voc_list = (folder / "data" / f"{n}.txt" for n in ("labels", "items", "pairs", "voc"))
    labels.write_text("circle\nsquare\n")
    items.write_text("a.png 0\na.png 1\n" * 3)
    pairs.write_text("a.png m.png\na.png\tm.png\n" * 3)
    voc_list.write_text("a.png a.xml\n" * 3)
    xml, coco, run_file = folder / "data/a.xml", folder / "data/coco.json", folder / "run.yaml"
    box = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>20</xmax><ymax>30</ymax></bndbox>"
    size = "<size><width>32</width><height>32</height><depth>3</depth></size>"
    xml.write_text(f"<annotation>\n{size}\n<object>\n<name>circle</name>\n{box}\n</object>\n</annotation>\n")
    coco.write_text(json.dumps(_coco(), indent=1))
    run_file.write_text(_RUN.format(data=folder / "data"))
    lists = {"data_dir": folder / "data", "label_list": labels}

    def opened(task: str, values: Any) -> object:
        dataset = open_dataset(registry, task, values, "train", ImageOptions(num_classes=2, input_size=(SIDE, SIDE)))
        return len(dataset), dataset[0]

    def run() -> object:
        found = validated(TrainRun, read_run_file(run_file), "train", "setting")
        return opened("classification", found.train_data())

    return [
        Target("run file", run_file, run),
        Target("labels", labels, lambda: opened("classification", {**lists, "file_list": items})),
        Target("list of images", items, lambda: opened("classification", {**lists, "file_list": items})),
        Target("list of masks", pairs, lambda: opened("segmentation", {**lists, "file_list": pairs})),
        Target("VOC list", voc_list, lambda: opened("detection", {**lists, "file_list": voc_list})),
        Target("VOC", xml, lambda: opened("detection", {**lists, "file_list": voc_list})),
        Target("COCO", coco, lambda: opened("detection", {"data_dir": folder / "data", "ann_file": coco})),
    ]


def _coco() -> dict[str, Any]:
    box = {"image_id": 1, "category_id": 1, "bbox": [2, 3, 18, 20], "iscrowd": 0, "area": 360.0}
    return {
        "images": [{"id": i, "file_name": "a.png", "width": 32, "height": 32} for i in (1, 2)],
        "annotations": [{**box, "id": i} for i in (1, 2, 3)],
        "categories": [{"id": i, "name": name} for i, name in ((1, "circle"), (2, "square"))],
    }


_RUN = """\
model: lenet
options: {{input_size: 28, input_channels: 3}}
train_dataset:
  data_dir: {data}
  file_list: {data}/items.txt
  label_list: {data}/labels.txt
  transforms:
    - {{name: ResizeByShort, short_size: 40, max_size: 64}}
    - {{name: RandomCrop, crop_size: 28, lower_scale: 0.2}}
    - {{name: RandomRotate, rotate_range: 10, prob: 0.5}}
    - {{name: RandomDistort, hue_range: 9}}
    - {{name: Normalize, mean: [0.5], std: [0.5]}}
num_epochs: 2
train_batch_size: 3
learning_rate: 0.01
lr_decay_epochs: [4, 6]
"""


def _pictures(folder: Path) -> list[Target]:
    found = []
    noise = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    for suffix in (".png", ".jpg", ".bmp", ".tiff", ".webp", ".gif"):
        file = folder / f"image{suffix}"
        file.write_bytes(cv2.imencode(suffix, noise)[1].tobytes())
        found.append(Target(suffix, file, lambda file=file: decode_colour(file, "list:1")))  # type: ignore[misc]
    mask, array = folder / "mask.png", folder / "bands.npy"
    mask.write_bytes(cv2.imencode(".png", noise[:, :, 0] % 2)[1].tobytes())
    np.save(array, np.zeros((8, 9, 5), np.float32))
    found.append(Target("mask", mask, lambda: decode_mask(mask, 2, "list:1")))
    found.append(Target("bands", array, lambda: decode_image(array, 5, "list:1")))
    return found
