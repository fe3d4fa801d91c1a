"""What is to be released: what has changed since each last release, and the smallest honest bump."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from release import content
from release.content import Content
from release.graph import Graph
from release.promises import Judgement, promised, weigh
from release.repository import Repository
from release.thing import THINGS, Thing
from release.version import Bump, ReleaseError, Version, parse

# So many files are named; who wants all of them has `git diff`.
_NAMED = 3


@dataclass(frozen=True)
class Planned:
    """A thing, its last release (None before the first), the version in its VERSION, and what has changed."""

    thing: Thing
    last: Version | None
    standing: Version
    content: Content = field(default_factory=Content)
    judgement: Judgement = field(default_factory=Judgement)

    @property
    def is_due(self) -> bool:
        """Whether there is anything to release."""
        return self.last is None or bool(self.content)

    @property
    def bump(self) -> Bump:
        """The smallest that is honest."""
        return max(self.judgement.bump, self.thing.least) if self.content else Bump.PATCH

    def version(self, asked: Bump | None = None) -> Version:
        """The next version: as far as needed, or as `asked`, which may be further.

        The first release is the version that stands. A version that somebody wrote and that is higher than
        needed stands, too. Raises ReleaseError for a bump that is too small, and where a version would go
        backwards.
        """
        if self.last is None:
            return self._first(asked)
        if self.standing < self.last:
            raise ReleaseError(
                f"{self.thing.version_file} says {self.standing}, and {self.last} was released: versions do "
                f"not go backwards; write {self.last} there, and the next is found by itself"
            )
        if asked is not None and asked < self.bump:
            raise ReleaseError(self._too_small(asked))
        found = self.last.after(asked or self.bump)
        if found < self.standing and asked is not None:
            raise ReleaseError(
                f"{self.thing.name} would go backwards from {self.standing}, which stands in "
                f"{self.thing.version_file}, to {found}: leave --bump out, or write {self.last} there"
            )
        return max(found, self.standing)

    def _first(self, asked: Bump | None) -> Version:
        if asked is not None:
            raise ReleaseError(
                f"{self.thing.name} was never released, so there is nothing to bump: its first release is "
                f"{self.standing}; write another version into {self.thing.version_file}"
            )
        return self.standing

    def _too_small(self, asked: Bump) -> str:
        reasons = self.judgement.breaking or tuple(f"{each} has more" for each in self.judgement.additive)
        why = "; ".join(reasons) or f"a change of {self.thing.name} is {self.thing.least} at least"
        return f"{self.thing.name} cannot be released as a {asked}, it is a {self.bump}: {why}"

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        name = self.thing.name
        if self.last is None:
            return [f"{name}: never released; its first release is {self.standing}"]
        if not self.content:
            return [f"{name} {self.last}: nothing to release"]
        return [
            f"{name} {self.last} -> {self._next()}",
            *(f"  breaks: {each}" for each in self.judgement.breaking),
            *(f"  adds to: {each}" for each in self.judgement.additive),
            *(f"  library: {each}" for each in self.content.libraries),
            *(f"  changed: {each}" for each in _few(self.content.files)),
        ]

    def _next(self) -> str:
        try:
            return f"{self.version()} ({self.bump})"
        except ReleaseError as error:
            return f"no version: {error}"


def plan(graph: Graph, repository: Repository) -> dict[str, Planned]:
    """What is to be said of each thing, by its name. Raises ReleaseError."""
    return {thing.name: _planned(thing, graph, repository) for thing in THINGS}


def bumps(pairs: list[str], known: Mapping[str, object]) -> dict[str, Bump]:
    """Those asked for by words such as `order=minor`. Raises ReleaseError."""
    found = {}
    for pair in pairs:
        name, _, bump = pair.partition("=")
        if name not in known or bump.upper() not in Bump.__members__:
            raise ReleaseError(
                f"--bump {pair} is none: it is NAME=patch, minor or major, with a name of {', '.join(known)}"
            )
        found[name] = Bump[bump.upper()]
    return found


def _planned(thing: Thing, graph: Graph, repository: Repository) -> Planned:
    now = repository.checkout
    text = now.read(thing.version_file)
    standing = parse(text or "")
    if standing is None:
        said = "is missing" if text is None else f"says {text.strip()!r}"
        raise ReleaseError(f"{thing.version_file} {said}: it must be a version such as 1.4.0")
    last = repository.last_release(thing)
    if last is None:
        return Planned(thing, None, standing)
    commit = repository.commit_of(thing.tag(last))
    changed = content.changed(thing, graph, repository, commit)
    if not changed:
        return Planned(thing, last, standing)
    before = repository.snapshot(commit, content.FOLDERS)
    return Planned(thing, last, standing, changed, weigh(promised(thing, before), promised(thing, now)))


def _few(paths: tuple[str, ...]) -> list[str]:
    more = len(paths) - _NAMED
    return [*paths[:_NAMED], *([f"and {more} more"] if more > 0 else [])]
