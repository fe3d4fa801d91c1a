"""`./pants release`: what has changed since the last release, its next version, and the release itself."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from release import applying, content, deployment, graph, images, publishing
from release.graph import Graph
from release.plan import Planned, bumps, plan
from release.repository import Repository
from release.thing import THINGS, Thing, named
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


def _publish(arguments: argparse.Namespace) -> int:
    repository = Repository(arguments.root)
    chosen, refused = publishing.released(_planned(arguments, repository), arguments.names)
    for why in refused.values():
        _say(why)
    there = images.of(arguments.root)
    if arguments.dry_run:
        for name, version in chosen.items():
            _say(f"{name} {version} would go to {there.name(name, version)}, unless it is there")
        return 0
    build = partial(_build, arguments.root)
    for each in publishing.publish(repository, there, chosen, build, named_ones=bool(arguments.names)):
        _say(str(each))
    return 0


def _deploy(arguments: argparse.Namespace) -> int:
    chosen, refused = publishing.released(_planned(arguments, Repository(arguments.root)), arguments.names)
    for why in refused.values():
        _say(why)
    digests = deployment.digests(images.of(arguments.root), chosen)
    status = 0
    for name, version in chosen.items():
        steps = deployment.steps(name, version, arguments.to, digests[name], arguments.context)
        # A service that may not go, or does not come up, keeps no other from going.
        status = max(status, _in_turn(arguments, steps))
    return status


def _content(arguments: argparse.Namespace) -> int:
    chosen = [_service(name) for name in arguments.names] or [each for each in THINGS if each.is_service]
    known = _graph(arguments)
    for each in chosen:
        _say(f"{each.name} {content.digest(each, known, arguments.root)}")
    return 0


def _service(name: str) -> Thing:
    thing = named(name)
    if not thing.is_service:
        raise ReleaseError(f"{name} is not packaged as an image: only services are")
    return thing


def _in_turn(arguments: argparse.Namespace, steps: Sequence[deployment.Step]) -> int:
    for step in steps:
        _say(" ".join(step.words))
        if not arguments.dry_run and _called(arguments.root, *step.words):
            sys.stderr.write(f"{step.service} was not deployed, or not recorded: {step.words[0]} says why\n")
            return 1
    return 0


def _build(root: Path, service: str) -> None:
    if _called(root, "./pants", "package", f"src/python/services/{service}:image"):
        raise ReleaseError(f"the image of {service} cannot be built; ./pants package says why")


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
    return _called(root, "./pants", "contracts", *arguments)


def _called(root: Path, *words: str) -> int:
    """The status of a command at the root of the checkout; it speaks for itself."""
    sys.stdout.flush()
    try:
        return subprocess.run(words, cwd=root, check=False).returncode
    except OSError as error:
        raise ReleaseError(f"{words[0]} cannot be run in {root}: {error.strerror}") from error


def _planned(arguments: argparse.Namespace, repository: Repository) -> dict[str, Planned]:
    return plan(_graph(arguments), repository)


def _graph(arguments: argparse.Namespace) -> Graph:
    if arguments.graph is None:
        return graph.ask(arguments.root)
    try:
        return graph.read(arguments.graph.read_text(encoding="utf-8"), str(arguments.graph))
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
        ("publish", "push the images of services that were released", _publish),
        ("deploy", "bring services that are published into an environment", _deploy),
        (
            "content",
            "say a hash of what is packaged of each service, which changes with that alone",
            _content,
        ),
    ):
        command = commands.add_parser(name, help=what, description=what)
        command.set_defaults(run=run, root=Path(os.environ.get("MERCATO_ROOT", ".")).absolute())
        if name == "check":
            command.add_argument("name", metavar="NAME", help="of a service")
        elif name in ("publish", "deploy", "content"):
            _add_services(command)
        else:
            _add_choice(command)
        if name in ("apply", "check", "deploy"):
            command.add_argument("--to", required=name != "apply", metavar="ENV", help="such as staging")
        if name in ("publish", "deploy"):
            command.add_argument(
                "--dry-run", action="store_true", help="say what would be done, and do it not"
            )
        if name == "deploy":
            command.add_argument(
                "-c",
                "--context",
                action="append",
                default=[],
                metavar="KEY=VALUE",
                help="handed on to cdk deploy",
            )
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
    _add_graph(command)


def _add_services(command: argparse.ArgumentParser) -> None:
    command.add_argument("names", nargs="*", metavar="NAME", help="of services; all of them unless given")
    _add_graph(command)


def _add_graph(command: argparse.ArgumentParser) -> None:
    command.add_argument("--graph", type=Path, metavar="FILE", help="what ./pants peek said, not asked anew")


if __name__ == "__main__":
    sys.exit(main())
