"""Posting the provider's events to the shop, signed, until the shop takes them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

# Stripe tries for three days with growing pauses; here a restart of the receiver must not take long to heal.
_PAUSES_S = (0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 300)

_log = logging.getLogger(__name__)


class Webhooks:
    """Sends events to one URL. What was not taken yet is `pending`, by the event's id."""

    def __init__(self, url: str | None = None, secret: str = "", events: Sequence[str] = ()) -> None:
        """Without a `url` events are recorded by localstripe and sent nowhere.

        As an endpoint of Stripe's, it gets the types that it names in `events`, or all if it names none.
        """
        self._url = url
        self._events = frozenset(events)
        self._secret = secret.encode()
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.pending: dict[str, Any] = {}

    async def start(self, _: object = None) -> None:
        """Open the client and send what an earlier run left over."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        for event in list(self.pending.values()):
            self.send(event)

    async def stop(self, _: object = None) -> None:
        """Stop sending; what was not taken stays pending."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def send(self, event: Any) -> None:
        """Send one of localstripe's events in the background."""
        if not self._url or (self._events and event.type not in self._events):
            return
        self.pending[event.id] = event
        task = asyncio.get_running_loop().create_task(self._deliver(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: Any) -> None:
        payload = json.dumps(event._export())
        for pause_s in _PAUSES_S:
            if await self._taken(payload):
                break
            await asyncio.sleep(pause_s)
        else:
            _log.warning("event %s was never taken by %s", event.id, self._url)
        self.pending.pop(event.id, None)

    async def _taken(self, payload: str) -> bool:
        now = int(time.time())
        signature = hmac.new(self._secret, f"{now}.{payload}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": f"t={now},v1={signature}",
        }
        if self._session is None or self._url is None:
            return False
        try:
            async with self._session.post(self._url, data=payload, headers=headers) as response:
                return response.status < 300
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.debug("the webhook could not be posted: %s", error)
            return False
