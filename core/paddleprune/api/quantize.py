"""A checkpoint in INT8, as ONNX, after training: measured beside FP32, and refused where it doesn't pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from paddleprune import __version__
from paddleprune.api.batches import CalibrationData, as_dataset
from paddleprune.api.calibration import calibration_inputs, open_calibration
from paddleprune.api.data import Data
from paddleprune.api.loading import Evaluation, as_path, evaluation_of, open_model
from paddleprune.api.meter import Against, halves, small_enough
from paddleprune.console import say
from paddleprune.dependencies import require
from paddleprune.errors import PlanError
from paddleprune.exports.onnx import opset_of
from paddleprune.files import making, user_path, write_json
from paddleprune.interfaces import Array, Dataset
from paddleprune.machine.cpu import cpu_name
from paddleprune.measure.evaluation import Batches
from paddleprune.measure.latency import Latency
from paddleprune.quantization import (
    METHOD,
    PURPOSE,
    RUNTIME,
    Bench,
    Calibration,
    Figures,
    LeftStep,
    Quantized,
    Step,
    fewest,
    rank_steps,
    time_files,
    weight_bits,
    within,
)
from paddleprune.registry import Registry
from paddleprune.runtimes.modes import MODES
from paddleprune.sensitivity.measuring.scores import Score
from paddleprune.settings import QuantizeSettings
from paddleprune.training import select_device
from paddleprune.validation import SETTING, validated

MODEL, RECORD = "model.onnx", "quantized.json"
_RANKED_ON = 32
"""Samples that the steps are ranked on."""


def quantize(
    checkpoint: str | Path,
    *,
    eval_dataset: Data,
    save_dir: str | Path,
    train_dataset: Data | None = None,
    calibration: CalibrationData | None = None,
    **settings: Any,
) -> Quantized:
    """Write a checkpoint, pruned or not, as ONNX in INT8, without training.

    What loses too much in INT8 stays in float: as few steps as possible, found by measuring on half of the evaluation
    samples. The other half gives the figures. FP32 and INT8 are timed in turns, in ONNX Runtime on this CPU.

    Args:
        checkpoint: a checkpoint folder.
        eval_dataset: measures: a folder in the task's layout, the fields of its dataset config, or a Dataset.
        save_dir: gets `model.onnx` and `quantized.json`, which says how it was made and what it costs.
        train_dataset: what the samples for the ranges are drawn from, preprocessed as for evaluation; by default the
            training split of `eval_dataset`, if that is a folder.
        calibration: other samples, instead; without labels is fine. It may be a `paddle.io.DataLoader`, as for
            `prune`.
        **settings: any field of `QuantizeSettings`: max_loss, samples, threads, batch_size.

    Returns:
        What `quantized.json` says.

    Raises:
        ConfigError: an argument can't be used.
        DataError, CheckpointError, TableError: what was given can't be used.
        DependencyError: something isn't installed.
        GraphError: the model can't be exported as ONNX or put into INT8.
        PlanError: INT8 is slower than FP32, or loses more than `max_loss`. Nothing is written then.
    """
    asked = validated(QuantizeSettings, settings, "quantize", SETTING)
    for module in ("paddle2onnx", "onnxruntime.quantization"):
        require(module, PURPOSE)
    select_device("cpu")  # where the files are run
    registry, folder = Registry.discover(), user_path(save_dir)
    loaded = open_model(registry, as_path(checkpoint))
    evaluation = evaluation_of(registry, loaded, eval_dataset)
    given = as_dataset(calibration, loaded, asked.samples)
    drawn = open_calibration(registry, loaded, given, train_dataset, eval_dataset, PURPOSE)
    samples = calibration_inputs(drawn, asked.samples)
    with making(folder) as place:
        bench = Bench.of(loaded.layer, loaded.options.input_shapes(), samples, place)
        record = Attempt(bench, evaluation, samples, asked, place / MODEL).carry_out()
        check_pays(record)
        write_json(place / RECORD, record)
        for name in (MODEL, RECORD):
            (place / name).replace(folder / name)
    return record


def check_pays(record: Quantized) -> None:
    """Refuse INT8 that is slower than FP32, or loses more than was asked for.

    Raises:
        PlanError: the message says all figures.
    """
    why = ["is slower than FP32 on this CPU"] if record.speedup < 1 else []
    if record.loss > record.max_loss:
        why.append(f"loses more than max_loss {record.max_loss:g}")
    if why:
        raise PlanError(f"INT8 {' and '.join(why)}: {record.describe()}; nothing was written; export FP32 instead")


@dataclass(frozen=True)
class Attempt:
    """Puts one network into INT8.

    Attributes:
        bench: the network.
        evaluation: its data and its metric.
        samples: of calibration.
        asked: what was asked for.
        file: where the INT8 network is written.
    """

    bench: Bench
    evaluation: Evaluation
    samples: Sequence[Array]
    asked: QuantizeSettings
    file: Path

    def carry_out(self) -> Quantized:
        """Write the file, and say what it costs, whether it pays or not.

        Raises:
            PlanError: no choice of steps in float is within the loss.
        """
        search, judge = halves(self.evaluation.dataset)
        self.bench.write(self.file)
        times, left, searched = self._time(), list[tuple[Step, float]](), 0
        if times[1].median_ms <= times[0].median_ms:  # what stays in float can only slow it down
            left, searched = self._left_in_float(search)
            times = self._time() if left else times
        return self._record(judge, left, searched, times)

    def _time(self) -> tuple[Latency, Latency]:
        files = {"FP32": self.bench.float32, "INT8": self.file}
        found = time_files(files, self.file.parent, self.asked.threads)
        return found["FP32"], found["INT8"]

    def _left_in_float(self, search: Dataset) -> tuple[list[tuple[Step, float]], int]:
        """Write the file with as few steps in float as the loss allows: which, and how many networks were measured."""
        measure, asked = self._against(search, "measure"), self.asked
        whole = measure(self.bench.forward(self.file))
        if within(whole, asked.max_loss):
            return [], 1
        say(
            f"all in INT8 loses {_said(whole)} of {self.evaluation.metric.primary}: looking for steps to leave in float"
        )
        ranked = rank_steps(self.bench.network, self.bench.ranges, [array[:_RANKED_ON] for array in self.samples])
        tried = dict[int, Score]()

        def losing(count: int) -> Score:
            file = self._write(ranked[:count])
            tried[count] = measure(self.bench.forward(file))
            return tried[count]

        count = fewest(losing, len(ranked), asked.max_loss)
        if count is None:
            lost = f"INT8 loses {_said(whole)} of {self.evaluation.metric.primary}"
            raise PlanError(
                f"{lost}, and no choice of steps in float is within max_loss {asked.max_loss:g}; {_WAY_OUT}"
            )
        self._write(ranked[:count])
        return ranked[:count], 1 + len(tried)

    def _write(self, left: Sequence[tuple[Step, float]]) -> Path:
        return self.bench.write(self.file, [step for step, _ in left])

    def _against(self, dataset: Dataset, what: str) -> Against:
        """What measures losses against the network in float."""
        batches = Batches(dataset, small_enough(self.asked.batch_size, dataset))
        return Against(self.bench.forward(self.bench.float32), self.evaluation.metric, batches, what)

    def _record(
        self, judge: Dataset, left: Sequence[tuple[Step, float]], searched: int, times: tuple[Latency, Latency]
    ) -> Quantized:
        """What the file costs, on samples that the search hasn't seen."""
        against, bench = self._against(judge, "evaluate"), self.bench
        baseline = against.last
        score = against(bench.forward(self.file))
        return Quantized(
            files=(MODEL,),
            versions=_versions(),
            opset=opset_of(self.file),
            inputs=bench.inputs,
            outputs=bench.outputs,
            proof=bench.proof,
            calibration=Calibration(samples=len(self.samples[0]), method=METHOD, weight_bits=weight_bits()),
            steps=len(bench.network.steps),
            left_in_float=tuple(LeftStep(step=step.title, error=error) for step, error in left),
            metric=self.evaluation.metric.primary,
            loss=score.loss,
            error=score.error,
            max_loss=self.asked.max_loss,
            samples=len(judge),
            searched=searched,
            float32=Figures(metric=baseline, bytes=bench.float32.stat().st_size, latency=times[0]),
            int8=Figures(metric=score.metric, bytes=self.file.stat().st_size, latency=times[1]),
            runtime=f"{RUNTIME.library} {RUNTIME.version}",
            threads=times[1].threads,
            machine=cpu_name(),
        )


_WAY_OUT = "nothing was written; allow more loss, give other calibration samples, or export FP32"


def _said(score: Score) -> str:
    return f"{score.loss:.4f}" + ("" if score.error is None else f" ± {score.error:.4f}")


def _versions() -> dict[str, str]:
    packages = {name: metadata.version(name) for name in ("onnx", "onnxruntime", "paddle2onnx")}
    return {"paddleprune": __version__, "paddle": MODES["onednn_off"].version, **packages}
