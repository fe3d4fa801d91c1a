"""The payment provider: localstripe with what Stripe does besides, in a process of its own."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backing.ports import LOOPBACK, answers, free_port
from backing.process import ProcessError, python_module


class Stripe:
    """The provider's process, and the handles by which tests make it misbehave."""

    def __init__(
        self,
        *,
        log: Path,
        port: int | None = None,
        state: Path | None = None,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        webhook_events: Sequence[str] = (),
    ) -> None:
        """Events are posted to `webhook_url`, if there is one, signed with `webhook_secret`: all of them, or
        those of the types `webhook_events`.

        With a `state` file the provider saves itself there when stopped, and goes on from it.
        """
        self.port = port or free_port()
        self.webhook_secret = webhook_secret or f"whsec_{secrets.token_hex(16)}"
        args = [str(self.port)] + ([str(state)] if state else [])
        self.process = python_module(
            "stripe",
            "backing.stripe_server",
            *args,
            log=log,
            env={
                "WEBHOOK_URL": webhook_url or "",
                "WEBHOOK_SECRET": self.webhook_secret,
                "WEBHOOK_EVENTS": ",".join(webhook_events),
            },
        )

    @property
    def url(self) -> str:
        """What Stripe's client takes as the base address of its API."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start the provider; see `wait_ready`."""
        self.process.start()

    def wait_ready(self, timeout_s: float = 15.0) -> None:
        """Return once the provider answers; ProcessError otherwise."""
        self.process.wait_ready(lambda: answers(self.port, "/_config/control"), timeout_s)

    def stop(self) -> None:
        """Stop the provider and have it save its state."""
        self.process.stop()

    def control(self, **settings: Any) -> dict[str, Any]:
        """Change how writes are answered; see `backing.stripe_server`. Returns all settings and counts."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10.0)
        try:
            connection.request("POST", "/_config/control", json.dumps(settings))
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ProcessError(f"the provider refused {settings}: {body.decode(errors='replace')}")
        state: dict[str, Any] = json.loads(body)
        return state
