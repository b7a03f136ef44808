"""What all steps of preprocessing have in common."""

from __future__ import annotations

from collections.abc import Sequence

from paddleprune.specs import Contract


class Step(Contract):
    """A step that comes out the same each time; `name` is what users call it by, and what tells steps apart."""

    name: str

    @property
    def random(self) -> bool:
        """Does it come out differently each time?"""
        return False


class RandomStep(Step):
    """A step that draws something, so that it is for training alone."""

    @property
    def random(self) -> bool:
        """It does."""
        return True


def random_step(steps: Sequence[Contract]) -> str | None:
    """The name of the first step that comes out differently each time, if there is one."""
    return next((step.name for step in steps if isinstance(step, Step) and step.random), None)
