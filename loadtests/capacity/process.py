"""A process of a service: started held, watched, frozen, ended."""

from __future__ import annotations

import http.client
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil

from loadtests.capacity.ladder import Used
from loadtests.errors import LoadError

_SAMPLE_EVERY_S = 0.1
_HEALTHY_WITHIN_S = 120.0
_ENDS_WITHIN_S = 40.0
# What ECS asks, and infra has it ask.
_HEALTH = "/health"


@dataclass(frozen=True)
class Left:
    """A replica that `./pants up --leave` left to whoever asked for that."""

    name: str
    port: int
    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass
class Started:
    """A replica that runs. `start_s` is how long it took until it was healthy, by the machine's clock."""

    process: subprocess.Popen[bytes]
    start_s: float

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @cached_property
    def _kernels(self) -> psutil.Process:
        """As the kernel accounts for it."""
        return psutil.Process(self.pid)

    def cpu_s(self) -> float:
        """The CPU time that it has taken, all of its threads. Raises psutil.NoSuchProcess once it is gone."""
        times = self._kernels.cpu_times()
        return float(times.user + times.system)

    def memory_mib(self) -> float:
        """The memory that it holds now. Raises psutil.NoSuchProcess once it is gone."""
        return float(self._kernels.memory_info().rss / 2**20)

    def stop(self) -> None:
        """Have it finish what is under way and end."""
        self.process.terminate()
        try:
            self.process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(left: Left, command: Sequence[str], log: Path, **changed: str) -> Started:
    """Start a replica by `command`, with what is `changed` of its environment, and wait until it is healthy.

    Raises LoadError, with the log, where it ends or does not become healthy.
    """
    with log.open("ab") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            env={**os.environ, **left.environment, **changed},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    while not _healthy(left.port):
        if process.poll() is not None or time.perf_counter() - began > _HEALTHY_WITHIN_S:
            process.kill()
            raise LoadError(f"{left.name} did not become healthy: {_tail(log)}")
        time.sleep(0.005)
    return Started(process, time.perf_counter() - began)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", _HEALTH)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tail(log: Path) -> str:
    return log.read_text("utf-8", errors="replace").strip()[-1000:] or "its log is empty"


@dataclass
class Meter:
    """Takes down what a process uses, while it is entered; times are of `time.perf_counter`."""

    process: Started
    samples: list[tuple[float, float, float]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Meter:
        """Begin."""
        self._thread = threading.Thread(target=self._watch, name="meter")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        assert self._thread is not None
        self._thread.join()

    def _watch(self) -> None:
        # A process that ends meanwhile has used what it has used.
        with suppress(psutil.NoSuchProcess):
            while not self._over.is_set():
                now = time.perf_counter()
                self.samples.append((now, self.process.cpu_s(), self.process.memory_mib()))
                self._over.wait(_SAMPLE_EVERY_S)

    def used(self, start: float, end: float) -> Used:
        """Between two times. Raises LoadError where nothing was taken down then."""
        within = [each for each in self.samples if start <= each[0] <= end]
        if len(within) < 2:
            raise LoadError("the service ended while it was measured; its log says why.")
        (first, cpu, _), (last, more_cpu, _) = within[0], within[-1]
        return Used((more_cpu - cpu) / (last - first), max(memory for _, _, memory in within))


def freeze(pids: Sequence[int]) -> None:
    """Have processes do nothing. Raises psutil.NoSuchProcess of one that has ended."""
    for pid in pids:
        psutil.Process(pid).suspend()


def thaw(pids: Sequence[int]) -> None:
    """Have them go on."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).resume()
