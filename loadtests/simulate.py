"""`./pants load simulate`: replays hard days with the derived policy, the one set by hand, and an oracle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.prices import price_list
from loadtests import comparison, plots, shapes
from loadtests.checkout import Checkout
from loadtests.comparison import Replay
from loadtests.shapes import Shape

DAYS = ("steady", "steps", "spike", "flash sale", "diurnal week")


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
        "--seed", type=int, default=1, help="of what differs from minute to minute (%(default)s)"
    )
    simulate.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write the table and a plot of each there"
    )
    simulate.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay, print and plot; returns the exit status."""
    checkout = Checkout(arguments.root)
    days = _days(arguments, checkout)
    replays = []
    for service in checkout.chosen(arguments.services):
        derivation, derived = checkout.derivation(service), checkout.derived(service)
        by_hand = checkout.by_hand(service)
        replays += [comparison.replay(derivation, derived, by_hand, shape) for shape in days]
    said = comparison.table(replays, price_list()) + "\n" + comparison.verdict(replays, price_list())
    sys.stdout.write(said)
    if arguments.output:
        _write(arguments.output, said, replays)
    return 0


def _days(arguments: argparse.Namespace, checkout: Checkout) -> Sequence[Shape]:
    if arguments.csv:
        return [Shape(arguments.csv.stem, shapes.replay(arguments.csv))]
    days = shapes.days_of(checkout.forecast, arguments.seed)
    return [shape for shape in days if not arguments.shape or shape.name in arguments.shape]


def _write(folder: Path, said: str, replays: Sequence[Replay]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for replay in replays:
        name = f"{replay.service}-{replay.shape.name.replace(' ', '-')}.svg"
        plots.draw(replay, folder / name)
        pictures.append(f"![{replay.service}: {replay.shape.name}]({name})\n")
    (folder / "comparison.md").write_text("\n".join([said, *pictures]), "utf-8")
    sys.stdout.write(f"wrote {folder}\n")
