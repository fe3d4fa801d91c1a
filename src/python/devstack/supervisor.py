"""Starts servers, keeps them running, and stops them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from backing.process import Process

_LOOK_EVERY_S = 0.1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
# What lived this long had not failed at its start: the next pause is a short one again.
_HEALTHY_AFTER_S = 30.0

Restore = Callable[[], Awaitable[None]]


class Server(Protocol):
    """A process that is started, is ready after a while, and is stopped."""

    @property
    def process(self) -> Process:
        """The process, once it was started."""
        ...

    def start(self) -> None:
        """Start it and return at once."""
        ...

    def wait_ready(self) -> None:
        """Return once it can be used; ProcessError if that does not come about."""
        ...

    def stop(self) -> None:
        """Have it end, and wait for that within its bound."""
        ...


class Reporter(Protocol):
    """Who is told of what happens to the servers."""

    def starting(self, name: str) -> None:
        """It is on its way."""
        ...

    def ready(self, name: str, seconds: float) -> None:
        """It can be used, so long after its start."""
        ...

    def ended(self, name: str, returncode: int | None) -> None:
        """It ended by itself, or was killed; it will be started again."""
        ...

    def failed(self, name: str, error: str) -> None:
        """It could not be started again; that is tried anew."""
        ...


@dataclass
class _Supervised:
    server: Server
    restore: Restore | None
    watch: asyncio.Task[None] | None = None


class Supervisor:
    """Keeps servers running. All methods belong to one event loop in a lasting thread (see Process)."""

    def __init__(self, reporter: Reporter, *, on_restart: Callable[[], None] = lambda: None) -> None:
        """`on_restart` is called whenever a server runs anew, with other numbers than before."""
        self._reporter = reporter
        self._on_restart = on_restart
        self._supervised: dict[str, _Supervised] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of what runs now."""
        return {
            name: each.server.process.pid
            for name, each in self._supervised.items()
            if each.watch is not None and each.server.process.running
        }

    async def start(self, name: str, server: Server, *, restore: Restore | None = None) -> None:
        """Start `server`, return when it is ready, and start it again whenever it ends by itself.

        `restore` puts right what the server forgot by then. Raises ProcessError if the first start fails.
        """
        supervised = self._supervised[name] = _Supervised(server, restore)
        await self._start(name, server)
        supervised.watch = asyncio.create_task(self._watch(name, supervised))

    async def stop(self, names: Iterable[str] | None = None) -> None:
        """Stop the servers of these `names` side by side, or all; each has its own time to finish."""
        chosen = [self._supervised.pop(name) for name in list(self._supervised if names is None else names)]
        for each in chosen:
            if each.watch is not None:
                each.watch.cancel()
                with suppress(asyncio.CancelledError):
                    await each.watch
        await asyncio.gather(*(asyncio.to_thread(each.server.stop) for each in chosen))

    async def _start(self, name: str, server: Server) -> None:
        began = time.monotonic()
        self._reporter.starting(name)
        server.start()
        await asyncio.to_thread(server.wait_ready)
        self._reporter.ready(name, time.monotonic() - began)

    async def _watch(self, name: str, supervised: _Supervised) -> None:
        process = supervised.server.process
        pause_s = _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            while process.running:  # noqa: ASYNC110 - a thread that waits for each costs more
                await asyncio.sleep(_LOOK_EVERY_S)
            self._reporter.ended(name, process.returncode)
            healthy = time.monotonic() - began > _HEALTHY_AFTER_S
            pause_s = _FIRST_PAUSE_S if healthy else min(_LONGEST_PAUSE_S, 2 * pause_s)
            await asyncio.sleep(pause_s)
            await self._restart(name, supervised)
            process = supervised.server.process

    async def _restart(self, name: str, supervised: _Supervised) -> None:
        supervised.server.process.kill()  # its own children may have outlived it
        try:
            await self._start(name, supervised.server)
            if supervised.restore is not None:
                await supervised.restore()
        except Exception as error:  # whatever a restoring command met: supervision goes on
            self._reporter.failed(name, str(error))
        else:
            self._on_restart()
