"""LISTEN/NOTIFY: a process learns at once that there is work, and costs nothing while there is none."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from chassis import logs
from chassis.login import Login

log = logs.get(__name__)

_RECONNECT_S = 1.0
_KEEPALIVE_S = 30.0


class Listener:
    """One connection that listens on channels and wakes whoever waits for them."""

    def __init__(self, database: Login | str) -> None:
        self._login = Login.to(database)
        self._events: dict[str, set[asyncio.Event]] = {}

    def subscribe(self, channel: str) -> asyncio.Event:
        """An event that is set at each notification on `channel`, and whenever one may have been missed."""
        event = asyncio.Event()
        self._events.setdefault(channel, set()).add(event)
        return event

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop` is set; connect again when the connection is lost."""
        while not stop.is_set():
            try:
                await self._listen(stop)
            except Exception as error:  # a server that dies breaks a connection in ever new ways
                log.warning("listening was interrupted, connecting again", error=str(error))
                await _wait(stop, _RECONNECT_S)

    async def _listen(self, stop: asyncio.Event) -> None:
        connection = await self._login.connect(timeout=5)
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        watch = asyncio.create_task(_forward(stop, ended))
        try:
            for channel in self._events:
                await connection.add_listener(channel, self._notified)
            self._wake_all()  # what was notified before now went unheard
            while not await _wait(ended, _KEEPALIVE_S):
                await connection.execute("SELECT 1", timeout=5)
        finally:
            watch.cancel()
            connection.terminate()
            self._wake_all()
        if not stop.is_set():
            raise ConnectionError("the database closed the connection")

    def _notified(self, _: object, __: int, channel: str, ___: object) -> None:
        for event in self._events[channel]:
            event.set()

    def _wake_all(self) -> None:
        for events in self._events.values():
            for event in events:
                event.set()


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event`, `seconds` at most; whether it is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


async def _forward(stop: asyncio.Event, ended: asyncio.Event) -> None:
    await stop.wait()
    ended.set()
