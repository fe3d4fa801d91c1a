"""`./pants load capacity`: measure what one task of a service carries."""

from __future__ import annotations

import argparse
from pathlib import Path

from infra.scaling.policy import Task
from loadtests import profile
from loadtests.capacity.measuring import Measuring, add_arguments
from loadtests.capacity.probe import Pace
from loadtests.checkout import Checkout


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    capacity = commands.add_parser("capacity", help="measure what one task of a service carries")
    add_arguments(capacity, seconds=Pace.seconds, folder="loadtests/profiles")
    capacity.add_argument(
        "--task", type=_task, metavar="CPU/MIB", help="its size, as 512/1024 (that of its scaling file)"
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
