"""The notification service's environment."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from chassis.settings import ConsumerSettings, QueueUrl, ServiceSettings


def _smtp(url: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(url.get_secret_value())
        usable = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.path in ("", "/")
        usable = usable and not parts.query and not parts.fragment
        _ = parts.port  # raises where it is no number
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "it must look like smtp://user:password@host:port, or smtps:// for TLS from the start"
        )
    return url


SmtpUrl = Annotated[SecretStr, AfterValidator(_smtp)]


def _sender(text: str) -> str:
    message = EmailMessage()
    try:
        message["From"] = text
        header = message["From"]
        usable = len(header.addresses) == 1 and header.addresses[0].domain and not header.defects
        text.encode("ascii")
    except (ValueError, IndexError):  # the email package's own ways of saying no
        usable = False
    if not usable:
        raise ValueError("it must look like Name <name@host.example>")
    return text


class Settings(ServiceSettings, ConsumerSettings):
    """What the notification service reads, beyond what every service does."""

    # Beside the routes, each worker that sends mails holds a connection meanwhile, and each poller one.
    database_pool_size: Annotated[int, Field(ge=8, le=100)] = 12
    notification_queue_url: Annotated[QueueUrl, Field(description="SQS queue notification-queue")]
    smtp_url: Annotated[
        SmtpUrl | None,
        Field(
            description="mail server, smtp://user:password@host:port; with a password only over TLS. "
            "Without it mails go out by SES, by the role of the process"
        ),
    ] = None
    mail_from: Annotated[
        str, AfterValidator(_sender), Field(description="sender of every mail, Name <name@host.example>")
    ] = "Mercato <no-reply@mercato.example>"
