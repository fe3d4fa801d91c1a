"""The policies that somebody set by hand before anything was measured."""

from __future__ import annotations

from typing import Any

import pytest

from infra.scaling.policy import Bounds, QueueSteps, Step, TargetTracking, Task
from loadtests.checkout import Checkout

CPU_70 = TargetTracking(metric="cpu", target_percent=70, scale_in_cooldown_s=180, scale_out_cooldown_s=60)
NEIGHBOURLY = QueueSteps(
    cooldown_s=120,
    steps=(
        Step(from_messages=0, add_tasks=0),
        Step(from_messages=50, add_tasks=1),
        Step(from_messages=200, add_tasks=3),
        Step(from_messages=1000, add_tasks=5),
    ),
)


@pytest.mark.parametrize(
    ("service", "task", "bounds", "tracking", "queue"),
    [
        (
            "user",
            (256, 512),
            (2, 2, 10),
            (
                CPU_70,
                TargetTracking(
                    metric="memory", target_percent=80, scale_in_cooldown_s=180, scale_out_cooldown_s=60
                ),
            ),
            None,
        ),
        (
            "order",
            (512, 1024),
            (3, 3, 20),
            (
                TargetTracking(
                    metric="cpu", target_percent=60, scale_in_cooldown_s=300, scale_out_cooldown_s=30
                ),
            ),
            QueueSteps(
                cooldown_s=120,
                steps=(
                    Step(from_messages=0, add_tasks=0),
                    Step(from_messages=10, add_tasks=2),
                    Step(from_messages=50, add_tasks=5),
                    Step(from_messages=100, add_tasks=10),
                ),
            ),
        ),
        ("product", (256, 512), (2, 2, 8), (CPU_70,), None),
        ("payment", (256, 512), (2, 2, 10), (CPU_70,), NEIGHBOURLY),
        ("notification", (256, 512), (2, 2, 8), (CPU_70,), NEIGHBOURLY),
    ],
)
def test_the_numbers_are_those_that_were_set_by_hand(
    service: str, task: Any, bounds: Any, tracking: Any, queue: Any
) -> None:
    """What others are compared with stays what it was."""
    made = Checkout().by_hand(service)
    (cpu, memory), (least, desired, most) = task, bounds
    assert Task(cpu=cpu, memory_mib=memory) == made.task
    assert Bounds(minimum=least, desired=desired, maximum=most) == made.bounds
    assert (tracking, queue, ()) == (made.target_tracking, made.queue, made.scheduled)
