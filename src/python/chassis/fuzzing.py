"""Fuzzing of a running service by schemathesis: every operation of its document, every check, as one caller.

What schemathesis has to know of the shop, and which of its findings are none, is in `fuzzing_hooks`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PHASES = ("examples", "coverage", "fuzzing", "stateful")
JUNIT, HTML = "junit.xml", "html"

_HOOKS = "chassis.fuzzing_hooks"
_REPORT = "report.json"


class FuzzingError(Exception):
    """schemathesis could not do its work; the message is what it said."""


@dataclass(frozen=True)
class Caller:
    """Who sends the requests, and another, to whom none of their things may be shown."""

    name: str
    token: str | None = None
    other_token: str | None = None


NOBODY = Caller("nobody")


@dataclass(frozen=True)
class Plan:
    """What is sent, where and by whom."""

    url: str
    openapi_path: str
    caller: Caller
    seed: int
    max_examples: int  # of each operation, in the phases that draw them
    # Ids of things that exist, by the parameter that names them: "body.address_id".
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    exclude: str | None = None  # paths, as a regular expression
    rate_limit: str | None = None  # such as "100/s"


@dataclass(frozen=True)
class Verdict:
    """What came of it. `output` tells each failure in full, with the request that shows it."""

    cases: int
    tested: int
    untested: int
    failures: tuple[str, ...]
    output: str


def fuzz(plan: Plan, directory: Path) -> Verdict:
    """Do what `plan` says, and leave the reports in `directory`. Raises FuzzingError if it cannot be done."""
    directory.mkdir(parents=True, exist_ok=True)
    report = directory / _REPORT
    report.unlink(missing_ok=True)
    config = directory / "schemathesis.toml"
    config.write_text("\n".join(_configuration(plan, directory)))
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", f"--config-file={config}", *_arguments(plan, directory)],
        cwd=directory,  # Hypothesis leaves a folder where it runs
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode(errors="replace")
    # 1: a check failed. Whatever else is no verdict.
    if done.returncode not in (0, 1) or not report.exists():
        raise FuzzingError(output)
    return _verdict(json.loads(report.read_text()), output)


def _arguments(plan: Plan, directory: Path) -> Iterator[str]:
    yield from ("run", f"{plan.url}{plan.openapi_path}", f"--url={plan.url}")
    yield from (f"--phases={','.join(PHASES)}", "--checks=all", "--continue-on-failure", "--no-color")
    yield from (f"--seed={plan.seed}", f"--max-examples={plan.max_examples}", "--generation-database=none")
    yield from ("--report=json,junit,html", f"--report-json-path={directory / _REPORT}")
    yield from (f"--report-junit-path={directory / JUNIT}", f"--report-html-path={directory / HTML}")
    if plan.exclude is not None:
        yield f"--exclude-path-regex={plan.exclude}"
    if plan.rate_limit is not None:
        yield f"--rate-limit={plan.rate_limit}"


def _environment() -> dict[str, str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "SCHEMATHESIS_HOOKS": _HOOKS}


def _configuration(plan: Plan, directory: Path) -> Iterator[str]:
    """The lines of schemathesis.toml: what has no option of the command line. Its strings are as JSON's."""
    yield from ("[cache]", "enabled = false", "[auth]", "auto-signup = false")
    if plan.caller.token is not None:
        accounts = directory / "accounts.json"
        names = _write_accounts(accounts, plan.caller)
        yield from ("[auth.wfc]", f"path = {json.dumps(str(accounts))}", f'user = "{names[0]}"')
        if len(names) > 1:
            yield f"peers = {json.dumps(names)}"
    yield "[headers]"
    for name, value in plan.headers.items():
        yield f"{json.dumps(name)} = {json.dumps(value)}"
    for number, (parameter, values) in enumerate(plan.known.items()):
        yield from (f"[dictionaries.known-{number}]", f"values = {json.dumps(list(values))}")
        yield from (f"[parameters.{json.dumps(parameter)}]", f'dictionary = "known-{number}"')
        yield "probability = 0.5"


def _write_accounts(path: Path, caller: Caller) -> list[str]:
    """Write who signs in how, in the form of Web Fuzzing Commons, and return the names."""
    tokens = {"caller": caller.token, "other": caller.other_token}
    known = {name: token for name, token in tokens.items() if token is not None}
    entries = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}
        for name, token in known.items()
    ]
    path.write_text(json.dumps({"auth": entries}))
    return list(known)


def _verdict(report: dict[str, Any], output: str) -> Verdict:
    operations = report["operations"]
    failures = [f"{each['title']}: {', '.join(each['operations'])}" for each in report["failures"]]
    errors = [each["title"] for each in report["errors"]]
    return Verdict(
        cases=report["test_cases"]["generated"],
        tested=operations["tested"],
        untested=operations["selected"] - operations["tested"],
        failures=(*failures, *errors),
        output=output,
    )
