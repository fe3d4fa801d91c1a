"""What the generator itself can offer on one core: a run that asks for more would measure its generator.

It is found by visits at a rising rate to a shop that does nothing, until requests no longer leave in time.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtests.errors import LoadError
from loadtests.generator import process
from loadtests.generator.plan import Plan
from loadtests.generator.record import ORDER, Record, quantile_ms
from loadtests.generator.target import Target
from loadtests.generator.verdict import LAG_BOUND_MS

_FIRST, _GROWTH, _STEPS = 20.0, 1.15, 40
_AT_MOST_S = 180.0


@dataclass(frozen=True)
class Ceiling:
    """The highest rate at which requests left in time, on what machine and by what generator."""

    visits_per_s: float
    requests_per_s: float
    at: str
    machine: str
    code: str


def known(file: Path) -> Ceiling | None:
    """What was measured before, if it was on this machine and of this generator."""
    try:
        found = Ceiling(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if (found.machine, found.code) == (machine(), code()) else None


def measure(file: Path) -> Ceiling:
    """Measure, and keep it in `file`. Raises LoadError where nothing could be measured."""
    found = limit(_ramp())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
    return found


def machine() -> str:
    """What the generator runs on, in words."""
    cores, memory = os.cpu_count() or 1, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_processor()}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def _ramp() -> Record:
    with tempfile.TemporaryDirectory(prefix="load-ceiling-") as folder, _loopback() as target:
        plan = Plan(
            shape="ramp",
            rates=tuple(_FIRST * _GROWTH**step for step in range(_STEPS)),
            spread="even",
            seed=1,
            think_s=0.0,
            customers=20,
            objectives="",
            output=folder,
            host=target.url,
            commit="",
            machine="",
            ceiling=None,
        )
        environment = process.environment(plan.write(), target)
        try:
            done = subprocess.run(
                process.locust("--host", target.url),
                env=environment,
                capture_output=True,
                text=True,
                timeout=_AT_MOST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LoadError(f"the generator's limit was not found within {_AT_MOST_S:.0f} s.") from None
        if done.returncode != 0:
            raise LoadError(f"the generator's limit was not measured: {done.stderr.strip()[-500:]}")
        said = json.loads((Path(folder) / "result.json").read_text("utf-8"))
    record = Record(plan.interval_s)
    record.add(said["record"])
    return record


def limit(record: Record) -> Ceiling:
    """The highest rate at which requests left in time: beyond the limit all that follow are late, too."""
    late = record.lag_by_interval()
    seconds = [interval for (interval,) in record.offered]
    in_time = [second for second in seconds if quantile_ms(late.get(second, {}), 99) <= LAG_BOUND_MS]
    if not in_time:
        raise LoadError(
            "the generator's limit was not found: requests left late at every rate; the machine is busy."
        )
    best = max(in_time)
    requests = sum(
        count for (interval, name, _), count in record.ended.items() if interval == best and name != ORDER
    )
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return Ceiling(float(record.offered[(best,)]), float(requests), now, machine(), code())


@contextmanager
def _loopback() -> Iterator[Target]:
    command = process.python("loadtests.generator.loopback")
    with subprocess.Popen(command, env=process.environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            yield Target(f"http://127.0.0.1:{port}", "admin", "admin")
        finally:
            server.terminate()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or os.uname().machine)


def code() -> str:
    """A hash of the generator: another one has another limit."""
    made = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if not path.name.endswith("_test.py"):
            made.update(path.read_bytes())
    return made.hexdigest()[:16]
