"""Whole runs, by the command and with Locust itself, against a shop on loopback that does nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from loadtests.generator import ceiling, process

ROUTES = ("GET /api/products", "GET /api/products/categories", "POST /api/orders")
BEGUN = re.compile(r"… \d of 60 s")

Start = Callable[..., "subprocess.Popen[str]"]


def test_a_shop_that_keeps_its_objectives_passes(run: Start, tmp_path: Path) -> None:
    """Status 0, all visits came, and the report says so."""
    status = run("--rate", "0.84", "--seconds", "4", "--spread", "even").wait()

    result = _result(tmp_path)
    if any("could not keep up" in reason for reason in result["invalid"]):
        pytest.skip("this machine is too busy to offer three visits a second in time")
    assert ("passed", 0) == (result["verdict"], status)
    assert 12 == result["measured"]["visits"]
    assert 0 < result["measured"]["orders"] == result["measured"]["orders_confirmed"]
    assert (tmp_path / "report" / "report.html").exists()


def test_a_stall_is_in_the_percentiles_and_no_visit_is_missing(
    start: Start, run: Start, tmp_path: Path
) -> None:
    """Two of six seconds nothing is answered. A third of the visits meet that, and their first request waits.

    In a closed loop each user waits out one request: it would show one slow one for each, and fewer visits.
    """
    status = run(
        "--rate", "5.6", "--seconds", "6", "--spread", "even", shop=_shop(start, "--stall", "150,2")
    ).wait()

    result = _result(tmp_path)
    first = _row(result, "GET /api/products/categories")
    assert 1 == status
    assert 120 == result["measured"]["visits"]
    assert first["asked"] / 9 < first["slow"]
    assert 1400 < first["measured_ms"] < 2600
    assert not first["kept"]


def test_two_processes_play_the_visits_that_one_plays(run: Start, tmp_path: Path) -> None:
    """Locust's master and workers share them out: as many of each kind come, whoever plays them."""

    def visits(processes: str) -> list[int]:
        run("--rate", "2.8", "--seconds", "4", "--processes", processes).wait()
        result = _result(tmp_path)
        return [result["measured"]["visits"], *(_row(result, each)["asked"] for each in ROUTES[1:])]

    assert visits("1") == visits("2")


def test_a_run_that_is_ended_early_says_so_and_fails(run: Start, tmp_path: Path) -> None:
    """What was measured until then is no run; there is a report all the same."""
    running = run("--rate", "1.4", "--seconds", "60")
    _read_until(running, BEGUN)
    running.send_signal(signal.SIGTERM)

    assert 1 == running.wait()
    assert ["it was ended before it was over"] == _result(tmp_path)["invalid"][:1]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are looked up in /proc")
def test_a_worker_that_is_lost_makes_the_run_invalid(run: Start, tmp_path: Path) -> None:
    """The rest goes on as if less had been asked for: that must not pass."""
    running = run("--rate", "1.4", "--seconds", "60", "--processes", "2")
    _read_until(running, BEGUN)
    os.kill(_children(running.pid)[0], signal.SIGKILL)

    assert 1 == running.wait()
    assert _result(tmp_path)["invalid"][0].startswith("a worker was lost")


def test_a_shop_that_lets_nobody_register_is_one_sentence(start: Start, run: Start) -> None:
    """Before anything is offered, and without a traceback."""
    shop = _shop(start, "--refuse", "POST /api/users")

    said, complaint = run("--rate", "1", "--seconds", "4", shop=shop).communicate()

    assert "report:" not in said
    assert "load cannot be prepared: POST /api/users was answered with 503.\n" == complaint


@pytest.fixture
def start() -> Iterator[Start]:
    """Processes of ours; each is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(command: Sequence[str], **environment: str) -> subprocess.Popen[str]:
        begun = subprocess.Popen(
            command,
            env={**process.environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(begun)
        return begun

    yield begin
    for each in started:
        each.kill()
        each.communicate()


@pytest.fixture
def run(start: Start, tmp_path: Path) -> Start:
    """`./pants load run` against a shop on loopback, of a generator whose limit is known to be high."""
    (tmp_path / "objectives.toml").write_text(_objectives())
    limit = ceiling.Ceiling(1e6, 1e7, "2026-01-01", ceiling.machine(), ceiling.code())
    file = tmp_path / "dist" / "load" / "ceiling.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(asdict(limit)))

    def begin(*arguments: str, shop: str | None = None) -> subprocess.Popen[str]:
        return start(
            [
                *process.python("loadtests", "run", "--host", shop or _shop(start), "--think", "0"),
                *("--customers", "3", "--output", str(tmp_path / "report")),
                *("--objectives", str(tmp_path / "objectives.toml"), *arguments),
            ],
            MERCATO_ROOT=str(tmp_path),
            MERCATO_ADMIN_EMAIL="admin@example.com",
            MERCATO_ADMIN_PASSWORD="secret",
        )

    return begin


def _shop(start: Start, *arguments: str) -> str:
    server = start(process.python("loadtests.generator.loopback", *arguments))
    assert server.stdout is not None
    return f"http://127.0.0.1:{int(server.stdout.readline())}"


def _read_until(running: subprocess.Popen[str], wanted: re.Pattern[str]) -> None:
    assert running.stdout is not None
    for line in running.stdout:
        if wanted.search(line):
            return
    pytest.fail(f"it ended and did not say {wanted.pattern!r}")


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _result(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "report" / "result.json").read_text())
    return result


def _row(result: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in result["rows"] if row["name"] == name)


def _objectives() -> str:
    routes = "".join(
        f'[[route]]\nservice = "product"\nroute = "{route}"\n'
        "percentile = 95\nbound_ms = 1000\navailability = 99\n"
        for route in ROUTES
    )
    order = 'percentile = 99\nbound_ms = 5000\navailability = 99\nstages = [["order"]]\n'
    return f"{routes}[order_to_confirmed]\n{order}"
