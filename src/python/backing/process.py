"""A child process that logs to a file of its own, says why it failed, and never outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LOG_TAIL_BYTES = 4096

# Resolved once, before any fork: the child may not look symbols up.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class ProcessError(RuntimeError):
    """A child process could not be started, or did not become ready."""


class Process:
    """One managed child process, in a session of its own.

    A session of its own keeps a terminal's Ctrl-C from reaching the child before its parent has decided
    what to stop first. On Linux the kernel sends `stop_signal` to the child when the parent dies, even by
    SIGKILL; it does so too when the *thread* that called `start()` ends, so start from a lasting thread.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_timeout_s: float = 10.0,
    ) -> None:
        """Describe the process. `env` is laid over this process's own environment."""
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log = log
        self.env = dict(env or {})
        self._cwd = cwd
        self._user = user
        self._stop_signal = stop_signal
        self._stop_timeout_s = stop_timeout_s
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; ProcessError before `start()`."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit code (negative: the signal that ended it), None while it runs."""
        return None if self._popen is None else self._popen.poll()

    def start(self) -> None:
        """Start the process and return at once; see `wait_ready`."""
        if self.running:
            raise ProcessError(f"{self.name} is already running (pid {self.pid})")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        parent = os.getpid()
        try:
            with self.log.open("ab") as log:
                self._popen = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self.env},
                    cwd=self._cwd,
                    user=self._user,
                    start_new_session=True,
                    # A system call alone, made through a symbol that was resolved before the fork.
                    preexec_fn=lambda: _die_with(parent, self._stop_signal),  # noqa: PLW1509
                )
        except OSError as error:
            raise ProcessError(f"{self.name} could not be started: {error}") from error

    def wait_ready(self, probe: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Return once `probe` answers True; an OSError of the probe means "not yet".

        Raises ProcessError with the end of the log if the process ends first or the time runs out; a
        process that was too slow is killed.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if not self.running:
                raise ProcessError(
                    f"{self.name} ended with code {self.returncode} before it was ready; {self._log_tail()}"
                )
            with contextlib.suppress(OSError):
                if probe():
                    return
            if time.monotonic() > deadline:
                self.kill()
                raise ProcessError(f"{self.name} was not ready within {timeout_s:g} s; {self._log_tail()}")
            time.sleep(0.01)

    def wait(self, timeout_s: float) -> int | None:
        """The exit code once the process has ended, None if it still runs after `timeout_s`."""
        try:
            return self._started().wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Ask the process to end, wait for it within its bound, then kill what is left of its session."""
        if self._popen is None:
            return
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._popen.send_signal(self._stop_signal)
            self.wait(self._stop_timeout_s)
        self.kill()

    def kill(self) -> None:
        """End the process and all of its session at once (SIGKILL)."""
        if self._popen is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise ProcessError(f"{self.name} was not started")
        return self._popen

    def _log_tail(self) -> str:
        tail = self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return f"the end of {self.log}:\n{tail}" if tail else f"its log {self.log} is empty"


def python_module(
    name: str,
    module: str,
    *args: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    stop_timeout_s: float = 10.0,
) -> Process:
    """A process that runs `module` with this interpreter and this import path, however they came about."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return Process(
        name,
        [sys.executable, "-m", module, *args],
        log=log,
        env={"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(env or {})},
        stop_timeout_s=stop_timeout_s,
    )


def installation(package: str) -> Path:
    """The folder of an installed package that brings a program; the package itself is not imported.

    Importing it would cost time and memory for a client library that nobody here calls.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ProcessError(f"the Python package {package} is not installed")
    return Path(spec.origin).parent


def _die_with(parent: int, stop_signal: signal.Signals) -> None:
    """Runs in the child: have the kernel end it with its parent, which may be gone already."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(stop_signal))
        if os.getppid() != parent:
            os._exit(1)
