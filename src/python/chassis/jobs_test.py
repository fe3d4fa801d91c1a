from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import jobs, telemetry
from chassis.backoff import Backoff
from chassis.clock import new_id
from chassis.conftest import JOBS, BrokenOff, Handler, break_off, count, effects, note, one_by_one
from chassis.database import Database
from chassis.jobs import Failures, Job, JobRunner, Later, Outage, Rejected
from chassis.listener import Listener
from chassis.testing import eventually

AT_ONCE = Backoff(first_s=0, cap_s=0)
LONG = Backoff(first_s=3600, cap_s=3600)


async def add(database: Database, *kinds: str, **values: Any) -> list[uuid.UUID]:
    """Write jobs of these kinds, one transaction each; `values` replace what a new job has."""
    ids = [new_id() for _ in kinds]
    for job_id, kind in zip(ids, kinds, strict=True):
        async with database.transaction() as tx:
            await jobs.add(tx, JOBS, [Job(job_id, kind, body="{}", traceparent=None, attempts=0)])
            if values:
                await tx.execute(JOBS.update().where(JOBS.c.id == job_id).values(values))
    return ids


async def row(database: Database, job_id: uuid.UUID) -> sa.Row[Any]:
    async with database.reading() as connection:
        return (await connection.execute(sa.select(JOBS).where(JOBS.c.id == job_id))).one()


async def noting(tx: AsyncConnection, job: Job) -> None:
    """A job whose effect is to be noted."""
    await note(tx, job.kind)


def failing(error: Exception) -> Handler:
    async def fail(tx: AsyncConnection, job: Job) -> None:
        await note(tx, "half done")
        raise error

    return fail


def runner(database: Database, handler: Handler, **options: Any) -> JobRunner:
    return JobRunner(database, JOBS, one_by_one(handler), **options)


@asynccontextmanager
async def running(*components: Any) -> AsyncIterator[None]:
    """Run `components` beside the block."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(each.run(stop)) for each in components]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)


def is_done(database: Database, *what: str) -> Callable[[], Awaitable[bool]]:
    async def done() -> bool:
        return sorted(await effects(database)) == sorted(what)

    return done


async def test_a_job_is_there_once_its_change_has_committed(database: Database) -> None:
    """And not before."""
    async with database.transaction() as tx:
        await jobs.add(tx, JOBS, [Job(new_id(), "a", "{}", None, 0)])
        assert await runner(database, noting).run_once() == 0
    assert await runner(database, noting).run_once() == 1


async def test_a_change_that_is_rolled_back_leaves_no_job(database: Database) -> None:
    """What did not happen is told nobody."""
    with pytest.raises(BrokenOff):
        await break_off(database, lambda tx: jobs.add(tx, JOBS, [Job(new_id(), "a", "{}", None, 0)]))
    assert await count(database, JOBS) == 0


async def test_no_jobs_may_be_added(database: Database) -> None:
    """A change that leads to nothing is no special case for whoever makes it."""
    async with database.transaction() as tx:
        await jobs.add(tx, JOBS, [])
    assert await count(database, JOBS) == 0


async def test_a_job_that_is_done_is_gone_and_its_effect_is_there(database: Database) -> None:
    """Both in one transaction."""
    await add(database, "a")
    assert await runner(database, noting).run_once() == 1
    assert (await effects(database), await count(database, JOBS)) == (["a"], 0)


async def test_a_job_brings_what_it_was_given(database: Database) -> None:
    """Its id, which is a stable key for whoever is called; kind, body and trace."""
    seen: list[tuple[Job, str | None]] = []

    async def see(_: AsyncConnection, job: Job) -> None:
        with jobs.traced(job):
            seen.append((job, telemetry.trace_id()))

    trace = "0af7651916cd43dd8448eb211c80319c"
    given = Job(new_id(), "charge", '{"a": "ü"}', f"00-{trace}-b7ad6b7169203331-01", 0)
    async with database.transaction() as tx:
        await jobs.add(tx, JOBS, [given])
    await runner(database, see).run_once()
    assert seen == [(given, trace)]


async def test_jobs_are_done_in_the_order_in_which_they_fall_due(database: Database) -> None:
    """Whatever the order of their writing; what is not due yet waits."""
    now = dt.datetime.now(dt.UTC)
    for kind, minutes in (("second", -1), ("third", 0), ("first", -2), ("not yet", 5)):
        await add(database, kind, due_at=now + dt.timedelta(minutes=minutes))
    one = runner(database, noting)
    assert [1, 1, 1, 0] == [await one.run_once() for _ in range(4)]
    assert await effects(database) == ["first", "second", "third"]


async def test_a_job_that_fails_is_tried_again_after_a_while(database: Database) -> None:
    """With its error noted, and nothing of what it did."""
    (job_id,) = await add(database, "a")
    assert await runner(database, failing(ValueError("why")), backoff=LONG).run_once() == 1
    failed = await row(database, job_id)
    assert (failed.state, failed.attempts, failed.last_error) == ("pending", 1, "ValueError: why")
    assert failed.due_at - failed.created_at > dt.timedelta(minutes=5)
    assert await effects(database) == []
    assert await runner(database, noting).run_once() == 0


async def test_a_job_that_is_due_again_is_done(database: Database) -> None:
    """A failure is forgotten with its success."""
    await add(database, "a")
    await runner(database, failing(Later("not now")), backoff=AT_ONCE).run_once()
    await runner(database, noting).run_once()
    assert (await effects(database), await count(database, JOBS)) == (["a"], 0)


async def test_the_wait_grows_with_each_try(database: Database) -> None:
    """The back-off is asked for the number of the try."""
    asked: list[int] = []

    class Asked(Backoff):
        def delay_s(self, attempt: int) -> float:
            asked.append(attempt)
            return 0

    await add(database, "a")
    patient = runner(database, failing(Later("not now")), backoff=Asked())
    for _ in range(3):
        await patient.run_once()
    assert asked == [1, 2, 3]


async def test_a_rejected_job_is_dead_at_once(database: Database) -> None:
    """It stays to be looked at, and nobody tries it."""
    (job_id,) = await add(database, "a")
    await runner(database, failing(Rejected("no such card"))).run_once()
    dead = await row(database, job_id)
    assert (dead.state, dead.last_error) == ("dead", "Rejected: no such card")
    assert await runner(database, noting).run_once() == 0
    assert [job_id] == [each.id for each in await jobs.dead(database, JOBS)]


async def test_a_job_that_has_used_up_its_tries_is_dead(database: Database) -> None:
    """If their number is bounded."""
    (job_id,) = await add(database, "a")
    bounded = runner(database, failing(Later("not now")), backoff=AT_ONCE, max_attempts=3)
    states = []
    for _ in range(3):
        await bounded.run_once()
        states.append((await row(database, job_id)).state)
    assert states == ["pending", "pending", "dead"]


async def test_a_redriven_job_is_tried_as_if_it_were_new(database: Database) -> None:
    """At once, with all its tries; those that are not dead stay as they are."""
    (job_id,) = await add(database, "a")
    await runner(database, failing(Rejected("no"))).run_once()
    await add(database, "not due", due_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    assert await jobs.redrive(database, JOBS) == 1
    assert (await row(database, job_id)).attempts == 0
    assert await runner(database, noting).run_once() == 1
    assert await effects(database) == ["a"]


async def test_one_bad_job_does_not_hold_up_the_next(database: Database) -> None:
    """Not even one that fails as a broken line does: that is its own failure, not the database's."""
    await add(database, "bad", "good")

    async def handle(tx: AsyncConnection, job: Job) -> None:
        if job.kind == "bad":
            raise ConnectionResetError("the provider hung up")
        await note(tx, job.kind)

    async with running(runner(database, handle, backoff=LONG)):
        await eventually(is_done(database, "good"))


async def test_of_a_batch_those_that_failed_stay(database: Database) -> None:
    """Each by its own error; the others are done."""
    good, late, bad = await add(database, "good", "late", "bad")

    async def handle(tx: AsyncConnection, batch: Sequence[Job]) -> Failures:
        assert [job.id for job in batch] == [good, late, bad]
        return {late: Later("not now"), bad: Rejected("never")}

    await JobRunner(database, JOBS, handle, batch=10, backoff=LONG).run_once()
    async with database.reading() as connection:
        left = (await connection.execute(sa.select(JOBS.c.id, JOBS.c.state, JOBS.c.attempts))).all()
    assert sorted(left) == sorted([(late, "pending", 1), (bad, "dead", 1)])


async def test_a_batch_takes_no_more_than_it_may(database: Database) -> None:
    """SNS takes ten."""
    sizes: list[int] = []

    async def handle(_: AsyncConnection, batch: Sequence[Job]) -> Failures:
        sizes.append(len(batch))
        return {}

    await add(database, *"abcde")
    batches = JobRunner(database, JOBS, handle, batch=2)
    while await batches.run_once():
        pass
    assert sizes == [2, 2, 1]


async def test_two_runners_never_do_one_job_at_once(database: Database) -> None:
    """Each takes what the other does not hold."""
    ids = await add(database, *(str(i) for i in range(20)))
    under_way: set[uuid.UUID] = set()
    done: list[uuid.UUID] = []

    async def handle(tx: AsyncConnection, job: Job) -> None:
        assert job.id not in under_way
        under_way.add(job.id)
        await tx.execute(sa.text("SELECT pg_sleep(0.005)"))
        under_way.remove(job.id)
        done.append(job.id)

    async def all_done() -> bool:
        return await count(database, JOBS) == 0

    async with running(*(runner(database, handle, workers=3) for _ in range(2))):
        await eventually(all_done)
    assert sorted(done) == sorted(ids)


async def test_workers_do_different_jobs_at_once(database: Database) -> None:
    """As many as there are workers: a slow call does not hold up the others."""
    await add(database, "a", "b", "c")
    all_there = asyncio.Barrier(3)

    async def handle(tx: AsyncConnection, job: Job) -> None:
        await asyncio.wait_for(all_there.wait(), 5)
        await note(tx, job.kind)

    async with running(runner(database, handle, workers=3)):
        await eventually(is_done(database, "a", "b", "c"))


async def test_a_new_job_is_done_at_once(database: Database) -> None:
    """A runner that waits is notified; it neither polls nor waits its turn."""
    listener = Listener(database.url)
    waiting = runner(database, noting, listener=listener, workers=2)
    async with running(listener, waiting):
        await add(database, "first")
        await eventually(is_done(database, "first"))
        await asyncio.sleep(0)
        await add(database, "second")
        await eventually(is_done(database, "first", "second"), within_s=0.5)


async def test_a_job_is_done_when_it_falls_due(database: Database) -> None:
    """Nobody notifies of that."""
    due_at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.3)
    listener = Listener(database.url)
    async with running(listener, runner(database, noting, listener=listener, workers=2)):
        await add(database, "a", due_at=due_at)
        await eventually(is_done(database, "a"), within_s=5)
    assert dt.datetime.now(dt.UTC) > due_at


async def test_a_failed_job_is_tried_again_by_whoever_waits(database: Database) -> None:
    """The worker that waits does not know when it falls due until it is told."""
    tries: list[int] = []

    async def handle(tx: AsyncConnection, job: Job) -> None:
        tries.append(job.attempts)
        if job.attempts < 2:
            raise Later("not now")
        await note(tx, job.kind)

    soon = Backoff(first_s=0.1, cap_s=0.1)
    listener = Listener(database.url)
    async with running(listener, runner(database, handle, listener=listener, workers=3, backoff=soon)):
        await add(database, "a")
        await eventually(is_done(database, "a"), within_s=5)
    assert tries == [0, 1, 2]


async def test_idle_workers_ask_nothing_while_another_is_busy(database: Database) -> None:
    """Or many workers that wait for a slow provider would keep the database busy."""
    asked = 0
    busy, release = asyncio.Event(), asyncio.Event()

    def counted(*_: Any) -> None:
        nonlocal asked
        asked += 1

    async def handle(_: AsyncConnection, job: Job) -> None:
        busy.set()
        await release.wait()

    await add(database, "a")
    async with running(runner(database, handle, workers=8)):
        await busy.wait()
        sa.event.listen(database._engine.sync_engine, "before_cursor_execute", counted)
        await asyncio.sleep(0.5)
        release.set()
    assert asked < 10


async def test_an_outage_uses_up_no_try_and_is_over_when_it_is_over(database: Database) -> None:
    """What every job needs is away: that is no job's fault."""
    away = True
    tries = 0

    async def handle(tx: AsyncConnection, job: Job) -> None:
        nonlocal tries
        tries += 1
        if away:
            raise Outage("the broker does not answer")
        await note(tx, job.kind)

    (job_id, _) = await add(database, "a", "b")

    async def tried() -> bool:
        return tries > 3

    async with running(runner(database, handle, max_attempts=1, workers=2)):
        await eventually(tried)
        assert (await row(database, job_id)).attempts == 0
        away = False
        await eventually(is_done(database, "a", "b"))


async def test_what_is_under_way_is_finished_when_told_to_stop(database: Database) -> None:
    """And nothing new is begun."""
    await add(database, "first", "second")
    begun, release = asyncio.Event(), asyncio.Event()

    async def handle(tx: AsyncConnection, job: Job) -> None:
        begun.set()
        await release.wait()
        await note(tx, job.kind)

    stop = asyncio.Event()
    task = asyncio.create_task(runner(database, handle).run(stop))
    await begun.wait()
    stop.set()
    release.set()
    await asyncio.wait_for(task, 5)
    assert await effects(database) == ["first"]


async def test_the_stats_tell_what_waits_and_what_is_dead(database: Database) -> None:
    """The age of the oldest that waits says whether anybody works at all."""
    hour_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    await add(database, "a", created_at=hour_ago)
    await add(database, "b")
    await add(database, "c", state="dead", created_at=hour_ago - dt.timedelta(days=1))
    stats = await runner(database, noting).stats()
    assert (stats.pending, stats.dead) == (2, 1)
    assert stats.oldest_s == pytest.approx(3600, abs=60)


async def test_stats_of_no_jobs_are_naught(database: Database) -> None:
    """Not None."""
    stats = await runner(database, noting).stats()
    assert (stats.pending, stats.dead, stats.oldest_s) == (0, 0, 0.0)
