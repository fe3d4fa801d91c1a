from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from chassis.settings import ConsumerSettings, ServiceSettings, SettingsError, TopicArn, load

GOOD = {
    "PORT": "8000",
    "DATABASE_URL": "postgresql://shop:hunter2@127.0.0.1:5432/shop",
    "JWKS_URL": "http://user:8000",
    "EVENTS_TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:order-events",
}


class Settings(ServiceSettings, ConsumerSettings):
    events_topic_arn: Annotated[TopicArn, Field(description="SNS topic")]
    origins: Annotated[tuple[str, ...], Field(description="web origins")] = ()
    api_key: SecretStr | None = None


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    return str(caught.value)


def test_what_is_not_set_has_a_default_that_is_safe() -> None:
    """A service listens on the loopback address alone unless told otherwise, and exports nothing."""
    settings = load(Settings)
    assert ("127.0.0.1", None, "INFO", 20) == (
        settings.host,
        settings.otel_exporter_otlp_endpoint,
        settings.log_level,
        settings.queue_wait_s,
    )


def test_a_missing_variable_is_named_with_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, which one who has never seen the service can act on."""
    monkeypatch.delenv("DATABASE_URL")
    assert refusal() == (
        "DATABASE_URL is not set (the service's own database, postgresql://user:password@host:port/name)."
    )


def test_all_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each, so that nobody has to start a service four times to learn of four variables."""
    for name in GOOD:
        monkeypatch.delenv(name)
    named = {line.split()[0] for line in refusal().splitlines()}
    assert named == set(GOOD)


def test_a_variable_that_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As OpenTelemetry and most shells have it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    monkeypatch.setenv("PORT", "")
    assert refusal() == "PORT is not set (port to listen on)."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "8000.5"),
        ("DATABASE_URL", "mysql://shop:hunter2@host/shop"),
        ("DATABASE_URL", "postgresql://shop:hunter2@host:port/shop"),
        ("DATABASE_URL", "postgresql://shop:hunter2@host"),
        ("DATABASE_URL", "hunter2"),
        ("DATABASE_SECRET_ARN", "hunter2"),
        ("DATABASE_SECRET_ARN", "arn:aws:sns:eu-central-1:123456789012:hunter2"),
        ("JWKS_URL", "hunter2"),
        ("JWKS_URL", "file:///etc/passwd"),
        ("EVENTS_TOPIC_ARN", "hunter2"),
        ("ENVIRONMENT", "hunter2"),
        ("LOG_LEVEL", "hunter2"),
        ("DATABASE_POOL_SIZE", "1"),
        ("QUEUE_WAIT_S", "21"),
        ("QUEUE_VISIBILITY_TIMEOUT_S", "0"),
        ("ORIGINS", "hunter2"),
        ("ORIGINS", '{"hunter2": 1}'),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The message ends in a log that many may read; the value may be a password in the wrong place."""
    monkeypatch.setenv(name, value)
    message = refusal()
    assert message.startswith(f"{name} cannot be used")
    assert message.endswith(".")
    assert "hunter2" not in message
    assert len(message.splitlines()) == 1


def test_a_database_url_says_how_it_should_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in pydantic's words."""
    monkeypatch.setenv("DATABASE_URL", "hunter2")
    assert "it must look like postgresql://user:password@host:5432/name." in refusal()
    assert "Value error" not in refusal()


def test_the_password_of_the_database_may_be_in_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """As RDS names it; the URL then says where the database is, and may say whose."""
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-0f1e2d3c-AbC123"
    monkeypatch.setenv("DATABASE_SECRET_ARN", arn)
    for url in ("postgresql://db.example/shop?sslmode=require", "postgresql://shop@db.example:5432/shop"):
        monkeypatch.setenv("DATABASE_URL", url)
        settings = load(Settings)
        assert (arn, url) == (settings.database_secret_arn, settings.login().url)


def test_settings_never_show_their_secrets() -> None:
    """Whoever prints or logs them."""
    assert "hunter2" not in repr(load(Settings)) + str(load(Settings).model_dump())


def test_variables_of_others_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment holds more than a service reads."""
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    assert load(Settings).port == 8000


def test_settings_do_not_change_while_a_service_runs() -> None:
    """They are read once."""
    with pytest.raises(ValueError, match="frozen"):
        load(Settings).port = 1  # type: ignore[misc]
