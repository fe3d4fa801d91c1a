"""`./pants load capacity` and `replicas`: measure what one task of a service carries, and several do."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal

from contracts.services import SERVICES
from infra.scaling.policy import Task
from loadtests import content, profile
from loadtests import replicas as replicas_of
from loadtests.capacity.hold import hold
from loadtests.capacity.ladder import Step
from loadtests.capacity.probe import Pace, Probe
from loadtests.capacity.stage import stage
from loadtests.checkout import Checkout
from loadtests.errors import LoadError
from loadtests.generator.ceiling import machine
from loadtests.profile import Measured, Profile
from loadtests.replicas import QUANTILE, RealRuns, Run, Seen

_WITHIN_S = 600
REPLICAS = (1, 2, 3)
# Of what so many tasks carry by the profile.
SHARES = (0.3, 0.5, 0.7, 0.85, 0.92, 1.0, 1.08, 1.16)
_ENOUGH = 60


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    capacity = commands.add_parser("capacity", help="measure what one task of a service carries")
    capacity.add_argument("--service", required=True, choices=SERVICES)
    capacity.add_argument(
        "--task", type=_task, metavar="CPU/MIB", help="its size, as 512/1024 (that of its scaling file)"
    )
    capacity.add_argument(
        "--repetitions", type=_count, default=Pace.repetitions, help="at least 2 (%(default)d)"
    )
    capacity.add_argument("--seconds", type=_count, default=Pace.seconds, help="of each rate (%(default)d)")
    capacity.add_argument(
        "--within", type=_count, default=_WITHIN_S, metavar="SECONDS", help="else give up (%(default)d)"
    )
    capacity.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where SERVICE.toml goes (loadtests/profiles)"
    )
    capacity.set_defaults(run=run)
    replicas = commands.add_parser(
        "replicas", help="measure several tasks at once, to see how far the simulator is from that"
    )
    replicas.add_argument("--service", required=True, choices=SERVICES)
    replicas.add_argument("--seconds", type=_count, default=12, help="of each rate (%(default)d)")
    replicas.add_argument("--within", type=_count, default=_WITHIN_S, metavar="SECONDS", help="(%(default)d)")
    replicas.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where SERVICE.toml goes (loadtests/replicas)"
    )
    replicas.set_defaults(run=run_replicas)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and write the profile; returns the exit status."""
    checkout = Checkout(arguments.root)
    measuring = Measuring(checkout, arguments.service, arguments.task, arguments.within)
    pace = Pace(arguments.repetitions, arguments.seconds)
    with measuring.probe(1, pace) as probe:
        found = probe.profile(lambda: measuring.measured(probe.holds[0].by, pace.repetitions))
    folder: Path = arguments.output or checkout.profiles
    folder.mkdir(parents=True, exist_ok=True)
    measuring.say(f"wrote {profile.save(found, folder)}")
    return 0


def run_replicas(arguments: argparse.Namespace) -> int:
    """Measure one, two and three replicas, and write down what became of them; returns the exit status."""
    checkout = Checkout(arguments.root)
    known = checkout.profile(arguments.service)
    measuring = Measuring(checkout, arguments.service, known.task, arguments.within)
    pace = Pace(repetitions=1, seconds=arguments.seconds)
    runs = []
    for replicas in REPLICAS:
        top = replicas * known.requests.capacity_per_s.median
        with measuring.probe(replicas, pace) as probe:
            climbed = probe.climb([top * share for share in SHARES])
        runs.append(_run_of(replicas, climbed, known))
        measuring.say(f"{replicas}: {runs[-1].carried_per_s:.1f} requests/s")
    measured = measuring.measured("cgroup", repetitions=len(REPLICAS))
    found = RealRuns(service=arguments.service, measured=measured, run=tuple(runs))
    measuring.say(f"wrote {replicas_of.save(found, arguments.output or checkout.replicas)}")
    return 0


def _run_of(count: int, climbed: Sequence[Step], known: Profile) -> Run:
    seen = [
        Seen(
            rate_per_s=round(step.rate_per_s, 3),
            kept=step.keeps(known.objectives),
            p95_ms={
                route: round(step.quantile_ms(route, QUANTILE), 2)
                for route, times in step.routes.items()
                # Of fewer, the slowest is all that is known.
                if sum(times.values()) >= _ENOUGH
            },
        )
        for step in climbed
    ]
    return Run(replicas=count, seen=tuple(seen))


class Measuring:
    """What measurements of a service have in common. Raises LoadError where one cannot begin."""

    def __init__(self, checkout: Checkout, service: str, task: Task | None, within_s: int) -> None:
        self._checkout, self._service, self._within_s = checkout, service, within_s
        self._task = task or checkout.deployed(service).task
        self._content = content.packaged(checkout.root, [service])[service]
        self._commit = _commit(checkout.root)
        self._began = time.monotonic()

    def say(self, line: str) -> None:
        """Tell how far it is."""
        sys.stdout.write(f"{time.monotonic() - self._began:4.0f} s  {self._service}: {line}\n")
        sys.stdout.flush()

    def measured(self, by: Literal["cgroup", "accounting"], repetitions: int) -> Measured:
        """On what, of what and how it was, now that it is over."""
        return Measured(
            at=dt.datetime.now(dt.UTC).replace(microsecond=0),
            machine=machine(),
            cores=os.cpu_count() or 1,
            commit=self._commit,
            content=self._content,
            held_by=by,
            repetitions=repetitions,
        )

    @contextmanager
    def probe(self, replicas: int, pace: Pace) -> Iterator[Probe]:
        """A shop with so many replicas that are to be measured; it is ended with this, whatever happens."""
        with ExitStack() as ends:
            ends.enter_context(_ending_in_order())
            holds = []
            for number in range(replicas):
                each = hold(self._task, f"mercato-{self._service}-{os.getpid()}-{number}")
                ends.callback(each.close)
                holds.append(each)
            if replicas > 1 and holds[0].by != "cgroup":
                raise LoadError(
                    "several replicas are held by control groups only, and none can be made here."
                )
            opened = ends.enter_context(stage(self._checkout.root, self._service, replicas))
            ends.enter_context(_bounded(self._within_s))
            self.say(f"a task of {self._task.cpu} CPU units and {self._task.memory_mib} MiB, {holds[0].by}")
            objectives = self._checkout.objectives.of(self._service)
            yield Probe(opened, holds, self._task, objectives, pace, self.say)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """When asked to end: what was started is ended first."""

    def ended(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, ended) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _bounded(seconds: int) -> Iterator[None]:
    """Give up after so long."""

    def late(_: int, __: FrameType | None) -> None:
        raise LoadError(f"it was not measured within {seconds} s; --within gives it longer.")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _commit(root: Path) -> str:
    try:
        said = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise LoadError(f"{root} is no checkout of git: a profile says of which commit it is.") from None
    return said.stdout.strip()


def _task(text: str) -> Task:
    cpu, _, memory = text.partition("/")
    try:
        return Task(cpu=int(cpu), memory_mib=int(memory))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no size of a task: {error}") from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 2 to 3600")
    return int(text)
