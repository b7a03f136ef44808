"""What a plan says of what became of it: the proof of its cut, how well that was repaired, and what it all costs."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from paddleprune.console import counted
from paddleprune.settings import RuntimeName
from paddleprune.specs import Contract

_ENOUGH = 2.0
"""Samples that a loss must be worth: below, the answer to one of them decides whether it was kept."""


class Certificate(Contract):
    """The proof that what was cut is what was measured.

    Attributes:
        max_difference: largest absolute difference between the masked dense model's outputs and the shrunk one's.
        scale: largest absolute value of the masked model's outputs.
        tolerance: the largest share of `scale` that passes.
        batch: samples in the probe batch.
        inexact: groups that can't be masked, so that both sides of the comparison lack their units already.
        training: whether the training forward, which does something else, is among the outputs.
        moved: largest absolute difference between the dense model's outputs and the masked one's; None where it
            wasn't measured. A mask that moves nothing proves nothing.
    """

    max_difference: float
    scale: float
    tolerance: float
    batch: int
    inexact: tuple[str, ...] = ()
    training: bool = False
    moved: float | None = None

    @property
    def passed(self) -> bool:
        """Is the difference within the tolerance?"""
        return self.max_difference <= self.tolerance * max(self.scale, 1e-12)

    def describe(self) -> str:
        """One line: masked and shrunk give the same outputs, to which precision."""
        besides = f"; not masked but measured shrunk: {counted(len(self.inexact), 'group')}" if self.inexact else ""
        moved = "" if self.moved is None else f"; the mask moved them by up to {self.moved:.2g}"
        hardly = ", which is too little to prove much" if self.moves_too_little else ""
        training = ", those of training mode too" if self.training else ""
        return (
            f"masked and shrunk outputs{training} differ by at most {self.max_difference:.1e} "
            f"(they reach {self.scale:.3g}{moved}{hardly}; {counted(self.batch, 'sample')}{besides})"
        )

    @property
    def moves_too_little(self) -> bool:
        """Does the mask move the outputs by no more than passes as rounding?"""
        return self.moved is not None and self.moved <= self.tolerance * self.scale


class LayerRepair(Contract):
    """How well a refit of one layer did.

    Attributes:
        before: the square of what the cut layer's output lacked of the dense one's, as a share of its variance; on
            samples that the refit wasn't made from, where there are such.
        after: the same of the refitted layer.
        refitted: whether the refit was kept: it wasn't where it made things worse.
    """

    before: float
    after: float
    refitted: bool


class Repair(Contract):
    """What was done to what a cut left, so that the network works at once.

    Attributes:
        samples: how many samples it was made from; their labels had no part in it.
        ridge: how strongly weights were pulled towards those of the cut network.
        layers: the layers that were refitted.
        left: layers and parameters that lost channels and were left as cut, with the reason.
    """

    samples: int
    ridge: float
    layers: dict[str, LayerRepair]
    left: dict[str, str] = Field(default_factory=dict)

    def describe(self) -> str:
        """One line: how much was refitted, and how well."""
        done = [layer for layer in self.layers.values() if layer.refitted]
        before, after = (
            float(np.median([getattr(layer, word) for layer in done] or [0.0])) for word in ("before", "after")
        )
        rest = len(self.layers) - len(done) + len(self.left)
        return (
            f"{counted(len(done), 'layer')} refitted from {counted(self.samples, 'sample')}; what the median one's "
            f"output lacks of the dense one's went from {before:.1%} to {after:.1%} of its variance; {rest} left as cut"
        )


class JointLoss(Contract):
    """What the whole plan costs: metric losses, measured on the network itself.

    Attributes:
        asked: the most that the plan might cost; None where a tolerance of each group alone made it.
        expected: the sum of the losses of single groups that the table expects; None without a table.
        cut: after the cut.
        repaired: after the cut and the repair.
        error: the standard error of `repaired`, from the differences to the dense network sample by sample.
        samples: evaluation samples that these losses are from, which no search has seen; None where they are the
            user's own, and the search has.
        tried: how many plans a search measured, on the other samples.
        earlier: how many cuts the network had been through before, with training in between, which isn't in here.
    """

    asked: float | None = None
    expected: float | None = None
    cut: float
    repaired: float
    error: float | None = None
    samples: int | None
    tried: int = 0
    earlier: int = 0

    def describe(self) -> str:
        """One line: asked, expected, cut, repaired."""
        asked = "" if self.asked is None else f"asked: at most {self.asked:g}; "
        expected = "" if self.expected is None else f"the table's losses add up to {self.expected:.4f}; "
        error = "" if self.error is None else f" ± {self.error:.4f}"
        unseen = f" that the search of {counted(self.tried, 'plan')} had not seen" if self.tried else ""
        on = "" if self.samples is None else f" ({counted(self.samples, 'sample')}{unseen})"
        losses = f"cut {self.cut:.4f}, repaired {self.repaired:.4f}{error}"
        what = f"cut {self.earlier + 1} alone" if self.earlier else "the whole plan"
        return f"{asked}{expected}metric loss of {what}: {losses}{on}{self._coarse()}"

    def _coarse(self) -> str:
        """What is to be said where the samples are too few for what was asked: one or two of them decide."""
        if self.asked is None or self.samples is None or self.samples * self.asked >= _ENOUGH:
            return ""
        return f"; these samples are few for it, one is {1 / self.samples:.1%} of them: give more evaluation data"


class MeasuredLatency(Contract):
    """How long one sample takes, in milliseconds, on the CPU that planned.

    Attributes:
        dense: the dense network.
        pruned: the pruned one, measured in turns with it.
        foretold: what the times of its layers had said of the pruned one.
        asked: the most that it might take; None where latency was to be saved, without a limit.
        runtime: what ran it.
        version: of the runtime; "" in plans of earlier versions, which Paddle Inference ran.
        threads: CPU threads.
        onednn: whether oneDNN was on; None in a runtime that has no such switch.
        machine: the CPU.
    """

    dense: float
    pruned: float
    foretold: float
    asked: float | None = None
    runtime: RuntimeName = "paddle"
    version: str = ""
    threads: int
    onednn: bool | None
    machine: str

    @property
    def reached(self) -> float:
        """How much of what it may take the pruned network takes: 1 is all of it, and 0 is said without a limit."""
        return 0.0 if self.asked is None else self.pruned / self.asked

    def describe(self) -> str:
        """One line: before, after, asked, foretold."""
        asked = "" if self.asked is None else f"; asked: at most {self.asked:.3g}"
        ran = f"{self.runtime} {self.version}" if self.onednn is None else f"oneDNN {'on' if self.onednn else 'off'}"
        return (
            f"latency of one sample: {self.dense:.3g} -> {self.pruned:.3g} ms ({self.pruned / self.dense:.2f} of it"
            f"{asked}; foretold: {self.foretold:.3g}; {ran}, {counted(self.threads, 'thread')})"
        )
