from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backing.process import Process, ProcessError
from devstack.conftest import eventually
from devstack.supervisor import Supervisor

WAITS = "import signal; signal.pause()"


class Sleeper:
    """A server that does nothing, as a process."""

    def __init__(self, directory: Path, *, code: str = WAITS) -> None:
        self.process = Process("sleeper", [sys.executable, "-c", code], log=directory / "sleeper.log")
        self.starts = 0

    def start(self) -> None:
        """Start it."""
        self.starts += 1
        self.process.start()

    def wait_ready(self) -> None:
        """It is ready as soon as it runs."""
        self.process.wait_ready(lambda: True)

    def stop(self) -> None:
        """Stop it."""
        self.process.stop()


class Told:
    """What the supervisor reports."""

    def __init__(self) -> None:
        self.news: list[tuple[str, str]] = []

    def starting(self, name: str) -> None:
        """It is on its way."""
        self.news.append(("starting", name))

    def ready(self, name: str, seconds: float) -> None:
        """It can be used."""
        assert seconds >= 0
        self.news.append(("ready", name))

    def ended(self, name: str, returncode: int | None) -> None:
        """It ended by itself."""
        self.news.append((f"ended {returncode}", name))

    def failed(self, name: str, error: str) -> None:
        """It could not be started again."""
        self.news.append((f"failed {error}", name))


@pytest.fixture
def told() -> Told:
    """The reporter."""
    return Told()


@pytest.fixture
async def supervisor(told: Told) -> AsyncIterator[Supervisor]:
    """A supervisor that stops what it started."""
    subject = Supervisor(told)
    yield subject
    await subject.stop()


async def test_a_server_that_is_killed_is_started_again(
    supervisor: Supervisor, told: Told, tmp_path: Path
) -> None:
    """Under another number; and what it forgot is put right before anybody is told."""
    server, restored = Sleeper(tmp_path), []

    async def restore() -> None:
        restored.append(server.process.pid)

    await supervisor.start("it", server, restore=restore)
    before = supervisor.pids["it"]
    server.process.kill()

    async def again() -> bool:
        return bool(restored)

    await eventually(again, within_s=10)
    assert [supervisor.pids["it"]] == restored != [before]
    assert [
        ("starting", "it"),
        ("ready", "it"),
        ("ended -9", "it"),
        ("starting", "it"),
        ("ready", "it"),
    ] == told.news


async def test_a_server_that_ends_over_and_over_is_tried_ever_more_rarely(
    supervisor: Supervisor, told: Told, tmp_path: Path
) -> None:
    """It is given up never."""
    server = Sleeper(tmp_path, code="import time; time.sleep(0.05)")
    await supervisor.start("it", server)

    async def tried_often() -> bool:
        return server.starts >= 4

    await eventually(tried_often, within_s=20)
    assert ("ended 0", "it") in told.news


async def test_a_restore_that_fails_is_reported_and_ends_no_supervision(
    supervisor: Supervisor, told: Told, tmp_path: Path
) -> None:
    """Whatever it raises; the server is started again the next time, too."""
    server = Sleeper(tmp_path)

    async def restore() -> None:
        raise ValueError("no topology")

    await supervisor.start("it", server, restore=restore)
    for times in (1, 2):
        server.process.kill()

        async def told_so(count: int = times) -> bool:
            return told.news.count(("failed no topology", "it")) == count

        await eventually(told_so, within_s=10)
    assert server.starts == 3
    assert server.process.running


async def test_a_server_that_does_not_start_at_first_is_an_error(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """The one who starts it decides what to do."""
    with pytest.raises(ProcessError):
        await supervisor.start("it", Broken(tmp_path))


class Broken(Sleeper):
    """A server that is never ready."""

    def wait_ready(self) -> None:
        """Not."""
        raise ProcessError("not ready")


async def test_stopped_servers_stay_stopped(supervisor: Supervisor, told: Told, tmp_path: Path) -> None:
    """Nobody starts them again, and those that were not named go on."""
    one, other = Sleeper(tmp_path), Sleeper(tmp_path)
    await supervisor.start("one", one)
    await supervisor.start("other", other)
    await supervisor.stop(["one"])
    assert not one.process.running
    assert {"other": other.process.pid} == supervisor.pids
    await supervisor.stop()
    assert not other.process.running
    assert not any(what.startswith("ended") for what, _ in told.news)
