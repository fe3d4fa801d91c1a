"""The registry: what is published, as files that a reviewer reads, and what of it was released."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.events.envelope import Event, qualified_type
from contracts.topology import EVENTS
from gate.compatibility import breaches
from gate.schemas import Schema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class RegistryError(Exception):
    """A file of the registry cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class Difference:
    """A document that is not as it should be."""

    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def schema_of(event: type[Event]) -> Schema:
    """The JSON Schema of an event's data, as published."""
    name = qualified_type(event)
    return {"$schema": _DIALECT, "$id": f"urn:{name.replace('.', ':')}"} | event.model_json_schema()


def event_schemas() -> dict[str, Schema]:
    """The schema of every event of the topology, by its CloudEvents type."""
    return {name: schema_of(event) for name, event in EVENTS.items()}


class Registry:
    """The registry in a folder: `events/` as they are published, `released/events/` as they were released."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._published = folder / "events"
        self._released = folder / "released" / "events"

    def published(self) -> dict[str, Schema]:
        """The schemas that are published, by CloudEvents type. Raises RegistryError."""
        return _read(self._published)

    def released(self) -> dict[str, Schema]:
        """The schemas that were published at the last release. Raises RegistryError."""
        return _read(self._released)

    def publish(self, schemas: Mapping[str, Schema]) -> list[Difference]:
        """Write `schemas`, unless one would break what was released: then nothing is written.

        Returns what stands against it.
        """
        found = refusals(self.released(), schemas)
        if not found:
            _write(self._published, schemas)
        return found

    def release(self) -> None:
        """Note that what is published was released: from now on it is what a change must keep."""
        _write(self._released, self.published())

    def retire(self, name: str) -> None:
        """Let an event go that nobody deployed reads any more; RegistryError if it is unknown."""
        path = self._released / f"{name}.json"
        if name not in self.released():
            raise RegistryError(f"{name} was not released: {', '.join(self.released())} were")
        path.unlink()


def refusals(released: Mapping[str, Schema], schemas: Mapping[str, Schema]) -> list[Difference]:
    """What of `schemas` would break somebody who relies on what was `released`."""
    found = []
    for name, old in released.items():
        new = schemas.get(name)
        if new is None:
            found.append(
                Difference(name, "is gone: it is published until nobody deployed reads it, and then retired")
            )
            continue
        found += [Difference(name, str(breach)) for breach in breaches(old, new)]
    return found


def staleness(published: Mapping[str, Schema], schemas: Mapping[str, Schema]) -> list[Difference]:
    """Where the published schemas and those of the models part."""
    found = []
    for name in sorted({*published, *schemas}):
        if name not in published:
            found.append(Difference(name, "is not published"))
        elif name not in schemas:
            found.append(Difference(name, "is published, and no event of the topology"))
        elif published[name] != schemas[name]:
            found.append(Difference(name, "is not published as its model is"))
    return found


def _read(folder: Path) -> dict[str, Schema]:
    return {path.stem: _load(path) for path in sorted(folder.glob("*.json"))}


def _load(path: Path) -> Schema:
    try:
        loaded: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RegistryError(f"{path} cannot be read: {error}; restore it, or write it anew") from error
    if not isinstance(loaded, dict):
        raise RegistryError(f"{path} holds no JSON Schema; restore it, or write it anew")
    return loaded


def _write(folder: Path, schemas: Mapping[str, Schema]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas.items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    for path in folder.glob("*.json"):
        if path.stem not in schemas:
            path.unlink()
