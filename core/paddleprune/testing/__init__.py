"""The conformance suite: subclass it in your plugin's tests, and pytest runs every check.

from paddleprune.testing import FamilyConformance, TaskConformance

class TestMyFamily(FamilyConformance):
    task, family = "classification", "my_net"
    options = {"num_classes": 4, "input_size": 64}

class TestMyTask(TaskConformance):
    task = "my_task"
"""

from paddleprune.testing.conformance import FamilyConformance as FamilyConformance
from paddleprune.testing.exactness import check_exact as check_exact
from paddleprune.testing.exactness import settle as settle
from paddleprune.testing.task_conformance import TaskConformance as TaskConformance
