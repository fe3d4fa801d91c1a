"""What of a thing has changed since its last release: the files and the libraries that it ships.

docs/adr/0010-content-decides-what-is-released.md says why it is these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gate.registry import Documents
from locks import lock
from release import data
from release.graph import Graph
from release.promises import REGISTRY, TOPOLOGY, heard, promised
from release.repository import Repository, State
from release.thing import CHANGELOG, CONTRACTS, CONTRACTS_FOLDER, VERSION, Thing

_NO_CONTENT = (VERSION, CHANGELOG, "BUILD", "conftest.py")
# What the contracts ship besides their modules.
_DOCUMENTS = (f"{REGISTRY}/events/", f"{REGISTRY}/asyncapi/")
_LIBRARIES = "3rdparty/"
# All that is looked at of an earlier state.
FOLDERS = (CONTRACTS_FOLDER, "src/python/services", "3rdparty/python/shop", "3rdparty/python/infra")


@dataclass(frozen=True)
class Content:
    """The paths of what differs, and the versions of libraries that do, in words."""

    files: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.libraries)


def changed(thing: Thing, graph: Graph, repository: Repository, commit: str) -> Content:
    """What of `thing` differs from its content in `commit`.

    A file of data in contracts counts where its code differs; else only for those whose documents do.
    """
    before, now = repository.snapshot(commit, FOLDERS), repository.checkout
    shipped = graph.files(thing.roots)
    differing = [
        path for path in sorted(repository.changed_since(commit)) if _is_of(path, thing, shipped, repository)
    ]
    concerned = _concerned(thing, before, now)
    files = [path for path in differing if thing is CONTRACTS or _counts(path, before, now, concerned)]
    libraries = graph.libraries(thing.roots)
    versions = [lock.needed(lock.pins(state.read(thing.lock) or ""), libraries) for state in (before, now)]
    return Content(tuple(files), tuple(lock.differences(*versions)))


def _is_of(path: str, thing: Thing, shipped: frozenset[str], repository: Repository) -> bool:
    folder, _, name = path.rpartition("/")
    if name in _NO_CONTENT or name.endswith("_test.py") or path.startswith(_LIBRARIES):
        return False
    if path in shipped or (thing is CONTRACTS and path.startswith(_DOCUMENTS)):
        return True
    # Whoever imported what is gone had to change; but what BUILD found by its folder is just gone.
    is_own = folder.startswith(thing.folder) and not (repository.root / path).exists()
    return is_own and any(each.rpartition("/")[0] == folder for each in shipped)


def _concerned(thing: Thing, before: State, now: State) -> frozenset[str]:
    """The events that `thing` publishes and that differ, and the topology where its part of that does."""
    old, new = promised(thing, before), promised(thing, now)
    differing = {key.partition("/")[2] for key in _differing(old, new)}
    moved = TOPOLOGY in _differing(old, new) or heard(thing, before) != heard(thing, now)
    return frozenset(differing | ({data.TOPOLOGY} if moved else set()))


def _differing(old: Documents, new: Documents) -> Iterable[str]:
    return [key for key in {*old, *new} if old.get(key) != new.get(key)]


def _counts(path: str, before: State, now: State, concerned: frozenset[str]) -> bool:
    if not data.is_data(path):
        return True
    was, is_now = before.read(path) or "", now.read(path) or ""
    if not data.same_code(was, is_now):
        return True
    said = {data.TOPOLOGY} if path == data.TOPOLOGY else data.events_in(was) | data.events_in(is_now)
    return bool(said & concerned)
