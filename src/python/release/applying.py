"""A release, written: versions, changelogs, one commit and its tags, or nothing of all that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gate import asyncapi, events, openapi
from release import changelog
from release.plan import Planned
from release.promises import REGISTRY
from release.repository import Repository, State
from release.thing import CONTRACTS, Thing, named
from release.version import Bump, ReleaseError, Version

Versions = Mapping[str, Version]


def versions(
    planned: Mapping[str, Planned], names: Sequence[str], asked: Mapping[str, Bump]
) -> dict[str, Version]:
    """The next version of each thing in `names`, or of all that are due where there are none.

    Raises ReleaseError for an unknown name, one that has not changed and is not `asked` to be released, and
    whatever `Planned.version` refuses.
    """
    for name in (*names, *asked):
        named(name)
    due = [name for name, each in planned.items() if each.is_due or name in asked]
    chosen = list(dict.fromkeys(names)) or due
    if not chosen:
        raise ReleaseError("nothing has changed since it was released last")
    for name in chosen:
        if name not in due:
            raise ReleaseError(
                f"{name} has not changed since {planned[name].last}: leave it out, or say --bump {name}=patch"
            )
    for name in asked:
        if name not in chosen:
            raise ReleaseError(f"--bump {name} is of nothing that is released: name it, too")
    return {name: planned[name].version(asked.get(name)) for name in chosen}


def check(repository: Repository, chosen: Versions) -> None:
    """Raise ReleaseError for what cannot be released: a dirty tree, a version that has its tag already."""
    repository.refuse_unclean("what is released is what is committed, and these are not")
    for tag in _tags(chosen):
        if tag in repository.tags:
            raise ReleaseError(
                f"the tag {tag} exists already, and is no part of this branch's past, or has another name in "
                "it: merge the branch that was released, or write a higher version into its VERSION"
            )


def apply(
    repository: Repository,
    planned: Mapping[str, Planned],
    chosen: Versions,
    judge: Callable[[], int],
) -> int:
    """Release `chosen`. Returns the status of `judge`, and writes nothing unless that is 0.

    `judge` says whether the registry is as the code is and breaks nobody. Raises ReleaseError.
    """
    check(repository, chosen)
    status = judge()
    if status:
        return status
    files: dict[str, str] = {}
    annotations = {}
    for name, version in chosen.items():
        written = _written(repository, planned[name], version)
        files |= written
        notes = changelog.section(written[named(name).changelog_file], version)
        annotations[named(name).tag(version)] = f"{name} {version}\n\n{notes}"
    repository.release(files, message(chosen), annotations)
    return 0


def message(chosen: Versions) -> str:
    """The message of the commit."""
    return f"chore(release): {', '.join(f'{name} {version}' for name, version in chosen.items())}"


def _tags(chosen: Versions) -> Iterable[str]:
    return [named(name).tag(version) for name, version in chosen.items()]


def _written(repository: Repository, planned: Planned, version: Version) -> dict[str, str]:
    """The files of a release by their paths."""
    thing, state = planned.thing, repository.checkout
    text = state.read(thing.changelog_file) or f"# Changelog of {thing.name}\n"
    notes = changelog.Notes()
    if planned.last is None:
        first = changelog.section(text, version) or changelog.section(text, changelog.UNRELEASED)
        notes = changelog.Notes(others=() if first else ("The first release.",))
    elif planned.content:
        since = thing.tag(planned.last)
        messages = repository.messages(since, planned.content.files) if planned.content.files else []
        notes = changelog.notes(messages, planned.content.libraries)
    return {
        thing.version_file: f"{version}\n",
        thing.changelog_file: changelog.released(text, version, notes),
        **_promise(thing, state),
    }


def _promise(thing: Thing, state: State) -> dict[str, str]:
    """What is published of `thing`, as what the next change must keep: `contracts release` of it alone."""
    if thing.is_service:
        path = f"{openapi.KIND.folder}/{thing.name}.json"
        text = state.read(f"{REGISTRY}/{path}")
        return {} if text is None else {f"{REGISTRY}/released/{path}": text}
    if thing is not CONTRACTS:
        return {}
    return {
        path.replace(REGISTRY, f"{REGISTRY}/released", 1): text
        for kind in (events.KIND, asyncapi.KIND)
        for path, text in state.below(f"{REGISTRY}/{kind.folder}").items()
    }
