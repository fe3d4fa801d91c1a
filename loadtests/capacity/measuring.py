"""What measurements of a service have in common: a shop of their own, held tasks, an end in time."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal

import psutil

from contracts.services import SERVICES
from infra.scaling.policy import Task
from loadtests import checkout as checkouts
from loadtests import content
from loadtests.arguments import whole
from loadtests.capacity.hold import hold
from loadtests.capacity.probe import Pace, Probe
from loadtests.capacity.stage import stage
from loadtests.checkout import Checkout
from loadtests.errors import LoadError
from loadtests.generator.ceiling import machine
from loadtests.profile import Measured

_COUNT = whole(2, 3600)
_LOOKS, _LOOK_S, _BUSY_PERCENT = 5, 1.0, 10


def add_arguments(parser: argparse.ArgumentParser, *, seconds: int, folder: str) -> None:
    """What each measurement may be told. Else a rate lasts `seconds`, and what is found goes to `folder`."""
    parser.add_argument("--service", required=True, choices=SERVICES)
    parser.add_argument(
        "--repetitions", type=_COUNT, default=Pace.repetitions, help="at least 2 (%(default)d)"
    )
    parser.add_argument("--seconds", type=_COUNT, default=seconds, help="of each rate (%(default)d)")
    parser.add_argument(
        "--within",
        type=_COUNT,
        default=600,
        metavar="SECONDS",
        help="give up where one shop is measured for longer (%(default)d)",
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"where SERVICE.toml goes ({folder})")


class Measuring:
    """What measurements of a service have in common. Raises LoadError where one cannot begin."""

    def __init__(self, checkout: Checkout, service: str, task: Task | None, within_s: int) -> None:
        self._checkout, self._service, self._within_s = checkout, service, within_s
        self._task = task or checkout.deployed(service).task
        self._content = content.packaged(checkout.root, [service])[service]
        self._commit = _commit(checkout)
        self._began = time.monotonic()
        others = _others_percent()
        if others > _BUSY_PERCENT:
            self.say(f"{others:.0f}% of the processors is taken by something else, which is measured with it")

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


def _others_percent() -> float:
    """What of the processors is taken; some looks are waited for what packaged the shop to come to rest."""
    taken = 0.0
    for _ in range(_LOOKS):
        look = psutil.cpu_times_percent(_LOOK_S)
        taken = look.user + look.nice + look.system
        if taken <= _BUSY_PERCENT:
            break
    return taken


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


def _commit(checkout: Checkout) -> str:
    found = checkouts.commit(checkout.root)
    if found is None:
        raise LoadError(f"{checkout.root} is no checkout of git: a profile says of which commit it is.")
    return found
