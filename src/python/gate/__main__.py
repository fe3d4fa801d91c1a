"""`./pants contracts`: what services promise each other, what would break it, and what may be deployed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gate import asyncapi, deploying, events, mutants, openapi, pacts
from gate.mutants import MutantError
from gate.page import page
from gate.registry import Documents, Registry, RegistryError

KINDS = (events.KIND, openapi.KIND, asyncapi.KIND, pacts.KIND)
REGISTRY = Path("src/python/contracts/registry")
PAGE = Path("dist/asyncapi.html")
MUTANTS = Path("docs/mutants.md")

_WAY_OUT = (
    "Keep what was released and add to it, or offer the new beside the old: docs/contracts.md says how."
)
_BLIND = "A gate is wrong about these: mend it, or the mutation if it is not what it says."
_MEND = "Such a document is not published: mend what builds it, src/python/gate/asyncapi.py."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv`; returns the exit status of the process."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except (RegistryError, MutantError) as error:
        return _refuse([str(error)])
    return status


@dataclass(frozen=True)
class _Part:
    registry: Registry
    documents: Documents


def _with_parts(command: Callable[[Sequence[_Part]], int], arguments: argparse.Namespace) -> int:
    """Run `command` on each kind of document, as the code has it; not where one of them is not valid."""
    folder = _existing(arguments.registry)
    parts = [_Part(Registry(folder, kind), kind.current()) for kind in KINDS]
    faults = [str(each) for part in parts for each in part.registry.faults(part.documents)]
    return _refuse([*faults, _MEND]) if faults else command(parts)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise RegistryError(f"there is no registry in {folder}; name one with --registry")
    return folder


def _write(parts: Sequence[_Part]) -> int:
    found = _refusals(parts)
    if found:
        return _refuse([*found, f"Nothing was written. {_WAY_OUT}"])
    for part in parts:
        part.registry.publish(part.documents)
    _say(f"{_count(parts)} are published.")
    return 0


def _check(parts: Sequence[_Part]) -> int:
    broken = _refusals(parts)
    if broken:
        return _refuse([*broken, _WAY_OUT])
    stale = [str(each) for part in parts for each in part.registry.staleness(part.documents)]
    if stale:
        return _refuse([*stale, "Run ./pants contracts write, and review what it changes."])
    _say(f"{_count(parts)} are published as the code has them, and break nobody.")
    return 0


def _release(parts: Sequence[_Part]) -> int:
    status = _check(parts)
    if status == 0:
        for part in parts:
            part.registry.release()
        _say("They are what the next change must keep.")
    return status


def _retire(arguments: argparse.Namespace) -> int:
    name, folder = arguments.name, _existing(arguments.registry)
    registries = [Registry(folder, kind) for kind in KINDS]
    # From each of them: an event has a schema, and a place in the topology.
    retired = [registry.retire(name) for registry in registries]
    if not any(retired):
        known = ", ".join(known for registry in registries for known in registry.retirable())
        return _refuse([f"{name} was not released; these were: {known}"])
    _say(f"{name} binds nobody any more: take it out of the code, then ./pants contracts write.")
    return 0


def _page(arguments: argparse.Namespace) -> int:
    to: Path = arguments.to
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(page(asyncapi.document()), encoding="utf-8")
    except OSError as error:
        return _refuse([f"{to} cannot be written: {error.strerror}; name another file with --to"])
    _say(f"{to} shows the events; it opens in a browser, without a network.")
    return 0


def _mutants(arguments: argparse.Namespace) -> int:
    some = mutants.chosen(arguments.only)
    if not arguments.sources.is_dir():
        raise MutantError(f"there are no sources in {arguments.sources}; name their folder with --sources")
    results = mutants.run(some, arguments.sources, jobs=arguments.jobs, tell=_say)
    if not arguments.only:
        arguments.report.write_text(mutants.report(results), encoding="utf-8")
    _say(mutants.total(results))
    wrong = [str(result) for result in results if not result.is_right]
    return _refuse([*wrong, _BLIND]) if wrong else 0


def _refusals(parts: Sequence[_Part]) -> list[str]:
    return [str(each) for part in parts for each in part.registry.refusals(part.documents)]


def _count(parts: Sequence[_Part]) -> str:
    return f"{sum(len(part.documents) for part in parts)} documents"


def _refuse(lines: Sequence[str]) -> int:
    sys.stderr.write("\n".join(lines) + "\n")
    return 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pants contracts", description=__doc__)
    root = Path(os.environ.get("MERCATO_ROOT", "."))
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what, run, add in (
        (
            "write",
            "publish events and routes as the code has them",
            partial(_with_parts, _write),
            _add_registry,
        ),
        (
            "check",
            "say whether they are published so, and break nobody",
            partial(_with_parts, _check),
            _add_registry,
        ),
        (
            "release",
            "let what is published be what a change must keep",
            partial(_with_parts, _release),
            _add_registry,
        ),
        ("retire", "let go what nobody deployed relies on any more", _retire, _add_retired),
        ("mutants", "change the code in many ways, and say which the gates catch", _mutants, _add_mutants),
        ("page", "show topics, queues and events as one HTML page", _page, _add_page),
    ):
        command = commands.add_parser(name, help=what, description=what)
        add(command, root)
        command.set_defaults(run=run)
    deploying.add_to(commands, root)
    return parser


def _add_registry(command: argparse.ArgumentParser, root: Path) -> None:
    command.add_argument("--registry", type=Path, default=root / REGISTRY, help="its folder (%(default)s)")


def _add_retired(command: argparse.ArgumentParser, root: Path) -> None:
    command.add_argument("name", help="for example mercato.ORDER_CREATED.v1, or the name of a queue")
    _add_registry(command, root)


def _add_page(command: argparse.ArgumentParser, root: Path) -> None:
    command.add_argument("--to", type=Path, default=root / PAGE, help="the file (%(default)s)")


def _add_mutants(command: argparse.ArgumentParser, root: Path) -> None:
    command.add_argument("--only", nargs="+", default=(), metavar="NAME", help="these, without a report")
    command.add_argument("--jobs", type=int, default=4, help="so many at a time (%(default)s)")
    command.add_argument("--sources", type=Path, default=root / "src/python", help="of what (%(default)s)")
    command.add_argument("--report", type=Path, default=root / MUTANTS, help="the file (%(default)s)")


if __name__ == "__main__":
    sys.exit(main())
