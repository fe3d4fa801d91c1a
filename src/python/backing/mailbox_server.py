"""The mailbox's process: takes every mail by SMTP, delivers none, and shows them over HTTP.

Run as `python -m backing.mailbox_server SMTP_PORT HTTP_PORT DIRECTORY`; mails are kept in DIRECTORY.
A mail that comes again with the same Message-ID is stored once, as real mail stores do.

    GET    /                    all mails as a page
    GET    /messages/ID         one mail as a page
    GET    /messages.json       the newest first; ?to=ADDRESS and ?limit=N narrow it
    DELETE /messages            forget them all
"""

from __future__ import annotations

import asyncio
import base64
import email
import email.parser
import email.policy
import hashlib
import html
import json
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

from backing.ports import LOOPBACK

_LIMIT = 200

_headers = email.parser.BytesHeaderParser().parsebytes


@dataclass(frozen=True)
class Mail:
    """What is shown of a mail; `received` is its place in the order of arrival."""

    id: str
    received: int
    sender: str
    to: list[str]
    subject: str
    text: str
    html: str


class Store:
    """Mails as files, one each, with an index of their recipients in memory."""

    def __init__(self, directory: Path) -> None:
        """Open `directory` and what earlier runs left in it."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._lock = threading.Lock()
        self._recipients: dict[str, list[str]] = {}
        for path in sorted(directory.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
            self._recipients[path.stem] = json.loads(path.read_text())["to"]
        self._received = len(self._recipients)

    def add(self, content: bytes, sender: str, recipients: list[str]) -> None:
        """Store a mail unless one of its Message-ID is there."""
        identity = str(_headers(content)["Message-ID"] or "").strip().encode() or content
        key = hashlib.sha256(identity).hexdigest()[:20]
        with self._lock:
            if key in self._recipients:
                return
            # As it came: most mails are never read, and taking them apart is what costs.
            stored = {
                "received": self._received,
                "sender": sender,
                "to": recipients,
                "content": base64.b64encode(content).decode(),
            }
            # In two steps, so that a reader or a later run never meets half a mail.
            scratch = self._directory / f"{key}.tmp"
            scratch.write_text(json.dumps(stored))
            scratch.rename(self._directory / f"{key}.json")
            self._recipients[key] = recipients
            self._received += 1

    def get(self, key: str) -> Mail | None:
        """The mail of that id, None where there is none."""
        with self._lock:
            if key not in self._recipients:
                return None
            return _mail_of(key, json.loads((self._directory / f"{key}.json").read_text()))

    def newest(self, to: str | None, limit: int) -> list[Mail]:
        """The newest mails, to one address or to all."""
        with self._lock:
            keys = [key for key, recipients in self._recipients.items() if to is None or to in recipients]
        mails = (self.get(key) for key in reversed(keys[-limit:] if limit else []))
        return [mail for mail in mails if mail is not None]

    def clear(self) -> None:
        """Forget every mail."""
        with self._lock:
            for key in self._recipients:
                (self._directory / f"{key}.json").unlink(missing_ok=True)
            self._recipients.clear()


class Receiver:
    """What aiosmtpd calls for each mail."""

    def __init__(self, store: Store) -> None:
        """Put mails into `store`."""
        self._store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002
        """Store the mail, then say that it was taken."""
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        self._store.add(raw, envelope.mail_from or "", [str(address) for address in envelope.rcpt_tos])
        return "250 Message accepted for delivery"


class Reader(BaseHTTPRequestHandler):
    """Shows the mails of the server's store."""

    protocol_version = "HTTP/1.1"
    store: Store

    def do_GET(self) -> None:
        """A page, one mail, or the mails as JSON."""
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/":
            self._page("Mailbox", _list(self.store.newest(None, _LIMIT)))
        elif url.path == "/messages.json":
            limit = query.get("limit", ["50"])[0]
            to = query.get("to", [None])[0]
            mails = self.store.newest(to, int(limit) if limit.isdigit() else 50)
            self._answer(200, "application/json", json.dumps([asdict(mail) for mail in mails]))
        elif mail := self.store.get(url.path.removeprefix("/messages/")):
            self._page(mail.subject, _mail(mail))
        else:
            self._answer(404, "text/plain", "There is no such mail.\n")

    def do_DELETE(self) -> None:
        """Forget every mail."""
        if self.path != "/messages":
            self._answer(404, "text/plain", "Only /messages can be deleted.\n")
            return
        self.store.clear()
        self._answer(200, "application/json", "[]")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Reading mails is not worth a line in the log."""

    def _page(self, title: str, body: str) -> None:
        head = f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title>{_STYLE}"
        self._answer(200, "text/html; charset=utf-8", f"{head}<h1>{html.escape(title)}</h1>{body}")

    def _answer(self, status: int, content_type: str, body: str) -> None:
        encoded = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(encoded)))
        # A mail may hold anything: it is shown, never run.
        self.send_header(
            "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"
        )
        self.end_headers()
        self.wfile.write(encoded)


_STYLE = (
    "<style>body{font:16px/1.5 system-ui;margin:2rem;max-width:60rem}table{width:100%;border-spacing:0}"
    "td,th{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid #ddd}"
    "pre{white-space:pre-wrap}iframe{width:100%;height:30rem;border:1px solid #ddd}</style>"
)


def _list(mails: list[Mail]) -> str:
    rows = "".join(
        f"<tr><td><a href='/messages/{mail.id}'>{html.escape(mail.subject) or '(no subject)'}</a>"
        f"<td>{html.escape(', '.join(mail.to))}<td>{html.escape(mail.sender)}</tr>"
        for mail in mails
    )
    return f"<table><tr><th>Subject<th>To<th>From</tr>{rows}</table>" if mails else "<p>No mail yet.</p>"


def _mail(mail: Mail) -> str:
    frame = f"<iframe sandbox srcdoc='{html.escape(mail.html)}'></iframe>" if mail.html else ""
    addresses = f"{html.escape(mail.sender)} to {html.escape(', '.join(mail.to))}"
    return f"<p>{addresses} · <a href='/'>all mails</a></p><pre>{html.escape(mail.text)}</pre>{frame}"


def _mail_of(key: str, stored: dict[str, Any]) -> Mail:
    message = email.message_from_bytes(base64.b64decode(stored["content"]), policy=email.policy.default)
    return Mail(
        id=key,
        received=stored["received"],
        sender=stored["sender"],
        to=stored["to"],
        subject=str(message["Subject"] or ""),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return "" if part is None else str(part.get_content()).strip()


async def _serve(smtp_port: int, http_port: int, store: Store) -> None:
    loop = asyncio.get_running_loop()
    Reader.store = store
    http = ThreadingHTTPServer((LOOPBACK, http_port), Reader)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    receiver = Receiver(store)
    smtp = await loop.create_server(
        lambda: SMTP(receiver, enable_SMTPUTF8=True, loop=loop, hostname="mailbox.localhost"),
        LOOPBACK,
        smtp_port,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    smtp.close()


def main() -> None:
    """Serve until SIGTERM."""
    os.umask(0o077)
    smtp_port, http_port, directory = sys.argv[1:]
    asyncio.run(_serve(int(smtp_port), int(http_port), Store(Path(directory))))


if __name__ == "__main__":
    main()
