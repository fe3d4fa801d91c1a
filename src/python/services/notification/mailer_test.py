from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backing.mailbox import Mailbox
from backing.ports import free_port
from chassis.clock import new_id, utc_now
from chassis.jobs import Later, Outage, Rejected
from services.notification.mailer import Mail, SmtpMailer

SENDER = "Mercato <no-reply@mercato.example>"


def mail(**changes: Any) -> Mail:
    new = Mail(
        id=new_id(),
        name="Ada",
        address="ada@example.com",
        subject="Your order is confirmed",
        text="Hello Ada",
        html="<p>Hello Ada</p>",
        date=utc_now(),
    )
    return replace(new, **changes)


@dataclass
class Server:
    """A mail server that answers as a test says, and shows what it was given."""

    port: int = field(default_factory=free_port)
    at_rcpt: dict[str, str] = field(default_factory=dict)
    at_data: dict[str, str] = field(default_factory=dict)
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str | None, list[str]]] = field(default_factory=list)
    connections: int = 0
    passwords: list[LoginPassword] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if address in self.at_rcpt:
            return self.at_rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.at_data.get(envelope.rcpt_tos[0], "250 OK")
        if answer == "hang up":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        elif answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return answer

    def authenticate(
        self, _: SMTP, __: Session, ___: Envelope, ____: str, given: LoginPassword
    ) -> AuthResult:
        self.passwords.append(given)
        return AuthResult(success=given == LoginPassword(b"us:er", b"p@ss"), handled=False)


@asynccontextmanager
async def serving(server: Server, *, tls: bool = False, **options: Any) -> AsyncIterator[Server]:
    loop = asyncio.get_running_loop()

    def connected() -> SMTP:
        server.connections += 1
        return SMTP(server, loop=loop, hostname="mail.example", **options)

    context = options.get("tls_context") if tls else None
    listening = await loop.create_server(connected, "127.0.0.1", server.port, ssl=context)
    yield server
    listening.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A mail server that asks for no password."""
    async with serving(Server()) as made:
        yield made


@dataclass
class Certificate:
    """What a server proves with who it is, and what its clients check that with."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One that signs itself, for 127.0.0.1."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    of_server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Certificate(of_server, ssl.create_default_context(cafile=str(folder / "cert.pem")))


async def test_a_mail_arrives(mailbox: Mailbox) -> None:
    """In both forms, from whom and to whom it should."""
    sent = mail(text="Grüße, Ada", html="<p>Grüße, Ada</p>", subject="Überraschung 🦊")
    assert {} == await SmtpMailer(mailbox.smtp_url, SENDER).send([sent])
    (arrived,) = mailbox.messages()
    assert ("Überraschung 🦊", "Grüße, Ada") == (arrived["subject"], arrived["text"])
    assert "<p>Grüße, Ada</p>" == arrived["html"]
    assert ("no-reply@mercato.example", ["ada@example.com"]) == (arrived["sender"], arrived["to"])


async def test_a_mail_that_is_sent_twice_is_one_mail(mailbox: Mailbox) -> None:
    """The mailbox knows it by its id, though the second copy differs in its boundaries."""
    one, other = mail(), mail()
    for _ in range(2):
        assert {} == await SmtpMailer(mailbox.smtp_url, SENDER).send([one, other])
    assert 2 == len(mailbox.messages())


async def test_headers_say_what_a_mail_is(server: Server) -> None:
    """Whose it is, to whom, of when, which one, and that no machine need answer it."""
    sent = mail(date=dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC))
    await SmtpMailer(server.url, SENDER).send([sent])
    (message,) = server.taken
    headers = {
        "From": SENDER,
        "To": "Ada <ada@example.com>",
        "Subject": "Your order is confirmed",
        "Date": "Fri, 02 Jan 2026 12:00:00 +0000",
        "Message-ID": f"<{sent.id}@mercato.example>",
        "Auto-Submitted": "auto-generated",
    }
    assert headers == {name: str(message[name]) for name in headers}


@pytest.mark.parametrize(
    "name",
    [
        "Ada\r\nBcc: eve@example.com",
        "Ada\nBcc: eve@example.com",
        "Ada <eve@example.com>, ",
        '"Ada" <eve@example.com>',
        'Ada", eve@example.com, "',
        "Ada\x00\x1b",
        "Ада\u2028Bcc: eve@example.com",
        "=?utf-8?q?Ada=0D=0ABcc=3A_eve=40example=2Ecom?=",
        "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLmNvbQ==?=",
        "=?utf-8?q?=0D=0A=0D=0ABuy_this!?=",
        "=?=?utf-8?q?=0D=0ABcc=3A_eve?=?=",
        "Ädä, <eve@example.com>" + " x" * 150,
        "",
    ],
    ids=ascii,
)
async def test_a_name_makes_no_header_and_no_recipient(server: Server, name: str) -> None:
    """Nor a body: it is text, in the line that it belongs in."""
    assert {} == await SmtpMailer(server.url, SENDER).send([mail(name=name, subject=name), mail()])
    message, plain = server.taken
    assert plain.keys() == message.keys()
    assert ["ada@example.com"] == [address.addr_spec for address in message["To"].addresses]
    assert [("no-reply@mercato.example", ["ada@example.com"])] * 2 == server.envelopes
    text, html = (part.get_content().strip() for part in message.iter_parts())
    assert ("Hello Ada", "<p>Hello Ada</p>") == (text, html)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@example.com\r\nDATA",
        "ada@example.com> SIZE=1",
        "ada@example.com, eve@example.com",
        "<ada@example.com>",
        "ada lovelace@example.com",
        "ada@example.com\x00",
        "ädä@example.com",
    ],
    ids=ascii,
)
async def test_an_address_that_is_none_is_refused_alone(server: Server, address: str) -> None:
    """For good, and the others' mails go on."""
    wrong, right = mail(address=address), mail()
    failures = await SmtpMailer(server.url, SENDER).send([wrong, right])
    assert [wrong.id] == list(failures)
    assert isinstance(failures[wrong.id], Rejected)
    assert [f"<{right.id}@mercato.example>"] == [message["Message-ID"] for message in server.taken]


async def test_nobody_is_asked_to_take_nothing() -> None:
    """Neither for no mails, nor for those that cannot be made."""
    mailer = SmtpMailer(f"smtp://127.0.0.1:{free_port()}", SENDER)
    assert {} == await mailer.send([])
    assert 1 == len(await mailer.send([mail(address="")]))


async def test_mails_share_a_connection(server: Server) -> None:
    """Opening one takes longer than a mail."""
    await SmtpMailer(server.url, SENDER).send([mail() for _ in range(5)])
    assert (5, 1) == (len(server.taken), server.connections)


@pytest.mark.parametrize(("answer", "failure"), [("550 5.1.1 no such user", Rejected), ("450 busy", Later)])
@pytest.mark.parametrize("at", ["at_rcpt", "at_data"])
async def test_what_a_server_refuses_is_told_apart(
    server: Server, at: str, answer: str, failure: type[Exception]
) -> None:
    """For good, or for now; the mails before and after it are taken."""
    getattr(server, at)["eve@example.com"] = answer
    some = [mail(), mail(address="eve@example.com"), mail()]
    failures = await SmtpMailer(server.url, SENDER).send(some)
    assert [some[1].id] == list(failures)
    assert failure is type(failures[some[1].id])
    assert answer == str(failures[some[1].id])
    assert 2 == len(server.taken)


async def test_a_reason_does_not_name_the_recipient(server: Server) -> None:
    """It is logged; and it can be stored, whatever the server says."""
    server.at_rcpt["ada@example.com"] = "550 <ada@example.com>: \x00 gone"
    sent = mail()
    failures = await SmtpMailer(server.url, SENDER).send([sent])
    assert "550 <<recipient>>: gone" == str(failures[sent.id])


async def test_a_connection_that_breaks_puts_off_what_is_left(server: Server) -> None:
    """What was taken before is not sent again."""
    server.at_data["eve@example.com"] = "hang up"
    some = [mail(), mail(address="eve@example.com"), mail()]
    failures = await SmtpMailer(server.url, SENDER).send(some)
    assert [some[1].id, some[2].id] == list(failures)
    assert {Later} == {type(failure) for failure in failures.values()}
    assert 1 == len(server.taken)


async def test_a_server_that_is_away_is_an_outage() -> None:
    """No mail has been tried."""
    mailer = SmtpMailer(f"smtp://127.0.0.1:{free_port()}", SENDER)
    with pytest.raises(Outage, match="cannot be used"):
        await mailer.send([mail()])


async def test_a_server_that_wants_nothing_now_is_an_outage() -> None:
    """As it says in place of a greeting."""

    async def turn_away(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"421 closing\r\n")
        writer.close()

    listening = await asyncio.start_server(turn_away, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        with pytest.raises(Outage, match="closing"):
            await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER).send([mail()])


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the server cannot know of TLS from the start
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_password_is_given_over_tls(certificate: Certificate, scheme: str) -> None:
    """From the start or from STARTTLS on; it may hold what a URL has to escape."""
    server = Server()
    options: dict[str, Any] = {
        "tls_context": certificate.server,
        "require_starttls": scheme == "smtp",
        "authenticator": server.authenticate,
        "auth_required": True,
        "auth_require_tls": scheme == "smtp",
    }
    async with serving(server, tls=scheme == "smtps", **options):
        url = f"{scheme}://us%3Aer:p%40ss@127.0.0.1:{server.port}"
        assert {} == await SmtpMailer(url, SENDER, tls=certificate.client).send([mail()])
    assert (1, [LoginPassword(b"us:er", b"p@ss")]) == (len(server.taken), server.passwords)


async def test_a_wrong_password_is_an_outage_that_does_not_show_it(certificate: Certificate) -> None:
    """An operator mends it, and no mail is lost meanwhile."""
    server = Server()
    options: dict[str, Any] = {"authenticator": server.authenticate, "auth_required": True}
    async with serving(server, tls_context=certificate.server, **options):
        url = f"smtp://user:secret@127.0.0.1:{server.port}"
        with pytest.raises(Outage, match="invalid") as caught:
            await SmtpMailer(url, SENDER, tls=certificate.client).send([mail()])
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_a_password_is_not_given_without_tls() -> None:
    """Nor is a mail sent."""
    server = Server()
    options: dict[str, Any] = {"authenticator": server.authenticate, "auth_require_tls": False}
    async with serving(server, **options):
        with pytest.raises(Outage):
            await SmtpMailer(f"smtp://us%3Aer:p%40ss@127.0.0.1:{server.port}", SENDER).send([mail()])
    assert ([], []) == (server.passwords, server.taken)


async def test_a_server_that_cannot_prove_who_it_is_gets_no_password(certificate: Certificate) -> None:
    """Its certificate is checked."""
    server = Server()
    options: dict[str, Any] = {"authenticator": server.authenticate, "auth_required": True}
    async with serving(server, tls_context=certificate.server, **options):
        with pytest.raises(Outage):
            await SmtpMailer(f"smtp://us%3Aer:p%40ss@127.0.0.1:{server.port}", SENDER).send([mail()])
    assert [] == server.passwords
