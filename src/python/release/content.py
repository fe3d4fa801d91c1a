"""What of a thing has changed since its last release: the files and the libraries that it ships.

docs/adr/0010-content-decides-what-is-released.md says why it is these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from gate import events
from gate.registry import Document, Documents
from locks import lock
from release import data
from release.graph import Graph
from release.promises import REGISTRY, TOPOLOGY, heard, promised
from release.repository import Checkout, Repository, State
from release.thing import CHANGELOG, CONTRACTS, CONTRACTS_FOLDER, VERSION, Thing
from release.version import ReleaseError

_NO_CONTENT = (VERSION, CHANGELOG, "BUILD", "conftest.py")
# What the contracts ship besides their modules.
_DOCUMENTS = (f"{REGISTRY}/events/", f"{REGISTRY}/asyncapi/")
_LIBRARIES = "3rdparty/"
# What a document of an event is called by, before its name.
_EVENTS = f"{events.KIND.folder}/"
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


def digest(service: Thing, graph: Graph, root: Path) -> str:
    """A hash of what `service` ships as it lies in `root`: another where `changed` would find something.

    But for what only both states together tell: here a document counts also where its module is as it was, a
    new class with methods also among the events of others, and another base of an event of others not at all.
    """
    state = Checkout(root)
    declared, told = promised(service, state), heard(service, state)
    # Routes are code of the service; what the registry says of them is not shipped.
    declared = {key: each for key, each in declared.items() if key == TOPOLOGY or key.startswith(_EVENTS)}
    concerning = {key.removeprefix(_EVENTS) for key in declared} | _messages(told)
    pinned = lock.pins(state.read(service.lock) or "")
    content = {
        "files": {
            path: hashlib.sha256(_counting(path, root, concerning)).hexdigest()
            for path in graph.files(service.roots)
            if not _is_apart(path)
        },
        "documents": [declared, told],
        "libraries": lock.needed(pinned, graph.libraries(service.roots)),
    }
    return "sha256:" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _messages(told: Document) -> set[str]:
    """The names of the events that operations of the topology tell of."""
    return {each["$ref"].rpartition("/")[2] for it in told.values() for each in it.get("messages", ())}


def _counting(path: str, root: Path, concerning: Collection[str]) -> bytes:
    """What counts of a file for somebody whom these events concern."""
    try:
        found = (root / path).read_bytes()
    except OSError as error:
        raise ReleaseError(
            f"{path} is in the build graph and cannot be read: {error.strerror}; ask Pants for the graph anew"
        ) from error
    return data.code_in(found.decode("utf-8"), concerning).encode() if data.is_data(path) else found


def _is_apart(path: str) -> bool:
    """Whether a file is no content, whoever depends on it; libraries count by their versions."""
    name = path.rpartition("/")[2]
    return name in _NO_CONTENT or name.endswith("_test.py") or path.startswith(_LIBRARIES)


def _is_of(path: str, thing: Thing, shipped: frozenset[str], repository: Repository) -> bool:
    if _is_apart(path):
        return False
    if path in shipped or (thing is CONTRACTS and path.startswith(_DOCUMENTS)):
        return True
    # Whoever imported what is gone had to change; but what BUILD found by its folder is just gone.
    folder = path.rpartition("/")[0]
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
