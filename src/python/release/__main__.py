"""`./pants release`: what has changed since the last release, its next version, and the release itself."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from release import applying, graph
from release.plan import Planned, bumps, plan
from release.repository import Repository
from release.thing import THINGS, named
from release.version import ReleaseError, Version


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv`; returns the exit status of the process."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return status


def _plan(arguments: argparse.Namespace) -> int:
    planned = _planned(arguments, Repository(arguments.root))
    asked = bumps(arguments.bump, planned)
    for name in arguments.names or planned:
        found = planned[named(name).name]
        if name in asked:
            found.version(asked[name])  # refuses what is too small
        _say(str(found))
        if name in asked:
            _say(f"  as asked: {found.version(asked[name])} ({asked[name]})")
    return 0


def _apply(arguments: argparse.Namespace) -> int:
    repository = Repository(arguments.root)
    for name in arguments.names:
        named(name)
    planned = _planned(arguments, repository)
    chosen = applying.versions(planned, arguments.names, bumps(arguments.bump, planned))
    applying.check(repository, chosen)
    if arguments.to:
        status = _may_go(arguments, chosen)
        if status:
            return status
    judge = partial(_contracts, arguments.root, "check")
    status = applying.apply(repository, planned, chosen, judge)
    if status == 0:
        _say(f"{applying.message(chosen)}: committed and tagged. git push --follow-tags makes it known.")
    return status


def _check(arguments: argparse.Namespace) -> int:
    planned = named(arguments.name)
    text = Repository(arguments.root).checkout.read(planned.version_file) or ""
    if not planned.is_service:
        raise ReleaseError(f"{planned.name} meets nobody in an environment: only services are asked for")
    return _deployable(arguments, planned.name, text.strip())


def _may_go(arguments: argparse.Namespace, chosen: Mapping[str, Version]) -> int:
    services = {name: version for name, version in chosen.items() if named(name).is_service}
    return max((_deployable(arguments, name, str(it)) for name, it in services.items()), default=0)


def _deployable(arguments: argparse.Namespace, name: str, version: str) -> int:
    question = ("--service", name, "--version", version, "--to", arguments.to)
    return _contracts(arguments.root, "can-i-deploy", *question)


def _contracts(root: Path, *arguments: str) -> int:
    """The status of `./pants contracts`, which says why.

    It has all services in it, and is another after each edit of one: a plan does without.
    """
    sys.stdout.flush()
    try:
        return subprocess.run([root / "pants", "contracts", *arguments], cwd=root, check=False).returncode
    except OSError as error:
        raise ReleaseError(f"{root}/pants contracts cannot be asked: {error}") from error


def _planned(arguments: argparse.Namespace, repository: Repository) -> dict[str, Planned]:
    if arguments.graph is None:
        return plan(graph.ask(arguments.root), repository)
    try:
        return plan(graph.read(arguments.graph.read_text(encoding="utf-8"), str(arguments.graph)), repository)
    except OSError as error:
        raise ReleaseError(
            f"{arguments.graph} cannot be read: {error.strerror}; name another with --graph"
        ) from error


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pants release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what, run in (
        ("plan", "say what has changed, and the smallest honest version of each", _plan),
        ("apply", "write versions and changelogs, commit and tag them", _apply),
        ("check", "say whether a service, as it stands, may go into an environment", _check),
    ):
        command = commands.add_parser(name, help=what, description=what)
        command.set_defaults(run=run, root=Path(os.environ.get("MERCATO_ROOT", ".")).absolute())
        if name == "check":
            command.add_argument("name", metavar="NAME", help="of a service")
        else:
            _add_choice(command)
        if name != "plan":
            command.add_argument("--to", required=name == "check", metavar="ENV", help="such as staging")
    return parser


def _add_choice(command: argparse.ArgumentParser) -> None:
    known = ", ".join(each.name for each in THINGS)
    command.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {known}; all that changed unless given"
    )
    command.add_argument(
        "--bump",
        action="append",
        default=[],
        metavar="NAME=BUMP",
        help="patch, minor or major; not too small",
    )
    command.add_argument("--graph", type=Path, metavar="FILE", help="what ./pants peek said, not asked anew")


if __name__ == "__main__":
    sys.exit(main())
