"""No order waits for ever: one without answers in time is cancelled."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from chassis import logs, telemetry
from chassis.clock import Clock, utc_now
from chassis.database import Database
from chassis.outbox import Outbox
from services.order import domain, store
from services.order.consumers import settle
from services.order.domain import Moment

log = logs.get(__name__)

_BATCH = 50


class Deadlines:
    """Cancels pending orders whose deadline has passed. Any number may run: they do not meet on one order."""

    def __init__(
        self, database: Database, outbox: Outbox, *, clock: Clock = utc_now, every_s: float = 1.0
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._every_s = every_s

    async def run(self, stop: asyncio.Event) -> None:
        """Look once a second until `stop` is set."""
        while not stop.is_set():
            try:
                while await self.run_once() == _BATCH:
                    pass
            except Exception as error:
                log.warning("deadlines cannot be checked, trying again", error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every_s)

    async def run_once(self) -> int:
        """Cancel a batch of overdue orders; returns how many."""
        with telemetry.tracer.start_as_current_span("expire orders"):
            async with self._database.transaction() as tx:
                now = Moment(self._clock(), telemetry.trace_id())
                orders = await store.overdue(tx, now.at, _BATCH)
                for order in orders:
                    await settle(tx, self._outbox, order, domain.expire(order, now))
                return len(orders)
