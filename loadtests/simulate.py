"""`./pants load simulate`: replays hard days with the derived policy, the one set by hand, and an oracle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.prices import price_list
from loadtests import comparison, plots, replicas, shapes
from loadtests.checkout import Checkout
from loadtests.comparison import Replay
from loadtests.replicas import RealRuns
from loadtests.shapes import Shape

DAYS = ("steady", "steps", "spike", "flash sale", "diurnal week")
PAGE = "comparison.md"
_SEED = 1
_HEAD = """<!-- By ./pants load simulate --output docs/scaling. A change by hand is lost and fails a test. -->
# Derived policies beside those set by hand, on hard days

What each part of the simulator does, what it leaves out, and what the words mean: [scaling](../scaling.md).
"""
_REAL = """
## How far the simulator is from the shop

Real runs of one, two and three replicas at rising rates (`./pants load replicas`), beside what it makes of
the same rates. An error is above 0 where the simulator says more. p95 is of all requests: over the whole run
up to what was carried, and at each of its rates. What was seen is the median of the repetitions.

"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    simulate = commands.add_parser(
        "simulate", help="replay hard days with the derived policy, the one set by hand, and an oracle"
    )
    simulate.add_argument("services", nargs="*", metavar="SERVICE", help="(all that have a profile)")
    simulate.add_argument(
        "--shape", choices=DAYS, action="append", help="only this load; may be repeated (all)"
    )
    simulate.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="replay orders a second from Monday, 00:00, on instead: columns second,rate",
    )
    simulate.add_argument(
        "--seed", type=int, default=_SEED, help="of what differs from minute to minute (%(default)s)"
    )
    simulate.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write the table and a plot of each there"
    )
    simulate.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay, print and plot; returns the exit status."""
    checkout = Checkout(arguments.root)
    days = _days(arguments, checkout)
    said, replays, real = _played(checkout, checkout.chosen(arguments.services), days)
    sys.stdout.write(said)
    if arguments.output:
        _write(arguments.output, checkout, said, replays, real)
    return 0


def page(checkout: Checkout) -> str:
    """What `--output` writes of all that has a profile, but for the pictures."""
    return _page(*_played(checkout, checkout.chosen(()), shapes.days_of(checkout.forecast, _SEED)))


def _played(
    checkout: Checkout, services: Sequence[str], days: Sequence[Shape]
) -> tuple[str, Sequence[Replay], Mapping[str, RealRuns]]:
    """What is said of the days, and of what it is said."""
    replays = [each for service in services for each in _replays(checkout, service, days)]
    real = {service: runs for service in services if (runs := checkout.real_runs(service))}
    return _said(checkout, replays, real), replays, real


def _replays(checkout: Checkout, service: str, days: Sequence[Shape]) -> Sequence[Replay]:
    derivation, derived = checkout.derivation(service), checkout.derived(service)
    by_hand = checkout.by_hand(service)
    return [comparison.replay(derivation, derived, by_hand, shape) for shape in days]


def _said(checkout: Checkout, replays: Sequence[Replay], real: Mapping[str, RealRuns]) -> str:
    said = comparison.table(replays, price_list()) + "\n" + comparison.verdict(replays, price_list())
    compared = {
        service: replicas.compare(runs, checkout.derivation(service).queueing)
        for service, runs in real.items()
    }
    return said + (_REAL + replicas.table(compared) if compared else "")


def _days(arguments: argparse.Namespace, checkout: Checkout) -> Sequence[Shape]:
    if arguments.csv:
        return [Shape(arguments.csv.stem, shapes.replay(arguments.csv))]
    days = shapes.days_of(checkout.forecast, arguments.seed)
    return [shape for shape in days if not arguments.shape or shape.name in arguments.shape]


def _write(
    folder: Path, checkout: Checkout, said: str, replays: Sequence[Replay], real: Mapping[str, RealRuns]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for replay in replays:
        plots.draw(replay, folder / _picture(replay))
    for service, runs in real.items():
        plots.draw_real(runs, checkout.derivation(service).queueing, folder / _picture_of(service))
    (folder / PAGE).write_text(_page(said, replays, real), "utf-8")
    sys.stdout.write(f"wrote {folder}\n")


def _page(said: str, replays: Sequence[Replay], real: Mapping[str, RealRuns]) -> str:
    names = {f"{each.service}, real runs": _picture_of(each.service) for each in real.values()}
    names |= {f"{each.service}: {each.shape.name}": _picture(each) for each in replays}
    pictures = [f"![{what}]({name})\n" for what, name in names.items()]
    return "\n".join([_HEAD, said, "## Pictures\n", *pictures])


def _picture(replay: Replay) -> str:
    return f"{replay.service}-{replay.shape.name.replace(' ', '-')}.svg"


def _picture_of(service: str) -> str:
    return f"{service}-real-runs.svg"
