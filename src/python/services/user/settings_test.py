from __future__ import annotations

import pytest

from chassis.settings import SettingsError, load
from services.user.conftest import SIGNING_KEYS
from services.user.settings import Settings


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    """What is said of the variable `name` when it has that value."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    return "\n".join(line for line in str(caught.value).splitlines() if line.startswith(name))


def test_each_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, so that all can be mended at once; no JWKS_URL, for it has the keys itself."""
    monkeypatch.setenv("PORT", "1")
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    named = {line.split()[0] for line in str(caught.value).splitlines()}
    assert named == {"DATABASE_URL", "SIGNING_KEYS", "USER_EVENTS_TOPIC_ARN", "NOTIFICATION_EVENTS_TOPIC_ARN"}


def test_keys_that_cannot_sign_are_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what is wanted, not what was there."""
    said = refusal(monkeypatch, "SIGNING_KEYS", SIGNING_KEYS.replace("Ed25519", "X25519"))
    assert "SIGNING_KEYS cannot be used" in said
    assert SIGNING_KEYS[20:40] not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("ADMIN_PASSWORD", "short"), ("ARGON2_TIME_COST", "0"), ("ARGON2_MEMORY_KIB", "many")],
)
def test_a_value_that_cannot_be_used_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """With the variable's name."""
    assert f"{name} cannot be used" in refusal(monkeypatch, name, value)
