from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from backing.postgres import Postgres
from backing.process import Process
from chassis.conftest import JOBS, count, effects
from chassis.database import Database
from chassis.jobs import Job
from chassis.jobs_test import add, is_done, noting, runner, running
from chassis.listener import Listener
from chassis.testing import eventually

HANGING_WORKER = """
import asyncio, sys
from chassis.conftest import JOBS, note, one_by_one
from chassis.database import Database
from chassis.jobs import JobRunner

async def hang(tx, job):
    await note(tx, "half done")
    print("holds", job.id, flush=True)
    await asyncio.sleep(60)

asyncio.run(JobRunner(Database(sys.argv[1]), JOBS, one_by_one(hang)).run(asyncio.Event()))
"""


async def test_the_job_of_a_killed_worker_is_taken_over(database: Database, tmp_path: Path) -> None:
    """With nothing of what the dead one did, and while it lives by nobody."""
    (job_id,) = await add(database, "a")
    log = tmp_path / "worker.log"
    worker = Process(
        "worker",
        [sys.executable, "-c", HANGING_WORKER, database.url],
        log=log,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    worker.start()
    try:
        await asyncio.to_thread(worker.wait_ready, lambda: f"holds {job_id}" in log.read_text())
        async with running(runner(database, noting)):
            assert await runner(database, noting).run_once() == 0
            worker.kill()
            await eventually(is_done(database, "a"), within_s=5)
    finally:
        worker.kill()
    assert await count(database, JOBS) == 0


async def test_no_job_is_lost_or_blamed_when_the_database_is_killed(
    own_postgres: Postgres, own_database: Database
) -> None:
    """What was under way begins anew; it has used up no try."""
    await add(own_database, "a")
    begun = asyncio.Event()
    attempts: list[int] = []

    async def handle(tx: AsyncConnection, job: Job) -> None:
        attempts.append(job.attempts)
        if not begun.is_set():
            begun.set()
            own_postgres.process.kill()
        await noting(tx, job)

    listener = Listener(own_database.url)
    async with running(listener, runner(own_database, handle, listener=listener, workers=2)):
        await asyncio.wait_for(begun.wait(), 5)
        own_postgres.start()

        async def done() -> bool:
            try:
                return await effects(own_database) == ["a"]
            except Exception:
                return False

        await eventually(done, within_s=20)
    assert attempts == [0, 0]
    assert await count(own_database, JOBS) == 0
