"""`./pants load capacity`: measure what one task of a service carries."""

from __future__ import annotations

import argparse
from pathlib import Path

from contracts.services import SERVICES
from infra.scaling.policy import Task
from loadtests import profile
from loadtests.arguments import whole
from loadtests.capacity.measuring import WITHIN_S, Measuring
from loadtests.capacity.probe import Pace
from loadtests.checkout import Checkout

_COUNT = whole(2, 3600)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    capacity = commands.add_parser("capacity", help="measure what one task of a service carries")
    capacity.add_argument("--service", required=True, choices=SERVICES)
    capacity.add_argument(
        "--task", type=_task, metavar="CPU/MIB", help="its size, as 512/1024 (that of its scaling file)"
    )
    capacity.add_argument(
        "--repetitions", type=_COUNT, default=Pace.repetitions, help="at least 2 (%(default)d)"
    )
    capacity.add_argument("--seconds", type=_COUNT, default=Pace.seconds, help="of each rate (%(default)d)")
    capacity.add_argument(
        "--within", type=_COUNT, default=WITHIN_S, metavar="SECONDS", help="else give up (%(default)d)"
    )
    capacity.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where SERVICE.toml goes (loadtests/profiles)"
    )
    capacity.set_defaults(run=run)


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


def _task(text: str) -> Task:
    cpu, _, memory = text.partition("/")
    try:
        return Task(cpu=int(cpu), memory_mib=int(memory))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no size of a task: {error}") from None
