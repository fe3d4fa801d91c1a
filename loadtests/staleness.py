"""`./pants load profiles`: which services were measured, and whether they are still what was measured."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.services import SERVICES
from loadtests import content, profile
from loadtests.checkout import Checkout
from loadtests.errors import LoadError
from loadtests.profile import Measured

Packaged = Callable[[Path, Sequence[str]], Mapping[str, str]]


@dataclass(frozen=True)
class Standing:
    """What is known of a service: how it was `measured`, if it was, and what is `packaged` of it now."""

    service: str
    measured: Measured | None = None
    packaged: str | None = None

    @property
    def is_stale(self) -> bool:
        """Whether something else was measured than what is packaged now."""
        return self.measured is not None and self.measured.content != self.packaged

    def __str__(self) -> str:
        if self.measured is None:
            return f"is missing: ./pants load capacity --service {self.service} measures it"
        was = (
            f"measured at {self.measured.at.isoformat(' ', 'minutes')}, of commit {self.measured.commit[:12]}"
        )
        if not self.is_stale:
            return f"{was}; what is packaged is the same"
        return f"stale: {was}; something else is packaged now"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    profiles = commands.add_parser(
        "profiles", help="say which services were measured, and whether they are still what was measured"
    )
    profiles.add_argument("services", nargs="*", metavar="SERVICE", help=f"(all: {', '.join(SERVICES)})")
    profiles.add_argument("--check", action="store_true", help="fail if a profile is stale or missing")
    profiles.set_defaults(run=run)


def run(arguments: argparse.Namespace, packaged: Packaged = content.packaged) -> int:
    """Print a line for each service; returns the exit status. `packaged` says what is packaged of them."""
    checkout = Checkout(arguments.root)
    found = standings(checkout, arguments.services or SERVICES, packaged)
    for each in found:
        sys.stdout.write(f"{each.service:<14}{each}\n")
        if each.is_stale and os.environ.get("GITHUB_ACTIONS") == "true":
            sys.stdout.write(_annotation(each, checkout))
    passed = all(each.measured and not each.is_stale for each in found)
    return 1 if arguments.check and not passed else 0


def standings(checkout: Checkout, services: Sequence[str], packaged: Packaged) -> Sequence[Standing]:
    """How it stands with `services`. Raises LoadError."""
    for service in services:
        if service not in SERVICES:
            raise LoadError(f"there is no service {service}: there are {', '.join(SERVICES)}.")
    there = [service for service in services if profile.path_of(service, checkout.profiles).exists()]
    measured = {service: checkout.profile(service).measured for service in there}
    # What nobody measured need not be looked at, which takes seconds.
    now = packaged(checkout.root, there) if there else {}
    return [Standing(service, measured.get(service), now.get(service)) for service in services]


def _annotation(standing: Standing, checkout: Checkout) -> str:
    """What GitHub shows beside the file."""
    path = profile.path_of(standing.service, checkout.profiles).relative_to(checkout.root)
    return (
        f"::warning file={path.as_posix()}::{standing.service} is {standing}: "
        f"./pants load capacity --service {standing.service} measures it anew\n"
    )
