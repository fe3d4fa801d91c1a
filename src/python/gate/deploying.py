"""The broker's verbs: publish, verify, can-i-deploy, record-deployment; on files, or at a real broker."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

from backing.postgres import Postgres
from contracts.services import SERVICES
from gate import pacts
from gate.broker import URL_VARIABLE, Broker
from gate.deployments import Deployments
from gate.provider import PactError, Result, problems_of, replay, verify
from gate.registry import Documents, RegistryError
from gate.verification import PROVIDERS, database_server, on_stage

FOLDER = Path("src/python/contracts/deployments")


def add_to(commands: Any, root: Path) -> None:
    """Add the verbs to the sub-commands of a parser; `root` is the checkout."""
    for name, what, run in (
        ("publish", "publish what the services rely on, under their versions", _publish),
        ("verify", "verify providers against what is newest and what is deployed", _verify),
        ("can-i-deploy", "say whether a version may go into an environment", _can_i_deploy),
        ("record-deployment", "note that a version runs in an environment", _record_deployment),
    ):
        command = commands.add_parser(name, help=what, description=what)
        one = name in ("can-i-deploy", "record-deployment")
        command.add_argument(
            "--service",
            "--pacticipant",
            action="append",
            required=one,
            choices=SERVICES,
            help="such as order" if one else "such as order; all of them unless given",
        )
        command.add_argument("--version", required=one, help="the one in its VERSION unless given")
        if one:
            command.add_argument("--to", "--to-environment", "--environment", dest="to", required=True)
        if name == "can-i-deploy":
            command.add_argument(
                "--ignore", action="append", default=[], choices=SERVICES, help="who does not count"
            )
        command.add_argument("--deployments", type=Path, default=root / FOLDER, help="folder (%(default)s)")
        command.set_defaults(run=lambda arguments, verb=run: _run(verb, root, arguments))


class _Verb(Protocol):
    def __call__(self, session: _Session, service: str, version: str) -> int: ...


class _Session:
    """Where the verbs look: at the broker if one is named, else at files."""

    def __init__(self, arguments: argparse.Namespace, stack: ExitStack) -> None:
        url = os.environ.get(URL_VARIABLE)
        self.broker = Broker(url) if url else None
        self.deployments = Deployments(arguments.deployments)
        self.arguments = arguments
        self._stack = stack

    @cached_property
    def server(self) -> Postgres:
        """One for all providers, started for the first."""
        return self._stack.enter_context(database_server())


def _run(verb: _Verb, root: Path, arguments: argparse.Namespace) -> int:
    services = arguments.service or SERVICES
    versions = {each: arguments.version or _version_of(root, each) for each in services}
    with ExitStack() as stack:
        session = _Session(arguments, stack)
        return max([verb(session, service, version) for service, version in versions.items()])


def _version_of(root: Path, service: str) -> str:
    path = root / "src/python/services" / service / "VERSION"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error}; name a version with --version") from error


def _publish(session: _Session, service: str, version: str) -> int:
    relied_on: Documents = {
        each.provider: each.document() for each in pacts.CONTRACTS if each.consumer == service
    }
    if session.broker is not None:
        return session.broker.publish(service, version, relied_on)
    session.deployments.publish(service, version, relied_on)
    _say(f"{service} {version} relies on {', '.join(sorted(relied_on)) or 'nobody'}: published.")
    return 0


def _verify(session: _Session, service: str, version: str) -> int:
    if service not in PROVIDERS:
        _say(f"{service} {version} provides nothing that others rely on.")
        return 0
    if session.broker is None:
        return _verify_files(session, service, version)
    prepare = partial(session.broker.prepare, version=version)
    results = on_stage(service, session.server, lambda stage: replay(service, stage, prepare))
    return _report(service, version, "the broker's pacts", results)


def _verify_files(session: _Session, service: str, version: str) -> int:
    relied_on = session.deployments.pacts_of(service)
    if not relied_on:
        raise RegistryError(f"nobody published what they rely on of {service}: ./pants contracts publish")
    status = 0
    for pact in relied_on:
        try:
            results = on_stage(service, session.server, partial(verify, service, pact=pact))
        except PactError as error:
            raise RegistryError(f"{error}: publish it again") from error
        session.deployments.record_verification(service, version, pact, problems_of(results))
        status = max(status, _report(service, version, pact["consumer"]["name"], results))
    return status


def _report(service: str, version: str, relied_on_by: str, results: Sequence[Result]) -> int:
    problems = problems_of(results)
    kept = len([each for each in results if not each.problems])
    _say(f"{service} {version} for {relied_on_by}: {kept} of {len(results)} interactions are kept.")
    for problem in problems:
        _say(f"  {problem}")
    return 1 if problems or not results else 0


def _can_i_deploy(session: _Session, service: str, version: str) -> int:
    to, ignored = session.arguments.to, session.arguments.ignore
    if session.broker is not None:
        return session.broker.can_i_deploy(service, version, to, ignored)
    pairs = [
        pair
        for pair in session.deployments.pairs(service, version, to)
        if not {pair.consumer, pair.provider} & set(ignored)
    ]
    for pair in pairs:
        _say(str(pair))
    unsafe = [pair for pair in pairs if pair.problem]
    if unsafe:
        _say(f"Computer says no: {service} {version} may not go to {to}.")
        return 1
    _say(f"Computer says yes: {service} {version} meets {len(pairs)} verified pairs in {to}.")
    return 0


def _record_deployment(session: _Session, service: str, version: str) -> int:
    to = session.arguments.to
    if session.broker is not None:
        return session.broker.record_deployment(service, version, to)
    session.deployments.record_deployment(service, version, to)
    _say(f"{service} {version} runs in {to}.")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
