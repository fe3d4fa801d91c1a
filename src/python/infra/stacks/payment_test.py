"""The payment stack: the one that knows the provider's keys."""

from __future__ import annotations

from infra.stacks.testing import health, instance, routing, secrets
from infra.testing import Deployment


def test_the_database_is_a_t3_small_backed_up_for_14_days(anywhere: Deployment) -> None:
    """What was paid is asked for later than what was clicked."""
    assert {
        "class": "db.t3.small",
        "storage": (20, 100),
        "backup days": 14,
        "performance insights": False,
    } == instance(anywhere["payment"])


def test_it_answers_payments_at_priority_400(anywhere: Deployment) -> None:
    """After products."""
    assert (["/api/payments", "/api/payments/*"], 400) == routing(anywhere["payment"])
    assert ("/health", 30, 5, 3) == health(anywhere["payment"])


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
