"""`./pants contracts`: writes the registry, and says what stands against a change of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gate.registry import Difference, Registry, RegistryError, event_schemas, refusals, staleness

REGISTRY = Path("src/python/contracts/registry")

_WAY_OUT = (
    "Keep what was released and add to it, or publish a new major version beside the old: "
    "docs/contracts.md says how."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv`; returns the exit status of the process."""
    arguments = _parser().parse_args(argv)
    registry = Registry(arguments.registry)
    commands = {"write": _write, "check": _check, "release": _release}
    try:
        if not registry.folder.is_dir():
            raise RegistryError(f"there is no registry in {registry.folder}; name one with --registry")
        if arguments.command == "retire":
            return _retire(registry, arguments.event)
        return commands[arguments.command](registry)
    except RegistryError as error:
        return _refuse([str(error)])


def _write(registry: Registry) -> int:
    schemas = event_schemas()
    found = registry.publish(schemas)
    if found:
        return _refuse([*_lines(found), f"Nothing was written. {_WAY_OUT}"])
    _say(f"{len(schemas)} event schemas are published.")
    return 0


def _check(registry: Registry) -> int:
    schemas = event_schemas()
    broken = refusals(registry.released(), schemas)
    stale = staleness(registry.published(), schemas)
    if broken:
        return _refuse([*_lines(broken), _WAY_OUT])
    if stale:
        return _refuse([*_lines(stale), "Run ./pants contracts write, and review what it changes."])
    _say(f"{len(schemas)} event schemas are published as their models are, and break nobody.")
    return 0


def _release(registry: Registry) -> int:
    status = _check(registry)
    if status == 0:
        registry.release()
        _say("They are what the next change must keep.")
    return status


def _retire(registry: Registry, event: str) -> int:
    registry.retire(event)
    _say(f"{event} binds nobody any more: take it out of the topology, then ./pants contracts write.")
    return 0


def _lines(found: Sequence[Difference]) -> list[str]:
    return [str(difference) for difference in found]


def _refuse(lines: Sequence[str]) -> int:
    sys.stderr.write("\n".join(lines) + "\n")
    return 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pants contracts", description=__doc__)
    root = Path(os.environ.get("MERCATO_ROOT", "."))
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in {
        "write": "publish the events as their models are",
        "check": "say whether they are published so, and break nobody",
        "release": "from now on, what is published is what a change must keep",
        "retire": "let an event go that nobody deployed reads any more",
    }.items():
        command = commands.add_parser(name, help=what, description=what)
        if name == "retire":
            command.add_argument("event", help="for example mercato.ORDER_CREATED.v1")
        command.add_argument(
            "--registry", type=Path, default=root / REGISTRY, help="its folder (%(default)s)"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
