"""Child processes: ready, failing, stopped, and never left behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backing.process import Process, ProcessError, python_module


def _python(name: str, code: str, tmp_path: Path) -> Process:
    return Process(name, [sys.executable, "-c", code], log=tmp_path / f"{name}.log", stop_timeout_s=0.5)


def test_a_process_is_ready_once_its_probe_answers(tmp_path: Path) -> None:
    """wait_ready returns as soon as the probe says so."""
    marker = tmp_path / "marker"
    process = _python("toucher", f"open({str(marker)!r}, 'w'); import time; time.sleep(60)", tmp_path)
    process.start()
    process.wait_ready(marker.exists)
    assert process.running
    process.stop()
    assert not process.running


def test_a_process_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """The error names the process, its exit code and what it wrote last."""
    process = _python("failing", "import sys; print('no such setting: COLOUR'); sys.exit(78)", tmp_path)
    process.start()
    with pytest.raises(ProcessError, match=r"(?s)failing ended with code 78 .*no such setting: COLOUR"):
        process.wait_ready(lambda: False)


def test_a_process_that_is_never_ready_is_killed(tmp_path: Path) -> None:
    """The bound of wait_ready is kept and nothing stays behind."""
    process = _python("slow", "import time; time.sleep(60)", tmp_path)
    process.start()
    with pytest.raises(ProcessError, match=r"slow was not ready within 0\.05 s"):
        process.wait_ready(lambda: False, timeout_s=0.05)
    assert not process.running


def test_a_process_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    """stop() takes no longer than its bound, and takes the children of the child too."""
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    process = _python("stubborn", code, tmp_path)
    process.start()
    process.wait_ready(lambda: process.log.read_text().endswith("\n"))
    grandchild = psutil.Process(int(process.log.read_text()))
    process.stop()
    assert -9 == process.returncode
    grandchild.wait(timeout=5)


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """A missing program is a ProcessError, not a traceback of subprocess."""
    with pytest.raises(ProcessError, match=r"ghost could not be started: .*no-such-program"):
        Process("ghost", ["/no-such-program"], log=tmp_path / "ghost.log").start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    """The parent is killed with SIGKILL and can clean nothing up: the kernel ends the child."""
    code = (
        "import sys, time; from pathlib import Path; from backing.process import Process;"
        f"child = Process('child', [sys.executable, '-c', 'import time; time.sleep(60)'],"
        f" log=Path({str(tmp_path / 'child.log')!r})); child.start();"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    parent = python_module("parent", "timeit", log=tmp_path / "parent.log")
    popen = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=parent.env)
    assert popen.stdout is not None
    child = psutil.Process(int(popen.stdout.readline()))
    popen.kill()
    popen.wait()
    popen.stdout.close()
    deadline = time.monotonic() + 5
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
