"""The payment stack: the one that knows the provider's keys."""

from __future__ import annotations

from infra.stacks.testing import (
    Step,
    Steps,
    Tracking,
    bounds,
    health,
    instance,
    routing,
    secrets,
    size,
    steps,
    trackings,
)
from infra.testing import Deployment


def test_the_database_is_a_t3_small_backed_up_for_14_days(anywhere: Deployment) -> None:
    """What was paid is asked for later than what was clicked."""
    assert {
        "class": "db.t3.small",
        "storage": (20, 100),
        "backup days": 14,
        "performance insights": False,
    } == instance(anywhere["payment"])


def test_there_are_two_small_tasks_at_first(anywhere: Deployment) -> None:
    """A quarter of a vCPU and 512 MiB each."""
    assert ("256", "512", 2) == size(anywhere["payment"])


def test_it_answers_payments_at_priority_400(anywhere: Deployment) -> None:
    """After products."""
    assert (["/api/payments", "/api/payments/*"], 400) == routing(anywhere["payment"])
    assert ("/health", 30, 5, 3) == health(anywhere["payment"])


def test_it_scales_from_2_to_10_by_cpu(anywhere: Deployment) -> None:
    """At 70 %."""
    assert (2, 10) == bounds(anywhere["payment"])
    assert {Tracking("ECSServiceAverageCPUUtilization", 70, 180, 60)} == trackings(anywhere["payment"])


def test_it_scales_by_its_queue(anywhere: Deployment) -> None:
    """More messages than a minute's work add tasks, the more of them the more."""
    assert Steps(
        "${messaging:PaymentProcessingQueue.QueueName}",
        120,
        (Step(50, 200, 1), Step(200, 1000, 3), Step(1000, None, 5)),
    ) == steps(anywhere["payment"])


def test_the_keys_of_the_provider_are_given_to_it_alone(anywhere: Deployment) -> None:
    """Whoever has them takes customers' money."""
    assert {
        "STRIPE_API_KEY": "${shared:Stripe}:api_key::",
        "STRIPE_WEBHOOK_SECRET": "${shared:Stripe}:webhook_secret::",
    } == secrets(anywhere["payment"], "payment")
    others = ("user", "order", "product", "notification")
    assert set() == {
        source
        for service in others
        for source in secrets(anywhere[service], service).values()
        if "Stripe" in source
    }
