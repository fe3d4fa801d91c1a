"""A process is held to the size of a task, by whoever can."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.scaling.policy import Task
from loadtests.capacity import hold
from loadtests.capacity.hold import Accounting, Cgroup
from loadtests.capacity.process import Meter, Started

QUARTER = Task(cpu=256, memory_mib=512)
BURNS = "import time\nprint('runs', flush=True)\nwhile True: sum(range(10_000))"


def test_groups_of_version_1_have_the_size_of_the_task(tmp_path: Path) -> None:
    """A quota of CPU in one tree, a limit of memory in another."""
    for name in ("cpu", "memory"):
        (tmp_path / name).mkdir()

    held = hold.hold(QUARTER, "mercato-test", tmp_path)

    cpu, memory = tmp_path / "cpu/mercato-test", tmp_path / "memory/mercato-test"
    assert ("cgroup", 1.0) == (held.by, held.stretch)
    assert ("25000", "100000") == tuple(
        (cpu / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
    )
    assert str(512 * 2**20) == (memory / "memory.limit_in_bytes").read_text()
    assert isinstance(held, Cgroup)
    assert [cpu, memory] == list(held.folders)


def test_a_group_of_version_2_has_the_size_of_the_task(tmp_path: Path) -> None:
    """Both in one tree."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory")

    held = hold.hold(QUARTER, "mercato-test", tmp_path)

    group = tmp_path / "mercato-test"
    assert "cgroup" == held.by
    assert ("25000 100000", str(512 * 2**20)) == tuple(
        (group / name).read_text() for name in ("cpu.max", "memory.max")
    )


def test_without_a_controller_of_memory_nothing_is_left_behind(tmp_path: Path) -> None:
    """Half a hold is none."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory").write_text("no folder")

    held = hold.hold(QUARTER, "mercato-test", tmp_path)

    assert "accounting" == held.by
    assert not (tmp_path / "cpu/mercato-test/cgroup.procs").exists()


def test_where_no_group_can_be_made_it_is_reckoned(tmp_path: Path) -> None:
    """With a core of its own, of which the task has a quarter."""
    held = hold.hold(QUARTER, "mercato-test", tmp_path / "nothing")

    assert ("accounting", 4.0) == (held.by, held.stretch)
    assert ["taskset", "--cpu-list"] == held.held(["serve"])[:2]
    assert "serve" == held.held(["serve"])[-1]


def test_a_command_is_run_as_it_is(tmp_path: Path) -> None:
    """Spaces and quotes are no words of the shell that joins for it."""
    command = Cgroup([tmp_path]).held(["/bin/echo", "a b", "$HOME", "'"])

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "a b $HOME '\n" == done.stdout
    assert (tmp_path / "cgroup.procs").read_text().strip().isdecimal()


def test_the_kernel_gives_no_more_than_the_size() -> None:
    """A process that wants all of a core gets a quarter of it."""
    held = hold.hold(QUARTER, f"mercato-test-{time.monotonic_ns()}")
    if isinstance(held, Accounting):
        pytest.skip("no control group can be made here")
    with subprocess.Popen(held.held([sys.executable, "-c", BURNS]), stdout=subprocess.PIPE) as burning:
        try:
            assert burning.stdout is not None
            assert b"runs\n" == burning.stdout.readline()
            with Meter(Started(burning, 0)) as meter:
                began = time.perf_counter()
                # Longer than several periods, in any of which it may have got its share at once.
                while len(meter.samples) < 20:
                    time.sleep(0.05)
            used = meter.used(began, time.perf_counter())
        finally:
            burning.kill()
            burning.wait()
            held.close()
    assert 0.01 < used.cpu_share < 0.3
    assert 1 < used.memory_mib < 512


def test_a_group_is_gone_once_what_was_in_it_has_ended(tmp_path: Path) -> None:
    """And closing again is no error."""
    folder = tmp_path / "group"
    folder.mkdir()
    held = Cgroup([folder])

    held.close()
    held.close()

    assert not folder.exists()
