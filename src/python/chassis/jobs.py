"""Durable work: a table of jobs that are written with the change they belong to and done after it commits.

The outbox is one, the calls to the payment provider are another, the mails to be sent a third. A worker
holds the row's lock while it works, so a worker that dies leaves the job to the next one, and what it writes
commits together with the job's end. A job is thus done at least once: whoever it calls must accept that.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass

import sqlalchemy as sa
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Span
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import logs, telemetry
from chassis.backoff import Backoff
from chassis.database import Database
from chassis.listener import Listener
from chassis.spacing import Spacing

log = logs.get(__name__)

_LONGEST_IDLE_S = 30.0  # to trust notifications alone
_TAKEOVER_S = 1.0  # how soon to look again at a job that another worker holds: it may die
_LULL_S = 1.0  # how long nothing must come before it is worth a query to ask when something is due
_STATS_EVERY_S = 15.0
_BACKOFF = Backoff()
_OUTAGE_BACKOFF = Backoff(cap_s=5.0)
# Arrays, so that a statement is the same whatever their number, and prepared once.
_IN_HAND = sa.bindparam("in_hand", type_=ARRAY(sa.Uuid))
_DONE = sa.bindparam("done", type_=ARRAY(sa.Uuid))


@dataclass(frozen=True)
class Job:
    """A piece of work. `attempts` counts the tries that failed."""

    id: uuid.UUID
    kind: str
    body: str
    traceparent: str | None
    attempts: int


class Rejected(Exception):
    """Trying again will not help: the job is dead until somebody looks at it."""


class Later(Exception):
    """What the job needs is not there now; it is tried again. Not a fault: it is logged without a trace."""


class Outage(Exception):
    """What every job of the table needs is away: the worker pauses, and no job has used up a try."""


Failures = Mapping[uuid.UUID, Exception]
BatchHandler = Callable[[AsyncConnection, Sequence[Job]], Awaitable[Failures]]


def job_table(name: str, metadata: sa.MetaData) -> sa.Table:
    """The table of a kind of jobs. A migration makes it with `chassis.migrations.create_job_table`."""
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("traceparent", sa.Text),
        sa.Column("state", sa.Text, nullable=False, server_default="pending"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("last_error", sa.Text),
        sa.CheckConstraint("state IN ('pending', 'dead')", name="state"),
        sa.Index(f"ix_{name}_due_at", "due_at", postgresql_where=sa.text("state = 'pending'")),
    )


async def add(tx: AsyncConnection, table: sa.Table, jobs: Sequence[Job]) -> None:
    """Write jobs in the transaction of the change they belong to."""
    if not jobs:
        return
    rows = [{"id": j.id, "kind": j.kind, "body": j.body, "traceparent": j.traceparent} for j in jobs]
    await tx.execute(table.insert(), rows)


def traced(job: Job) -> AbstractContextManager[Span]:
    """A span for work on `job`, in the trace of the change that it belongs to."""
    context = telemetry.context_of(job.traceparent)
    return telemetry.tracer.start_as_current_span(job.kind, context=context)


@dataclass(frozen=True)
class JobStats:
    """How a table of jobs is doing: `oldest_s` is the age of the oldest job that waits, in seconds."""

    pending: int
    dead: int
    oldest_s: float


class JobRunner:
    """Does the jobs of one table, `workers` at a time, each `batch` jobs in one transaction.

    A job that fails is tried again with back-off, for ever unless `max_attempts` is given; one that is
    `Rejected`, or has used up its attempts, is dead: it stays in the table until it is redriven.
    """

    def __init__(
        self,
        database: Database,
        table: sa.Table,
        handler: BatchHandler,
        *,
        listener: Listener | None = None,
        batch: int = 1,
        workers: int = 1,
        max_attempts: int | None = None,
        backoff: Backoff = _BACKOFF,
        spacing: Spacing | None = None,
    ) -> None:
        self._database = database
        self._table = table
        self._handler = handler
        self._batch = batch
        self._workers = workers
        self._max_attempts = max_attempts
        self._backoff = backoff
        self._wake = listener.subscribe(table.name) if listener else asyncio.Event()
        self._looking = asyncio.Lock()
        self._spacing = spacing or Spacing(batch)
        # Between the end of a transaction that failed and the note of it no lock keeps others from the job.
        self._in_hand: set[uuid.UUID] = set()
        self._may_be_more = True
        self._put_off = False
        t = table.c
        self._claim = (
            sa.select(t.id, t.kind, t.body, t.traceparent, t.attempts)
            .where(t.state == "pending", t.due_at <= sa.func.now(), t.id != sa.func.all(_IN_HAND))
            .order_by(t.due_at)
            .limit(batch)
            .with_for_update(skip_locked=True)
        )
        self._delete = table.delete().where(t.id == sa.func.any(_DONE))
        due_in_s = sa.func.extract("epoch", sa.func.min(t.due_at) - sa.func.now())
        self._next_due = sa.select(due_in_s).where(t.state == "pending")
        self._stats_at = float("-inf")
        self._stats = JobStats(pending=0, dead=0, oldest_s=0.0)
        telemetry.meter.create_observable_gauge(
            f"{table.name}.oldest", [self._observe("oldest_s")], unit="s", description="age of the oldest job"
        )
        telemetry.meter.create_observable_gauge(
            f"{table.name}.dead", [self._observe("dead")], description="jobs that nobody tries any more"
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Do jobs as they come, until `stop` is set; what is under way is finished first."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work(stop))

    async def run_once(self) -> int:
        """Do one batch of the jobs that are due and return how many there were."""
        async with AsyncExitStack() as transaction:
            tx, jobs = await self._take(transaction)
            if jobs:
                await self._do(transaction, tx, jobs)
            return len(jobs)

    async def stats(self) -> JobStats:
        """Count what waits and what is dead."""
        t = self._table.c
        pending = t.state == "pending"
        age = sa.func.extract("epoch", sa.func.clock_timestamp() - sa.func.min(t.created_at).filter(pending))
        query = sa.select(
            sa.func.count().filter(pending),
            sa.func.count().filter(t.state == "dead"),
            sa.func.coalesce(age, 0.0),
        )
        async with self._database.reading() as connection:
            waiting, dead, oldest = (await connection.execute(query)).one()
        return JobStats(pending=waiting, dead=dead, oldest_s=float(oldest))

    async def _work(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                await self._work_once(stop)
                failures = 0
            except Exception as error:
                failures += 1
                log.warning(
                    "no job can be done, trying again", table=self._table.name, error=_describe(error)
                )
                await _wait_for_any(stop, timeout_s=_OUTAGE_BACKOFF.delay_s(failures))

    async def _work_once(self, stop: asyncio.Event) -> None:
        """Wait for jobs and do them. One worker waits; the others are at work, or queue up to wait next."""
        async with AsyncExitStack() as transaction:
            async with self._looking:
                await self._wait_for_jobs(stop)
                if pause_s := self._spacing.pause_s:
                    await _wait_for_any(stop, timeout_s=pause_s)
                if stop.is_set():
                    return
                self._wake.clear()
                tx, jobs = await self._take(transaction)
                self._may_be_more = len(jobs) == self._batch
                self._spacing.found(len(jobs))
            if jobs:
                await self._do(transaction, tx, jobs)

    async def _wait_for_jobs(self, stop: asyncio.Event) -> None:
        if time.monotonic() - self._stats_at > _STATS_EVERY_S:
            self._stats = await self.stats()
            self._stats_at = time.monotonic()
        if self._may_be_more or self._wake.is_set():
            return
        if not self._put_off:
            await _wait_for_any(self._wake, stop, timeout_s=_LULL_S)
            if self._wake.is_set() or stop.is_set():
                return
        self._put_off = False
        async with self._database.reading() as connection:
            due_in_s = await connection.scalar(self._next_due)
        idle_s = _LONGEST_IDLE_S if due_in_s is None else min(_LONGEST_IDLE_S, float(due_in_s))
        # What is due already is held by a worker that may die.
        await _wait_for_any(self._wake, stop, timeout_s=idle_s if idle_s > 0 else _TAKEOVER_S)

    async def _take(self, transaction: AsyncExitStack) -> tuple[AsyncConnection, list[Job]]:
        """Begin `transaction` and hold in it the jobs that are due and that nobody else holds."""
        tx = await transaction.enter_async_context(self._database.transaction())
        rows = await tx.execute(self._claim, {_IN_HAND.key: list(self._in_hand)})
        return tx, [Job(*row) for row in rows]

    async def _do(self, transaction: AsyncExitStack, tx: AsyncConnection, jobs: Sequence[Job]) -> None:
        """Do `jobs`, which are held in `transaction`, and end it."""
        failed = True
        ids = {job.id for job in jobs}
        self._in_hand |= ids
        try:
            async with transaction:
                failures = await self._handler(tx, jobs)
                await self._settle(tx, jobs, failures)
            failed = bool(failures)
        except Outage:
            raise
        except Exception as error:
            # When it is the database that is away, this fails as well: no job has used up a try.
            async with self._database.transaction() as tx:
                await self._settle(tx, jobs, {job.id: error for job in jobs})
        finally:
            self._in_hand -= ids
            if failed:
                self._put_off = True
                self._wake.set()  # whoever waits must look anew at what is due and when

    async def _settle(self, tx: AsyncConnection, jobs: Sequence[Job], failures: Failures) -> None:
        done = [job.id for job in jobs if job.id not in failures]
        if done:
            await tx.execute(self._delete, {_DONE.key: done})
        for job in jobs:
            if job.id in failures:
                await self._fail(tx, job, failures[job.id])

    async def _fail(self, tx: AsyncConnection, job: Job, error: Exception) -> None:
        attempts = job.attempts + 1
        exhausted = self._max_attempts is not None and attempts >= self._max_attempts
        dead = exhausted or isinstance(error, Rejected)
        delay_s = self._backoff.delay_s(attempts)
        (log.error if dead else log.warning)(
            "a job is dead" if dead else "a job failed and will be tried again",
            table=self._table.name,
            job_id=job.id,
            kind=job.kind,
            attempts=attempts,
            error=_describe(error),
            exc_info=None if isinstance(error, Rejected | Later) else error,
        )
        t = self._table.c
        await tx.execute(
            self._table.update()
            .where(t.id == job.id, t.attempts == job.attempts)  # nobody else has tried it meanwhile
            .values(
                attempts=attempts,
                state="dead" if dead else "pending",
                last_error=_describe(error)[:2000],
                due_at=sa.func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, 0, delay_s),
            )
        )

    def _observe(self, field: str) -> Callable[[CallbackOptions], list[Observation]]:
        return lambda _: [Observation(getattr(self._stats, field))]


async def dead(database: Database, table: sa.Table, limit: int = 100) -> list[sa.Row[tuple[object, ...]]]:
    """The dead jobs of `table`, oldest first."""
    query = sa.select(table).where(table.c.state == "dead").order_by(table.c.created_at).limit(limit)
    async with database.reading() as connection:
        return list(await connection.execute(query))


async def redrive(database: Database, table: sa.Table) -> int:
    """Give every dead job of `table` another chance, now; returns how many there were."""
    values = {"state": "pending", "attempts": 0, "due_at": sa.func.now()}
    async with database.transaction() as tx:
        result = await tx.execute(table.update().where(table.c.state == "dead").values(values))
        await tx.execute(sa.select(sa.func.pg_notify(table.name, "")))
        return result.rowcount


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


async def _wait_for_any(*events: asyncio.Event, timeout_s: float) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
