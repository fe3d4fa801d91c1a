"""`./pants contracts mutants`: do the gates catch what breaks somebody, and let pass what breaks nobody?

Each mutation is made in a copy of the sources, one at a time, and the gates judge that copy in a process of
its own.
"""

from __future__ import annotations

import compileall
import json
import os
import py_compile
import queue
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backing.broker import aws_environment
from backing.postgres import Postgres
from gate.judge import Verdict
from gate.mutations import BREAKING, COMPATIBLE, Mutation
from gate.verification import database_server

GATES = {
    "schema": "the schemas of the events, against those released",
    "topology": "topics, queues and subscriptions, against those released",
    "routes": "the OpenAPI documents, against those released",
    "pact": "the pacts of the consumers, against the running provider and its outbox",
}
_REGISTRY = Path("contracts/registry")
_WITHIN_S = 180
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*_cache")


class MutantError(Exception):
    """A mutation cannot be tried; the message says why and what to do."""


@dataclass(frozen=True)
class Result:
    """What the gates said of a mutation; where there is a `fault` they could not judge it."""

    mutation: Mutation
    verdict: Verdict
    fault: str = ""

    @property
    def caught_by(self) -> tuple[str, ...]:
        """The gates that refuse it."""
        return tuple(gate for gate in GATES if self.verdict.get(gate))

    @property
    def is_right(self) -> bool:
        """Whether the gates judged as they should."""
        return not self.fault and bool(self.caught_by) == (self.mutation in BREAKING)

    def __str__(self) -> str:
        said = self.fault or (f"caught by {', '.join(self.caught_by)}" if self.caught_by else "passes")
        return f"{'ok   ' if self.is_right else 'WRONG'} {self.mutation.name}: {said}"


class Laboratory:
    """Copies of the sources in which mutations are tried, and a server for the databases they need."""

    def __init__(self, sources: Path, folder: Path, server: Postgres, *, copies: int) -> None:
        """`sources` is the folder that the packages are in; so many mutations are tried at a time."""
        self._server = server
        self._free: queue.SimpleQueue[Path] = queue.SimpleQueue()
        compiled = _compiled(sources, folder / "sources")
        for number in range(copies):
            self._free.put(shutil.copytree(compiled, folder / f"copy-{number}"))

    def try_out(self, mutation: Mutation) -> Result:
        """What the gates say of the sources with `mutation`."""
        copy = self._free.get()
        try:
            with applied(mutation, copy), self._databases(mutation.providers) as databases:
                return Result(mutation, _judged(copy, databases))
        except MutantError as error:
            return Result(mutation, {}, fault=str(error))
        finally:
            self._free.put(copy)

    @contextmanager
    def _databases(self, providers: Iterable[str]) -> Iterator[list[str]]:
        names = {provider: f"mutant_{uuid.uuid4().hex[:16]}" for provider in providers}
        try:
            yield [f"{provider}={self._server.create_database(name)}" for provider, name in names.items()]
        finally:
            for name in names.values():
                self._server.drop_database(name)


@contextmanager
def laboratory(sources: Path, *, copies: int) -> Iterator[Laboratory]:
    """A laboratory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mercato-mutants-") as scratch, database_server() as server:
        yield Laboratory(sources, Path(scratch), server, copies=copies)


def run(
    mutations: Sequence[Mutation], sources: Path, *, jobs: int, tell: Callable[[str], None]
) -> list[Result]:
    """Try `mutations`, `jobs` at a time, and `tell` of each as it is done."""
    results = []
    with laboratory(sources, copies=jobs) as place, ThreadPoolExecutor(jobs) as workers:
        for number, result in enumerate(workers.map(place.try_out, mutations), start=1):
            tell(f"{number}/{len(mutations)} {result}")
            results.append(result)
        # A machine out of breath may be why one could not be judged: once more, alone.
        return [place.try_out(each.mutation) if each.fault else each for each in results]


@contextmanager
def applied(mutation: Mutation, folder: Path) -> Iterator[None]:
    """The sources in `folder` with `mutation`; as they were afterwards. Raises MutantError."""
    before = {folder / edit.path: (folder / edit.path).read_text(encoding="utf-8") for edit in mutation.edits}
    try:
        for edit in mutation.edits:
            path = folder / edit.path
            text = path.read_text(encoding="utf-8")
            if text.count(edit.old) != 1:
                raise MutantError(
                    f"{edit.path} has {edit.old!r} {text.count(edit.old)} times, not once; "
                    "mend the mutation in src/python/gate/mutations.py"
                )
            path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
        yield
    finally:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")


def _compiled(sources: Path, folder: Path) -> Path:
    shutil.copytree(sources, folder, ignore=_NOT_COPIED)
    # By their content: two mutations of one second may be of the same length, and look the same by time.
    by_content = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(folder, quiet=2, invalidation_mode=by_content)
    return folder


def _judged(copy: Path, databases: Sequence[str]) -> Verdict:
    # The copy comes before what this process itself was packaged with.
    path = os.pathsep.join([str(copy), *filter(None, sys.path)])
    environment = os.environ | aws_environment("http://127.0.0.1:9", "test") | {"PYTHONPATH": path}
    said = copy / "verdict.json"
    argv = [sys.executable, "-m", "gate.judge", str(copy / _REGISTRY), str(said), *databases]
    try:
        subprocess.run(
            argv, cwd=copy, env=environment, capture_output=True, text=True, check=True, timeout=_WITHIN_S
        )
    except subprocess.SubprocessError as error:
        why = getattr(error, "stderr", None) or str(error)
        raise MutantError(f"the gates cannot judge it; mend the mutation:\n{why}") from error
    verdict: Verdict = json.loads(said.read_text(encoding="utf-8"))
    return verdict


def chosen(names: Sequence[str]) -> tuple[Mutation, ...]:
    """The mutations of these names, or all where there are none. Raises MutantError."""
    known = {mutation.name: mutation for mutation in (*BREAKING, *COMPATIBLE)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise MutantError(f"there is no mutation {unknown[0]!r}; src/python/gate/mutations.py lists them")
    return tuple(known[name] for name in names or known)


def total(results: Sequence[Result]) -> str:
    """The sum in one line."""
    breaking = [result for result in results if result.mutation in BREAKING]
    compatible = [result for result in results if result.mutation in COMPATIBLE]
    caught, refused = (sum(bool(each.caught_by) for each in some) for some in (breaking, compatible))
    return f"{caught}/{len(breaking)} caught, {refused}/{len(compatible)} refused"


def report(results: Sequence[Result]) -> str:
    """All that was tried and what became of it, in Markdown."""
    breaking = [result for result in results if result.mutation in BREAKING]
    compatible = [result for result in results if result.mutation in COMPATIBLE]
    return "\n".join(
        [
            f"# Mutants: {total(results)}",
            "",
            "Written by `./pants contracts mutants`. Each line is an edit of the sources, made alone and",
            "judged by the gates; [`mutations.py`](../src/python/gate/mutations.py) has the edits.",
            "",
            "| gate | compares | catches | it alone |",
            "| --- | --- | ---: | ---: |",
            *(_counts(gate, what, breaking) for gate, what in GATES.items()),
            "",
            "## What breaks somebody",
            "",
            *_table(breaking),
            "",
            "## What breaks nobody",
            "",
            *_table(compatible),
            "",
        ]
    )


def _counts(gate: str, what: str, results: Sequence[Result]) -> str:
    catches = sum(gate in result.caught_by for result in results)
    alone = sum(result.caught_by == (gate,) for result in results)
    return f"| {gate} | {what} | {catches} | {alone} |"


def _table(results: Sequence[Result]) -> Iterator[str]:
    yield f"| change | kind | of | {' | '.join(GATES)} |"
    yield f"| --- | --- | --- |{' :-: |' * len(GATES)}"
    for result in results:
        marks = " | ".join("✓" if gate in result.caught_by else " " for gate in GATES)
        mutation = result.mutation
        yield f"| {mutation.name} | {mutation.kind} | {mutation.service} | {marks} |"
