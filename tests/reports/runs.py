"""A run as `gather` would find it, written by hand; its names are those that its maker chose."""

from __future__ import annotations

from paddleprune.measure.latency import Latency
from paddleprune.proofs.proved import Compared, Port, Proof
from paddleprune.pruning import Plan
from paddleprune.pruning.outcome import Certificate, JointLoss, LayerRepair, Repair
from paddleprune.pruning.plan import Counts, GroupPlan
from paddleprune.quantization import Calibration, Figures, LeftStep, Quantized
from paddleprune.reports import ComparisonRow, Front, FrontPoint
from paddleprune.reports.html.known import Known, Model, Picture
from paddleprune.sensitivity import Identity, Point, SensitivityTable
from paddleprune.training import CheckpointInfo, EpochRecord

LOSSES = ((0.3, -0.01), (0.6, 0.4), (0.9, float("inf")))
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


def plan(names: list[str]) -> Plan:
    """Groups of these names that keep ever fewer of 16 units; every layer is repaired."""
    groups = {name: GroupPlan(units=16, keep=tuple(range(max(1, 12 - i))), ratio=0.25) for i, name in enumerate(names)}
    layers = {name: LayerRepair(before=0.5, after=0.01, refitted=True) for name in names}
    return Plan(
        model="dense",
        eval_metric_loss=None,
        budget={"flops": 0.5},
        criterion="obs",
        groups=groups,
        before=Counts(parameters=1000, flops=20_000),
        after=Counts(parameters=400, flops=10_000),
        certificate=Certificate(max_difference=1e-7, scale=2.0, tolerance=1e-4, batch=8, moved=1.5),
        repair=Repair(samples=64, ridge=0.01, layers=layers, left={"norm": "nothing reads it"}),
        joint=JointLoss(cut=0.8, repaired=0.02, error=0.004, samples=100),
    )


def table(names: list[str]) -> SensitivityTable:
    """A gain, a loss and a collapse for each."""
    points = tuple(Point(ratio=ratio, metric=None, loss=loss, error=0.002, samples=50) for ratio, loss in LOSSES)
    who = Identity(model="dense", data="d" * 64, samples=50, metric="acc1", higher_is_better=True, criterion="l1")
    return SensitivityTable(identity=who, baseline=0.97, groups=dict.fromkeys(names, points))


def front(metric: str = "acc1") -> Front:
    """Three sizes."""
    points = [
        FrontPoint(flops=share, params=share, cut=0.1, repaired=value, error=0.004)
        for share, value in ((0.8, 0.97), (0.5, 0.95), (0.2, 0.7))
    ]
    return Front(
        model="lenet", metric=metric, higher_is_better=True, baseline=0.97, samples=50, by="flops", points=tuple(points)
    )


def quantized(word: str = "") -> Quantized:
    """INT8 at half of the size, twice as fast, with one step in float."""
    times = (Latency(median_ms=ms, p10_ms=ms, p90_ms=ms, runs=50, threads=1) for ms in (2.0, 1.0))
    port = Port(name="x", shape=(None, 3, 8, 8), dtype="float32")
    return Quantized(
        files=("model.onnx",),
        versions={"onnxruntime": "1.2"},
        opset=17,
        inputs=(port,),
        outputs=(port,),
        proof=Proof(runtime="ONNX Runtime", probe=Compared(samples=2, differences={"y": 1e-6})),
        calibration=Calibration(samples=64, method="entropy", weight_bits=8),
        steps=12,
        left_in_float=(LeftStep(step=f"features.0{word}", error=0.021),),
        metric=f"acc1{word}",
        loss=0.004,
        error=0.002,
        max_loss=0.015,
        samples=50,
        searched=3,
        float32=Figures(metric=0.95, bytes=4_000_000, latency=next(times)),
        int8=Figures(metric=0.946, bytes=2_000_000, latency=next(times)),
        runtime="ONNX Runtime",
        threads=1,
        machine=f"a CPU{word}",
    )


def known(names: list[str], word: str = "", rows: tuple[ComparisonRow, ...] = ()) -> Known:
    """A dense and a retrained model; `word` is part of every name that isn't a group's."""

    def model(name: str, digest: str, cut: Plan | None, epochs: int) -> Model:
        history = [
            EpochRecord(epoch=i, loss=1 / i, learning_rate=0.1, seconds=1.0, metrics={"acc1": 1 - 0.5 / i})
            for i in range(1, epochs + 1)
        ]
        info = CheckpointInfo(
            task="classification",
            family="lenet",
            options={"num_classes": 2, "note": word},
            labels=(f"cat{word}", "dog"),
            transforms=({"name": f"Resize{word}", "size": 32},),
            metrics={"acc1": 0.95},
            primary_metric="acc1",
            weights_sha256=digest * 8,
            command=f"paddleprune train classification --save-dir {name}{word}",
        )
        return Model(name + word, "retrained" if cut else "dense", info, cut, digest, 9000, tuple(history))

    return Known(
        name=f"run{word}",
        models=(model("lenet", "dense", None, 4), model("lenet_prune", "pruned", plan(names), 2)),
        rows=rows,
        notes=(f"Latency: one sample on the CPU{word}.",) if rows else (),
        front=front(),
        table=table(names),
        quantized=quantized(word),
        pictures=(Picture(f"0{word}.png", PIXEL, 1, 1),),
    )
