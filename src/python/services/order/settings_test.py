from __future__ import annotations

import pytest

from chassis.settings import SettingsError, load
from services.order.settings import Settings


def test_each_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, so that all can be mended at once."""
    monkeypatch.setenv("PORT", "1")
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    named = {line.split()[0] for line in str(caught.value).splitlines()}
    assert named == {
        "DATABASE_URL",
        "JWKS_URL",
        "ORDER_EVENTS_TOPIC_ARN",
        "NOTIFICATION_EVENTS_TOPIC_ARN",
        "ORDER_PROCESSING_QUEUE_URL",
        "PRODUCT_URL",
        "USER_URL",
    }


def test_a_deadline_shorter_than_the_saga_needs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every order would be cancelled."""
    monkeypatch.setenv("ORDER_DEADLINE_S", "0")
    with pytest.raises(SettingsError, match="ORDER_DEADLINE_S cannot be used"):
        load(Settings)
