from __future__ import annotations

import pytest

from chassis.settings import SettingsError, load
from services.notification.conftest import settings
from services.notification.settings import Settings


def test_each_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, so that all can be mended at once."""
    monkeypatch.setenv("PORT", "1")
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    named = {line.split()[0] for line in str(caught.value).splitlines()}
    assert {"DATABASE_URL", "JWKS_URL", "NOTIFICATION_QUEUE_URL"} == named


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "http://user:secret@mail.example"),
        ("SMTP_URL", "smtp://"),
        ("SMTP_URL", "smtp://user:secret@mail.example:port"),
        ("SMTP_URL", "smtp://user:secret@mail.example:70000"),
        ("SMTP_URL", "smtp://mail.example/secret"),
        ("SMTP_URL", "smtp://mail.example?secret"),
        ("SMTP_URL", "smtp://[secret"),
        ("MAIL_FROM", "Mercato"),
        ("MAIL_FROM", "a@example.com, b@example.com"),
        ("MAIL_FROM", "Mercato <no-reply@>"),
        ("MAIL_FROM", "Mercato <>"),
        ("MAIL_FROM", "Mercato <no-reply@example.com>\nBcc: eve@example.com"),
        ("MAIL_FROM", "Mercato <é@example.com>"),
        ("DATABASE_POOL_SIZE", "5"),
    ],
)
def test_what_cannot_work_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """No mail server, no sender, a pool that the mails alone would use up; secrets stay secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(Settings)
    (line,) = [line for line in str(caught.value).splitlines() if line.startswith(name)]
    assert f"{name} cannot be used" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    "url",
    [
        "smtp://127.0.0.1:25",
        "smtp://mail.example",
        "smtp://mail.example/",
        "smtps://user:p%40ss@mail.example:465",
        "smtp://[::1]:25",
    ],
)
def test_a_mail_server_may_be_anywhere(url: str) -> None:
    """With and without port, password and TLS from the start; it is shown nowhere."""
    made = settings("postgresql://localhost/x", smtp_url=url)
    assert made.smtp_url is not None
    assert url == made.smtp_url.get_secret_value()
    assert url not in repr(made)


@pytest.mark.parametrize(
    "sender", ["no-reply@example.com", "Mercato <no-reply@example.com>", '"Mercato, Inc." <a@example.com>']
)
def test_a_sender_may_have_a_name(sender: str) -> None:
    """Or not."""
    assert sender == settings("postgresql://localhost/x", mail_from=sender).mail_from
