"""The mailbox: an SMTP server that delivers nothing and shows what it was given."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlencode

from backing.ports import LOOPBACK, answers, free_port, is_listening
from backing.process import ProcessError, python_module


class Mail(TypedDict):
    """One mail as the mailbox shows it."""

    id: str
    received: int
    sender: str
    to: list[str]
    subject: str
    text: str
    html: str


class Mailbox:
    """The mailbox's process, and a reader of its mails."""

    def __init__(
        self, directory: Path, *, log: Path, smtp_port: int | None = None, http_port: int | None = None
    ) -> None:
        """Mails are kept in `directory`."""
        self.smtp_port = smtp_port or free_port()
        self.http_port = http_port or free_port()
        self.process = python_module(
            "mailbox",
            "backing.mailbox_server",
            str(self.smtp_port),
            str(self.http_port),
            str(directory),
            log=log,
        )

    @property
    def smtp_url(self) -> str:
        """Where mails are sent to."""
        return f"smtp://{LOOPBACK}:{self.smtp_port}"

    @property
    def url(self) -> str:
        """Where mails are read, by people and (`/messages.json`) by programs."""
        return f"http://{LOOPBACK}:{self.http_port}"

    def start(self) -> None:
        """Start the mailbox; see `wait_ready`."""
        self.process.start()

    def wait_ready(self, timeout_s: float = 15.0) -> None:
        """Return once mails can be sent and read; ProcessError otherwise."""
        self.process.wait_ready(
            lambda: is_listening(self.smtp_port) and answers(self.http_port, "/messages.json?limit=0"),
            timeout_s,
        )

    def stop(self) -> None:
        """Stop the mailbox; the mails stay."""
        self.process.stop()

    def messages(self, to: str | None = None, limit: int = 50) -> list[Mail]:
        """The newest mails first, to one address or to all."""
        query = {"limit": limit} | ({"to": to} if to else {})
        mails: list[Mail] = json.loads(self._request("GET", f"/messages.json?{urlencode(query)}"))
        return mails

    def clear(self) -> None:
        """Forget every mail."""
        self._request("DELETE", "/messages")

    def _request(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection(LOOPBACK, self.http_port, timeout=10.0)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ProcessError(f"the mailbox answered {response.status} to {method} {path}")
        return body
