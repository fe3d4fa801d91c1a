"""`./pants load`: what the shop carries, and how many tasks it needs for that."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from loadtests import derive, simulate, staleness
from loadtests.capacity import command as capacity
from loadtests.capacity import replicas_command as replicas
from loadtests.checkout import ROOT
from loadtests.errors import LoadError
from loadtests.generator import command as generator

# Each adds its command by `add_to(commands)`, with a `run` that returns the exit status. Of what it is given,
# `root` is the checkout.
COMMANDS: tuple[ModuleType, ...] = (generator, capacity, replicas, staleness, derive, simulate)


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the command in `argv` on the checkout `root`; returns the exit status.

    It is 0, 1 where something is not as it should be, such as an objective that is missed, and 2 for misuse.
    """
    arguments = _parser().parse_args(argv, argparse.Namespace(root=root))
    try:
        status: int = arguments.run(arguments)
    except LoadError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pants load", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for module in COMMANDS:
        module.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
