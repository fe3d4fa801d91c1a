"""`./pants load capacity`: measures what one task of a service carries."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from contracts.services import SERVICES
from infra.scaling.policy import Task
from loadtests import content, profile
from loadtests.capacity.hold import hold
from loadtests.capacity.probe import Pace, Probe
from loadtests.capacity.stage import stage
from loadtests.checkout import Checkout
from loadtests.errors import LoadError
from loadtests.generator.ceiling import machine
from loadtests.profile import Measured

_WITHIN_S = 600


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    capacity = commands.add_parser("capacity", help="measure what one task of a service carries")
    capacity.add_argument("--service", required=True, choices=SERVICES)
    capacity.add_argument(
        "--task", type=_task, metavar="CPU/MIB", help="its size, as 512/1024 (that of its scaling file)"
    )
    capacity.add_argument("--repetitions", type=_count, default=3, help="at least 2 (%(default)d)")
    capacity.add_argument("--seconds", type=_count, default=8, help="of each rate (%(default)d)")
    capacity.add_argument(
        "--within", type=_count, default=_WITHIN_S, metavar="SECONDS", help="else give up (%(default)d)"
    )
    capacity.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where SERVICE.toml goes (loadtests/profiles)"
    )
    capacity.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and write the profile; returns the exit status."""
    checkout = Checkout(arguments.root)
    service: str = arguments.service
    task = arguments.task or checkout.deployed(service).task
    objectives = checkout.objectives.of(service)
    folder: Path = arguments.output or checkout.profiles
    packaged = content.packaged(arguments.root, [service])[service]
    commit = _commit(arguments.root)
    began = time.monotonic()

    def measured() -> Measured:
        return Measured(
            at=dt.datetime.now(dt.UTC).replace(microsecond=0),
            machine=machine(),
            cores=os.cpu_count() or 1,
            commit=commit,
            content=packaged,
            held_by=holder.by,
            repetitions=arguments.repetitions,
        )

    def say(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:4.0f} s  {service}: {line}\n")
        sys.stdout.flush()

    holder = hold(task, f"mercato-{service}-{os.getpid()}")
    try:
        with _ending_in_order(), stage(arguments.root, service) as opened, _bounded(arguments.within):
            say(f"a task of {task.cpu} CPU units and {task.memory_mib} MiB, held by {holder.by}")
            pace = Pace(arguments.repetitions, arguments.seconds)
            probe = Probe(opened, holder, task, objectives, pace, say)
            found = probe.profile(measured)
    finally:
        holder.close()
    folder.mkdir(parents=True, exist_ok=True)
    say(f"wrote {profile.save(found, folder)}")
    return 0


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
