from __future__ import annotations

import pytest

from chassis.settings import SettingsError, load
from services.product.conftest import settings
from services.product.settings import Settings


def test_each_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, so that all can be mended at once."""
    monkeypatch.setenv("PORT", "1")
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    named = {line.split()[0] for line in str(caught.value).splitlines()}
    assert named == {
        "DATABASE_URL",
        "JWKS_URL",
        "INVENTORY_EVENTS_TOPIC_ARN",
        "INVENTORY_UPDATE_QUEUE_URL",
        "IMAGES_BUCKET",
        "REDIS_URL",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("REDIS_URL", "http://secret@host"), ("IMAGES_BUCKET", "Not A Bucket")],
)
def test_what_cannot_be_used_is_said_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A URL may hold a password."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name} cannot be used") as caught:
        load(Settings)
    assert value not in str(caught.value)


def test_the_password_of_the_cache_is_shown_nowhere() -> None:
    """It is a secret of its own, or part of the URL."""
    made = settings("postgresql://localhost/x", redis_password="hunter2")
    assert made.redis_password is not None
    assert "hunter2" == made.redis_password.get_secret_value()
    assert "hunter2" not in repr(made)
