"""A whole probe, with Locust, of a service of which is known what a request takes."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from infra.scaling.policy import Task
from loadtests.capacity import testing
from loadtests.capacity.hold import hold
from loadtests.capacity.probe import Pace, Probe
from loadtests.capacity.process import Left
from loadtests.capacity.stage import Stage
from loadtests.errors import LoadError
from loadtests.generator import asks, process
from loadtests.objectives import Objective
from loadtests.testing import profile

QUARTER = Task(cpu=256, memory_mib=512)
# What a probe says where others take the CPU that it measures with.
_BUSY = ("too busy", "measure again", "does not keep its objectives even at")
PACE = Pace(repetitions=2, seconds=2, light_s=2, scout_s=2, idle_s=0.5, warming_s=2)


def test_a_task_carries_what_its_cpu_allows(tmp_path: Path) -> None:
    """5 ms of CPU a request and the rest that a server takes, a quarter of a CPU: 50 a second at the most."""
    held = hold(QUARTER, f"mercato-test-{os.getpid()}")
    within = Objective(percentile=90, bound_ms=1000)
    objectives = dict.fromkeys(asks.ASKS["user"], within)
    said: list[str] = []
    probe = Probe(_stage(tmp_path), [held], QUARTER, objectives, PACE, said.append)

    try:
        found = probe.profile(lambda: profile().measured)
    except LoadError as error:
        if any(words in str(error) for words in _BUSY):
            pytest.skip(f"nothing can be measured here and now: {error}")
        raise
    finally:
        held.close()

    assert 1000 * testing.CPU_S <= found.requests.cpu_ms
    assert 0 < found.requests.capacity_per_s.highest <= 50 * 1.25
    assert found.requests.capacity_per_s.lowest <= found.requests.saturated_per_s
    assert 0 < found.start_s.lowest
    assert found.messages is None
    rates = [point.rate_per_s for point in found.requests.curve]
    assert sorted(rates) == rates
    assert "a request takes about" in said[0]


def test_a_service_that_does_not_start_is_an_error_with_its_log(tmp_path: Path) -> None:
    """Whoever reads it need not look for the log, which is gone with its folder."""
    stage = _stage(tmp_path, "--nonsense")
    probe = Probe(stage, [hold(QUARTER, "mercato-none", tmp_path / "none")], QUARTER, {}, PACE, print)

    with pytest.raises(LoadError, match="user did not become healthy") as raised:
        probe.climbs([1.0])

    assert "ValueError" in str(raised.value)


def _stage(folder: Path, *more: str) -> Stage:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = process.python("loadtests.capacity.testing", *(more or (str(port),)))
    running = {
        "internal_url": f"http://127.0.0.1:{port}",
        "admin": {"email": "admin@example.com", "password": "secret"},
        "queue_urls": {},
        "pids": {},
        "aws": {},
    }
    left = Left("user", port, command, {"PYTHONPATH": process.environment()["PYTHONPATH"]})
    return Stage("user", folder, running, [left])
