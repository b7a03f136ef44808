"""What is said of an INT8 file beside it."""

from __future__ import annotations

from paddleprune.measure.latency import Latency
from paddleprune.proofs.proved import Port, Proof
from paddleprune.specs import Contract


class Calibration(Contract):
    """What the ranges of the tensors come from, and how numbers are kept.

    Attributes:
        samples: how many, of the training data.
        method: how a range is found.
        weight_bits: of a signed weight, with a scale for each output channel; 7 on CPUs whose sums saturate.
    """

    samples: int
    method: str
    weight_bits: int


class LeftStep(Contract):
    """A step that stays in float.

    Attributes:
        step: the layer, or what comes after which layer.
        error: what changes in the outputs where this step alone is in INT8, as a share of theirs.
    """

    step: str
    error: float


class Figures(Contract):
    """What was measured of a file.

    Attributes:
        metric: the primary metric, on samples that no search has seen.
        bytes: its size.
        latency: of one sample.
    """

    metric: float
    bytes: int
    latency: Latency


class Quantized(Contract):
    """What `quantized.json` says of `model.onnx` beside it.

    Attributes:
        files: their names.
        versions: package -> its version.
        opset: of ONNX's operators.
        inputs: in the order of the model's arguments.
        outputs: in order.
        proof: how far the float file, of which the INT8 file was made, is from the checkpoint.
        calibration: what the ranges come from.
        steps: how many could be in INT8.
        left_in_float: those that are not, since too much was lost with them: the most sensitive first.
        metric: the name of the primary one.
        loss: share of it that INT8 loses.
        error: the standard error of the loss; None where it isn't known.
        max_loss: what was asked for.
        samples: evaluation samples that the figures are from.
        searched: INT8 networks that were measured on the other half of the evaluation samples.
        float32: the float file, of the same checkpoint.
        int8: this file.
        runtime: what both were run in.
        threads: of the CPU.
        machine: the CPU.
    """

    schema_version: int = 1
    files: tuple[str, ...]
    versions: dict[str, str]
    opset: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    proof: Proof
    calibration: Calibration
    steps: int
    left_in_float: tuple[LeftStep, ...]
    metric: str
    loss: float
    error: float | None
    max_loss: float
    samples: int
    searched: int
    float32: Figures
    int8: Figures
    runtime: str
    threads: int
    machine: str

    @property
    def speedup(self) -> float:
        """How many samples in INT8 take as long as one in float."""
        return self.float32.latency.median_ms / self.int8.latency.median_ms

    def describe(self) -> str:
        """The figures on one line."""
        error = "" if self.error is None else f" ± {self.error:.4f}"
        one, other = self.float32, self.int8
        return (
            f"FP32 and INT8: {self.metric} {one.metric:.4f} and {other.metric:.4f} (loss {self.loss:.4f}{error}, "
            f"{self.samples} samples), {one.latency.median_ms:.3g} and {other.latency.median_ms:.3g} ms a sample "
            f"({self.runtime}, {self.threads} thread{'' if self.threads == 1 else 's'}), "
            f"{one.bytes / 1e6:.3g} and {other.bytes / 1e6:.3g} MB, {len(self.left_in_float)} of {self.steps} steps "
            "in float"
        )
