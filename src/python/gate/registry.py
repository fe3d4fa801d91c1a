"""The registry: what is published, as files that a reviewer reads, and what of it was released."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Document = dict[str, Any]
Documents = Mapping[str, Document]


class RegistryError(Exception):
    """A file of the registry cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class Kind:
    """A kind of documents in the registry.

    `current` makes them of the code as it is; `breaches` says what one who was promised the first document
    would trip over in the second, and raises ValueError where one of them is no such document; where it is
    None nobody was promised anything, and nothing is released. `faults` says why a document is not valid by
    its own specification. `parts` names what may be retired of a document without the rest, and `without`
    takes it out, or is None where it has no such part.
    """

    folder: str
    current: Callable[[], Documents]
    breaches: Callable[[Document, Document], Sequence[object]] | None
    faults: Callable[[Document], Sequence[str]] = lambda _: ()
    parts: Callable[[Document], Sequence[str]] = lambda _: ()
    without: Callable[[Document, str], Document | None] = lambda _, __: None


@dataclass(frozen=True)
class Difference:
    """A document that is not as it should be."""

    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


class Registry:
    """The registry in a folder: what is published, and below `released/` what was at the last release."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self._published = folder / kind.folder
        self._released = folder / "released" / kind.folder
        self._kind = kind

    def published(self) -> Documents:
        """The documents that are published, by name. Raises RegistryError."""
        return _read(self._published)

    def released(self) -> Documents:
        """The documents that were published at the last release. Raises RegistryError."""
        return _read(self._released)

    def refusals(self, documents: Documents) -> list[Difference]:
        """What of `documents` would break somebody who relies on what was released. Raises RegistryError."""
        if self._kind.breaches is None:
            return []
        found = []
        for name, old in self.released().items():
            new = documents.get(name)
            if new is None:
                gone = "is gone: it is published until nobody deployed relies on it, and then retired"
                found.append(Difference(name, gone))
                continue
            try:
                breaches = self._kind.breaches(old, new)
            except ValueError as error:
                path = self._released / f"{name}.json"
                raise RegistryError(
                    f"{path} cannot be compared: {error}; restore it from version control"
                ) from error
            found += [Difference(name, str(breach)) for breach in breaches]
        return found

    def faults(self, documents: Documents) -> list[Difference]:
        """Why some of `documents` are not valid, whatever was published or released."""
        return [Difference(name, fault) for name, it in documents.items() for fault in self._kind.faults(it)]

    def staleness(self, documents: Documents) -> list[Difference]:
        """Where what is published and `documents` part. Raises RegistryError."""
        published = self.published()
        found = []
        for name in sorted({*published, *documents}):
            if name not in published:
                found.append(Difference(name, "is not published"))
            elif name not in documents:
                found.append(Difference(name, "is published, and the code has it no more"))
            elif published[name] != documents[name]:
                found.append(Difference(name, "is not published as the code has it"))
        return found

    def publish(self, documents: Documents) -> None:
        """Write `documents` as what is published, in the place of what was."""
        _write(self._published, documents)

    def release(self) -> None:
        """Note that what is published was released: from now on it is what a change must keep."""
        if self._kind.breaches is not None:
            _write(self._released, self.published())

    def retire(self, name: str) -> bool:
        """Let a released document go, or a part, that nobody relies on; False if there is no such one."""
        released = self.released()
        if name in released:
            _write(self._released, {each: it for each, it in released.items() if each != name})
            return True
        shorter = {each: self._kind.without(it, name) for each, it in released.items()}
        taken_out = {each: it for each, it in shorter.items() if it is not None}
        if taken_out:
            _write(self._released, {**released, **taken_out})
        return bool(taken_out)

    def retirable(self) -> list[str]:
        """The names that `retire` takes; the parts of those parts are not listed."""
        return [each for name, it in self.released().items() for each in (name, *self._kind.parts(it))]


def load(path: Path) -> Document:
    """The document in a file. Raises RegistryError."""
    try:
        loaded: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RegistryError(f"{path} cannot be read: {error}; restore it from version control") from error
    if not isinstance(loaded, dict):
        raise RegistryError(f"{path} holds no document; restore it from version control")
    return loaded


def _read(folder: Path) -> Documents:
    return {path.stem: load(path) for path in sorted(folder.glob("*.json"))}


def _write(folder: Path, documents: Documents) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    for path in folder.glob("*.json"):
        if path.stem not in documents:
            path.unlink()
