"""A task whose inputs aren't images passes the suite, and the whole job, by what the docs say alone."""

from __future__ import annotations

from paddleprune.testing import FamilyConformance, TaskConformance


class TestTask(TaskConformance):
    task = "tones"


class TestFamily(FamilyConformance):
    task, family = "tones", "wave_net"
    options = {"num_classes": 2, "width": 4}  # noqa: RUF012
