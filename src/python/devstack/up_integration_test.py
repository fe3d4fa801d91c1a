"""`./pants up` as a command: what it says, what it keeps, what it leaves behind."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import asyncpg
import psutil
import pytest

from backing.cache import Cache
from backing.ports import LOOPBACK, free_port, is_listening
from backing.process import Process, python_module
from devstack.client import Client, Refused
from devstack.conftest import OpenShop, eventually, up, wait_open
from devstack.load import Load
from devstack.state import Account, Running


@contextmanager
def shop(directory: Path, *args: str, env: dict[str, str] | None = None) -> Iterator[OpenShop]:
    """A shop that is told to stop by Ctrl-C at the end, and must then leave nothing behind."""
    process = up(directory, *args, env=env)
    process.start()
    try:
        wait_open(process, directory)
        yield OpenShop(directory, process)
        tree = psutil.Process(process.pid).children(recursive=True)
        psutil.Process(process.pid).send_signal(signal.SIGINT)
        assert 0 == process.wait(60)
        assert [] == psutil.wait_procs(tree, timeout=5)[1]
        assert not (directory / "state" / "running.json").exists()
    finally:
        process.stop()


def refused(directory: Path, port: int) -> tuple[int | None, str]:
    """The exit status and the words of a shop that cannot start; a running one has its own log."""
    process = up(directory, port=port)
    process.log = directory / "refused.log"
    process.start()
    try:
        status = process.wait(30)
    finally:
        process.stop()
    return status, process.log.read_text()


async def sign_in(running: Running, account: Account) -> None:
    """Sign in at the shop. Raises Refused."""
    async with aiohttp.ClientSession(running.url) as session:
        await Client(session).sign_in(account.email, account.password)


def test_a_port_that_is_taken_is_named_with_its_remedy(tmp_path: Path) -> None:
    """And nothing is started."""
    with socket.create_server((LOOPBACK, free_port())) as taken:
        status, said = refused(tmp_path, taken.getsockname()[1])
    assert 69 == status
    assert "is taken" in said
    assert "--port" in said
    assert not (tmp_path / "state" / "postgres").exists()


async def test_a_shop_is_run_twice_and_then_afresh(tmp_path: Path) -> None:
    """What happened in the first run is there in the second, and gone when it is to be."""
    cache = Cache(tmp_path / "cache", log=tmp_path / "cache.log")
    cache.start()
    cache.wait_ready()
    given = {"REDIS_URL": cache.url}
    try:
        with shop(tmp_path, "--replicas", "order=2", "--replicas", "product=2", env=given) as first:
            running = first.running
            assert "cache" not in running.pids
            assert {"order-1", "order-2"} < set(running.pids)
            status, said = refused(tmp_path, free_port())
            assert 69 == status
            assert "is running from" in said
            await _replicas_are_killed_and_no_request_is_lost(first)
            _the_demo_succeeds(tmp_path)
            before = await _orders(running)
        with shop(tmp_path, env=given) as second:
            assert running.customer == second.running.customer
            assert before == await _orders(second.running)
            await sign_in(second.running, running.customer)
        with shop(tmp_path, "--fresh", "--no-seed", env=given) as third:
            assert 0 == await _orders(third.running)
            with pytest.raises(Refused):
                await sign_in(third.running, running.customer)
    finally:
        cache.stop()


async def _replicas_are_killed_and_no_request_is_lost(open_shop: OpenShop) -> None:
    async with aiohttp.ClientSession(open_shop.running.url) as session:
        load = Load(session)  # without patience: each request has one chance
        await load.prepare(2)
        placing = asyncio.create_task(load.run(10, 4))
        await asyncio.sleep(1)  # requests are under way on both by then
        # Order asks product for prices.
        await asyncio.gather(open_shop.kill("order-1"), open_shop.kill("product-1"))
        report = await placing
    # What a replica was in the midst of answering when it was killed is cut off, and nobody can take it up
    # again: one request at most, since of ten a second two are hardly ever answered at a time.
    cut = Counter({error: n for error, n in report.errors.items() if error.startswith("ClientPayloadError")})
    assert (Counter(), 40) == (report.errors - cut, len(report.placed) + cut.total())
    assert cut.total() <= 1


def _the_demo_succeeds(directory: Path) -> None:
    demo = python_module(
        "demo", "devstack", "demo", "--state", str(directory / "state"), log=directory / "demo.log"
    )
    demo.start()
    assert 0 == demo.wait(60), demo.log.read_text()
    assert "mailed: Your order is confirmed" in demo.log.read_text()


async def _orders(running: Running) -> int:
    connection = await asyncpg.connect(running.database_urls["order"])
    try:
        return int(await connection.fetchval("SELECT count(*) FROM orders"))
    finally:
        await connection.close()


async def test_what_is_left_is_started_by_whoever_asked(tmp_path: Path) -> None:
    """The shop opens without it, and finds it at its port; what fills the shop has run for that."""
    leave = ("--replicas", "order=2", "--leave", "order", "--leave", "payment")
    with shop(tmp_path, *leave) as open_shop:
        running = open_shop.running
        assert ["order-1", "order-2", "payment"] == sorted(left.name for left in running.left)
        assert not {left.name for left in running.left} & set(running.pids)
        assert not any(is_listening(left.port) for left in running.left)
        await sign_in(running, running.customer)
        async with aiohttp.ClientSession(running.url) as session:
            assert 503 == await _status(session, "/api/orders")
            second = next(left for left in running.left if left.name == "order-2")
            log = tmp_path / "order-2.log"
            process = Process(second.name, second.command, log=log, env=second.environment)
            process.start()
            try:
                await eventually(lambda: _answers(session, "/api/orders", 401))
            finally:
                process.stop()


async def _answers(session: aiohttp.ClientSession, path: str, status: int) -> bool:
    return await _status(session, path) == status


async def _status(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as answer:
        return answer.status


@pytest.mark.parametrize("wrong", ["order", "order=0", "order=x", "sales=2"])
def test_replicas_of_what_is_no_service_are_refused(wrong: str) -> None:
    """With an example of what is meant."""
    assert "order=2" in misused("--replicas", wrong)


def test_what_is_left_is_a_service_and_no_image() -> None:
    """Each refusal says what would do."""
    assert "choose from 'user'" in misused("--leave", "sales")
    assert "--leave goes without --images" in misused("--leave", "order", "--images")


def misused(*args: str) -> str:
    """What is said of arguments that are refused."""
    argv = [sys.executable, "-m", "devstack", "up", *args]
    env = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert 2 == done.returncode
    return done.stderr
