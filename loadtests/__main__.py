"""`./pants load`: what the shop carries, and how many tasks it needs for that."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from types import ModuleType

from loadtests.errors import LoadError

# Each adds its command by `add_to(commands)`, with a `run` that returns the exit status.
COMMANDS: tuple[ModuleType, ...] = ()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv`; returns the exit status: 0, 1 for an objective missed, 2 for misuse."""
    arguments = _parser().parse_args(argv)
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
