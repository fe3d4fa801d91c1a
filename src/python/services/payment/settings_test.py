from __future__ import annotations

import pytest

from chassis.settings import SettingsError, load
from services.payment.settings import Settings


def test_each_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, so that all can be mended at once."""
    monkeypatch.setenv("PORT", "1")
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    named = {line.split()[0] for line in str(caught.value).splitlines()}
    assert {
        "DATABASE_URL",
        "JWKS_URL",
        "PAYMENT_EVENTS_TOPIC_ARN",
        "PAYMENT_PROCESSING_QUEUE_URL",
        "STRIPE_API_KEY",
        "STRIPE_WEBHOOK_SECRET",
    } == named


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("STRIPE_API_KEY", "pk_test_publishable", "secret key"),
        ("STRIPE_WEBHOOK_SECRET", "sk_test_mixed_up", "whsec_"),
        ("STRIPE_API_BASE", "not an address", "URL"),
        ("DATABASE_POOL_SIZE", "5", "greater than or equal to 14"),
    ],
)
def test_what_cannot_work_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    """Keys that were mixed up, and a pool that the calls alone would use up; secrets stay secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    (line,) = [line for line in str(caught.value).splitlines() if line.startswith(name)]
    assert f"{name} cannot be used" in line
    assert hint in line
    assert not name.endswith(("KEY", "SECRET")) or value not in line
