"""What is said of an exported file that was compared with its model."""

from __future__ import annotations

from paddleprune.specs import Contract

TOLERANCE = 1e-4
"""Largest difference of an output that passes, as a share of its largest value."""


class Port(Contract):
    """An input or an output of a file.

    Attributes:
        name: in the file.
        shape: None is any size.
        dtype: NumPy's name of its type.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class Compared(Contract):
    """How far a file is from the model on some samples.

    Attributes:
        samples: how many.
        differences: output -> the largest difference, as a share of the model's largest value there.
    """

    samples: int
    differences: dict[str, float]

    @property
    def largest(self) -> float:
        """Of all outputs."""
        return max(self.differences.values(), default=0.0)


class Proof(Contract):
    """What was compared with the model, in which runtime.

    Attributes:
        runtime: its name and version.
        tolerance: what passes.
        probe: on random numbers.
        data: on samples of data; None where none was given.
    """

    runtime: str
    tolerance: float = TOLERANCE
    probe: Compared
    data: Compared | None = None

    def describe(self) -> str:
        """One line."""
        largest = max(part.largest for part in (self.probe, self.data) if part is not None)
        samples = "" if self.data is None else f" and {self.data.samples} of the data"
        return (
            f"the file and the model differ by at most {largest:.1e} of an output's largest value "
            f"({self.runtime}; {self.probe.samples} random samples{samples})"
        )
