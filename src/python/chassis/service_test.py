"""A service of the smallest kind. Run as a module, this file is that service, and can be ended by signals."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from backing.ports import LOOPBACK, answers, free_port
from backing.process import Process, python_module
from chassis import jobs, start
from chassis.conftest import JOBS, OUTBOX, StoredAccount, one_by_one, without_account
from chassis.database import Database
from chassis.jobs import Job, JobRunner, Rejected
from chassis.service import Component, Program, Running, create_app, version_of
from chassis.settings import CommonSettings
from chassis.testing import eventually, running


class Settings(CommonSettings):
    """What becomes of the service's component."""

    component: str = "steady"


class Steady:
    """Works until it is told to stop, and then finishes what is under way."""

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(0.05)
        sys.stdout.write("finished\n")


class Failing:
    """Fails at once."""

    async def run(self, _: asyncio.Event) -> None:
        raise ValueError("out of order")


class Returning:
    """Returns although nobody told it to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        assert not stop.is_set()


class FailingAtTheEnd:
    """Fails when it is told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()
        raise ValueError("something was left undone")


COMPONENTS: dict[str, Callable[[], Component]] = {
    "steady": Steady,
    "failing": Failing,
    "returning": Returning,
    "failing-at-the-end": FailingAtTheEnd,
}

router = APIRouter()


@router.get("/slow")
async def slow() -> str:
    """An answer that takes longer than it takes to ask the service to stop."""
    sys.stdout.write("asked\n")
    sys.stdout.flush()
    await asyncio.sleep(0.5)
    return "answered"


def build(settings: Settings) -> FastAPI:
    async def compose(_: AsyncExitStack) -> Running:
        if settings.component == "unknown":
            raise ConnectionRefusedError("what it needs is not there")
        return Running(state={}, components=[Steady(), COMPONENTS[settings.component]()])

    return create_app("test", "1", [router], compose)


def greet(_: Settings, rest: Sequence[str]) -> int:
    sys.stdout.write(f"hello {' '.join(rest)}\n")
    return 7


def collects(_: Settings, __: Sequence[str]) -> int:
    return int(gc.isenabled())


PROGRAM = Program(
    "test",
    "1",
    Settings,
    build,
    Path(__file__).parent,
    job_tables=[OUTBOX, JOBS],
    commands={"greet": greet, "collects": collects},
)


def environment(**changes: str) -> dict[str, str]:
    """An environment in which the program can start, though not reach any database."""
    given = {
        "PORT": str(free_port()),
        "DATABASE_URL": f"postgresql://shop:hunter2@{LOOPBACK}:{free_port()}/shop",
    }
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    return {name: value for name, value in (path | given | changes).items() if value}


def run(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The program as an image starts it, from its start to its end."""
    argv = [sys.executable, "-m", start.__name__, "chassis.service_test", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=30)


def errors(logged: str) -> list[tuple[str, str]]:
    """The components that the logs say failed, with the exception's last line."""
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    return [
        (line["component"], line.get("exception", "").split("\n")[-1])
        for line in lines
        if line["level"] == "critical"
    ]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Process]:
    """The program while it serves."""
    env = environment()
    process = python_module("test", "chassis.service_test", log=tmp_path / "test.log", env=env)
    process.start()
    process.wait_ready(lambda: answers(int(env["PORT"]), "/livez"))
    yield process
    process.kill()


def test_a_program_collects_its_garbage() -> None:
    """It is imported without the collector, and does not stay so."""
    assert 1 == run("collects", env=environment()).returncode


def test_what_is_missing_is_named() -> None:
    """All of it at once; the status tells the scheduler that trying again is no use."""
    done = run("serve", env=environment(PORT="", DATABASE_URL=""))
    assert (78, "") == (done.returncode, done.stdout)
    title, *lines = done.stderr.splitlines()
    assert "test cannot start:" == title
    assert ["PORT is not set", "DATABASE_URL is not set"] == [line.split(" (")[0] for line in lines]


def test_what_is_wrong_is_named_and_not_shown() -> None:
    """A URL that cannot be used may hold a password all the same."""
    done = run("serve", env=environment(PORT="http", DATABASE_URL="mysql://shop:hunter2@db/shop"))
    assert 78 == done.returncode
    assert "PORT cannot be used" in done.stderr
    assert "DATABASE_URL cannot be used" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


@pytest.mark.parametrize("command", ["migrate", "dead-jobs"])
def test_a_command_says_that_the_database_is_away(command: str) -> None:
    """In a line and without its password; the status tells the scheduler to try again."""
    done = run(command, env=environment())
    assert (75, "") == (done.returncode, done.stdout)
    assert [True] == [
        line.startswith(f"test cannot {command}: no connection to the database: ")
        for line in done.stderr.splitlines()
    ]
    assert "hunter2" not in done.stderr


def test_a_command_of_the_service_gets_its_arguments_and_sets_the_status() -> None:
    """As `create-admin` of the user service does."""
    done = run("greet", "--name", "Ada", env=environment())
    assert (7, "hello --name Ada\n") == (done.returncode, done.stdout)


def test_arguments_that_mean_nothing_are_refused() -> None:
    """Rather than ignored: `migrate --to 0001` must not migrate to the newest."""
    done = run("migrate", "--to", "0001", env=environment())
    assert 2 == done.returncode
    assert "unrecognized arguments: --to 0001" in done.stderr


async def test_dead_jobs_are_listed_and_redriven(database: Database) -> None:
    """Of every table: what kind, how often tried and why it failed; redriven it is dead no more."""

    async def reject(*_: object) -> None:
        raise Rejected("no such card")

    job = Job(uuid.uuid4(), "charge", "{}", None, attempts=0)
    async with database.transaction() as tx:
        await jobs.add(tx, JOBS, [job])
    await JobRunner(database, JOBS, one_by_one(reject)).run_once()
    env = environment(DATABASE_URL=database.url)
    listed = await asyncio.to_thread(run, "dead-jobs", env=env)
    assert (0, f"job {job.id} charge attempts=1 error=Rejected: no such card\n") == (
        listed.returncode,
        listed.stdout,
    )
    redriven = await asyncio.to_thread(run, "redrive-jobs", env=env)
    assert (0, "outbox: 0 redriven\njob: 1 redriven\n") == (redriven.returncode, redriven.stdout)
    assert [] == await jobs.dead(database, JOBS)


def by_secret(stored_account: StoredAccount, url: str) -> dict[str, str]:
    """An environment in which the program enters by the secret."""
    return environment(
        DATABASE_URL=without_account(url),
        DATABASE_SECRET_ARN=stored_account.arn,
        **stored_account.environment,
    )


@pytest.mark.parametrize("command", ["migrate", "dead-jobs"])
async def test_a_command_says_that_a_secret_cannot_be_used(
    stored_account: StoredAccount, command: str
) -> None:
    """In a line, and with the status of what may be mended by then."""
    env = by_secret(stored_account, f"postgresql://{LOOPBACK}:{free_port()}/shop")
    done = await asyncio.to_thread(run, command, env=env)
    assert (75, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert f"the secret {stored_account.arn} is no JSON" in done.stderr


async def test_a_command_enters_by_the_secret(stored_account: StoredAccount, database: Database) -> None:
    """As the service does."""
    await stored_account.store(database.url)
    env = by_secret(stored_account, database.url)
    done = await asyncio.to_thread(run, "redrive-jobs", env=env)
    assert (0, "outbox: 0 redriven\njob: 0 redriven\n") == (done.returncode, done.stdout)


def test_a_service_that_is_interrupted_finishes_first(served: Process) -> None:
    """Its components come to an end of their own, and to stop when told is no failure."""
    os.kill(served.pid, signal.SIGINT)
    assert 0 == served.wait(20)
    logged = served.log.read_text()
    assert 2 == logged.count("finished")
    assert [] == errors(logged)


def test_a_service_that_is_terminated_answers_first(served: Process) -> None:
    """Whoever was let in; then its components finish, and all is well."""
    port = int(served.env["PORT"])
    with socket.create_connection((LOOPBACK, port), timeout=10) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        served.wait_ready(lambda: "asked" in served.log.read_text())
        os.kill(served.pid, signal.SIGTERM)
        with client.makefile("rb") as answer:
            assert b'"answered"' in answer.read()
    assert 0 == served.wait(20)
    assert 2 == served.log.read_text().count("finished")


@pytest.mark.parametrize(
    ("component", "expected"),
    [("failing", ("Failing", "ValueError: out of order")), ("returning", ("Returning", ""))],
)
def test_a_component_that_ends_takes_the_service_down(component: str, expected: tuple[str, str]) -> None:
    """A service whose queue nobody reads looks healthy; it is to be replaced. The others finish first."""
    done = run(env=environment(COMPONENT=component))
    assert 1 == done.returncode
    assert [expected] == errors(done.stdout)
    assert "finished" in done.stdout


def test_a_component_that_fails_while_stopping_is_a_failure(tmp_path: Path) -> None:
    """It is told by the status, as any other."""
    env = environment(COMPONENT="failing-at-the-end")
    process = python_module("test", "chassis.service_test", log=tmp_path / "test.log", env=env)
    process.start()
    try:
        process.wait_ready(lambda: answers(int(env["PORT"]), "/livez"))
        os.kill(process.pid, signal.SIGTERM)
        assert 1 == process.wait(20)
    finally:
        process.kill()
    assert [("FailingAtTheEnd", "ValueError: something was left undone")] == errors(process.log.read_text())


def test_a_service_that_cannot_be_composed_ends_as_failed() -> None:
    """And says why."""
    done = run(env=environment(COMPONENT="unknown"))
    assert 3 == done.returncode  # uvicorn's own, as below
    assert "what it needs is not there" in done.stdout


def test_a_service_whose_port_is_taken_ends_as_failed() -> None:
    """Its components finish, since they were started."""
    with socket.create_server((LOOPBACK, free_port())) as taken:
        done = run(env=environment(PORT=str(taken.getsockname()[1])))
    assert 3 == done.returncode
    assert "address already in use" in done.stdout
    assert 2 == done.stdout.count("finished")


class Noting:
    """Notes when it was started, told to stop, and cancelled; it stops only if it is `obedient`."""

    def __init__(self, notes: list[str], *, obedient: bool = True) -> None:
        self._notes = notes
        self._obedient = obedient

    async def run(self, stop: asyncio.Event) -> None:
        self._notes.append("started")
        await stop.wait()
        self._notes.append("told")
        try:
            if not self._obedient:
                await asyncio.Event().wait()
        finally:
            self._notes.append("ended")


def noted(notes: list[str], *, obedient: bool = True) -> FastAPI:
    """A service whose resource and component say when they come and go."""

    @asynccontextmanager
    async def resource() -> Any:
        notes.append("opened")
        yield
        notes.append("closed")

    async def compose(stack: AsyncExitStack) -> Running:
        await stack.enter_async_context(resource())
        return Running(state={"what": "state"}, components=[Noting(notes, obedient=obedient)])

    return create_app("test", "1", [], compose)


@pytest.mark.parametrize("obedient", [True, False], ids=["in time", "late"])
async def test_what_components_use_is_closed_after_them(
    obedient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told to stop and awaited, for a bounded time; whoever is late is cancelled, no more."""
    monkeypatch.setattr("chassis.service.COMPONENTS_GRACE_S", 10 if obedient else 0.05)
    notes: list[str] = []

    async def is_started() -> bool:
        return "started" in notes

    app = noted(notes, obedient=obedient)
    async with running(app):
        await eventually(is_started)
        assert ("state", False) == (app.state.what, app.state.stopping)
    assert ["opened", "started", "told", "ended", "closed"] == notes
    assert (True, False) == (app.state.stopping, app.state.failed)


def test_the_version_is_that_of_the_file_beside_the_module(tmp_path: Path) -> None:
    """Written by people: with a line's end."""
    (tmp_path / "VERSION").write_text("1.2.3\n")
    assert "1.2.3" == version_of(str(tmp_path / "app.py"))


if __name__ == "__main__":
    sys.exit(PROGRAM.main())
