"""The mail server: a port, the messages that go through it, and SMTP behind it (RFC 5321)."""

from __future__ import annotations

import datetime as dt
import re
import ssl
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from functools import partial
from typing import Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from chassis.jobs import Failures, Later, Outage, Rejected
from services.notification.domain import one_line

TIMEOUT_S = 10

T = TypeVar("T")


@dataclass(frozen=True)
class Mail:
    """A mail. Its id is that of every copy: sent twice, it is still one."""

    id: uuid.UUID
    name: str
    address: str
    subject: str
    text: str
    html: str
    date: dt.datetime


class Mailer(Protocol):
    """What takes mails."""

    async def send(self, mails: Sequence[Mail]) -> Failures:
        """Send `mails`; returns which were not taken, and why: Later, or Rejected where it will never be.

        Raises Outage, and has sent none, where the mail server is away.
        """
        ...


def message(mail: Mail, sender: str) -> EmailMessage:
    """`mail` as it goes out (RFC 5322), whatever takes it."""
    made = EmailMessage()
    made["From"] = sender
    made["To"] = Address(_header(mail.name), addr_spec=mail.address)
    made["Subject"] = _header(mail.subject)
    made["Date"] = mail.date
    made["Message-ID"] = f"<{mail.id}@{_address(sender).domain}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no reply by a machine, please
    made.set_content(mail.text)
    made.add_alternative(mail.html, subtype="html")
    return made


def written(
    mails: Sequence[Mail], write: Callable[[Mail], T]
) -> tuple[list[tuple[Mail, T]], dict[uuid.UUID, Exception]]:
    """What `write` makes of each mail, and of which it can make nothing, and why."""
    made: list[tuple[Mail, T]] = []
    failures: dict[uuid.UUID, Exception] = {}
    for mail in mails:
        try:
            made.append((mail, write(mail)))
        except Exception as error:  # as the email package meets an address that is none
            failures[mail.id] = Rejected(f"no mail can be made: {reason(error, mail)}")
    return made, failures


def reason(error: Exception, mail: Mail) -> str:
    """What went wrong, without the address, however it is written: it is kept and logged."""
    text = _text(error)
    if mail.address:
        text = re.sub(re.escape(mail.address), "<recipient>", text, flags=re.IGNORECASE)
    return one_line(text)


class SmtpMailer:
    """A mail server at smtp://[user:password@]host[:port], or smtps:// for TLS from the start.

    With a password, smtp:// insists on STARTTLS before it says anything (RFC 8314); without one it is taken
    for a relay next door.
    """

    def __init__(self, url: str, sender: str, *, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname
        self._port = parts.port
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._implicit_tls = parts.scheme == "smtps"
        self._start_tls = not self._implicit_tls and self._username is not None
        # Made once: reading the authorities' certificates takes longer than sending a mail.
        encrypted = self._implicit_tls or self._start_tls
        self._tls = (tls or ssl.create_default_context()) if encrypted else None
        self._sender = sender
        self._domain = _address(sender).domain

    async def send(self, mails: Sequence[Mail]) -> Failures:
        messages, failures = written(mails, partial(message, sender=self._sender))
        if messages:
            async with await self._connect() as server:
                for mail, made in messages:
                    refusal = await _deliver(server, mail, made)
                    if refusal is not None:
                        failures[mail.id] = refusal
        return failures

    async def _connect(self) -> SMTP:
        server = SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._implicit_tls,
            start_tls=self._start_tls,
            tls_context=self._tls,
            # Else the name of this machine is looked up each time, which takes seconds where nobody knows it.
            local_hostname=self._domain,
            timeout=TIMEOUT_S,
        )
        try:
            await server.connect()
        except (SMTPException, OSError) as error:
            raise Outage(f"the mail server cannot be used: {one_line(_text(error))}") from error
        return server


async def _deliver(server: SMTP, mail: Mail, made: EmailMessage) -> Exception | None:
    """Hand a mail over; returns why it was not taken, None if it was."""
    try:
        await server.send_message(made, recipients=[mail.address])
    except SMTPRecipientsRefused as error:
        return _refusal(error.recipients[0], mail)
    except SMTPResponseException as error:
        return _refusal(error, mail)
    except (SMTPNotSupported, ValueError) as error:
        return Rejected(reason(error, mail))
    except (SMTPException, OSError) as error:
        # An answer that comes yet would be taken for the answer to the next mail: those are for later too.
        server.close()
        return Later(reason(error, mail))
    return None


def _refusal(error: SMTPResponseException, mail: Mail) -> Exception:
    why = f"{error.code} {reason(error, mail)}"
    return Rejected(why) if error.code >= 500 else Later(why)  # RFC 5321, 4.2.1


def _text(error: Exception) -> str:
    # A server may say anything, in any bytes: one_line makes it fit to be kept.
    return str(getattr(error, "message", error)) or type(error).__name__


def _header(text: str) -> str:
    """`text` as it can stand in a header, and is no more there than text."""
    # Python's email package takes what looks like an encoded word (RFC 2047) for one and decodes it, line
    # breaks included: a name could be a header of its own, or a body.
    return one_line(text).replace("=?", "= ?")


def _address(sender: str) -> Address:
    message = EmailMessage()
    message["From"] = sender
    address: Address = message["From"].addresses[0]
    return address
