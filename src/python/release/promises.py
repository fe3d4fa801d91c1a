"""What a thing promises others, as documents of the registry; and what a change of them is to the gate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.topology import QUEUES
from gate import asyncapi, events, openapi
from gate.registry import Document, Documents
from release.repository import State
from release.thing import CONTRACTS, CONTRACTS_FOLDER, INFRA, Thing
from release.version import Bump, ReleaseError

REGISTRY = f"{CONTRACTS_FOLDER}/registry"
_KINDS = {kind.folder: kind for kind in (events.KIND, openapi.KIND, asyncapi.KIND)}
TOPOLOGY = f"{asyncapi.KIND.folder}/{asyncapi.NAME}"


@dataclass(frozen=True)
class Judgement:
    """What is breaking in a change, in words, and the documents that promise more than before."""

    breaking: tuple[str, ...] = ()
    additive: tuple[str, ...] = ()

    @property
    def bump(self) -> Bump:
        """The smallest that is honest."""
        if self.breaking:
            return Bump.MAJOR
        return Bump.MINOR if self.additive else Bump.PATCH


def promised(thing: Thing, state: State) -> Documents:
    """What others rely on of `thing`, by KIND/NAME: of a service its routes and the events it publishes.

    Raises ReleaseError where a document cannot be read.
    """
    known = _registry(state)
    if thing is CONTRACTS:
        return {key: each for key, each in known.items() if not key.startswith(openapi.KIND.folder)}
    if not thing.is_service:
        return {}
    own = published(thing.name, state, known)
    keys = (f"{openapi.KIND.folder}/{thing.name}", *(f"{events.KIND.folder}/{each}" for each in own))
    routes_and_events = {key: known[key] for key in keys if key in known}
    return routes_and_events | {TOPOLOGY: _topics(known.get(TOPOLOGY, {}), own)}


def heard(thing: Thing, state: State) -> Document:
    """What the topology tells `thing` that promises nothing: what its queue is given; all of it for infra."""
    topology = _registry(state).get(TOPOLOGY, {})
    if thing is INFRA:
        return {part: topology.get(part) for part in ("channels", "operations")}
    queues = {queue.name for queue in QUEUES if queue.consumer == thing.name}
    operations: Document = topology.get("operations", {})
    return {name: each for name, each in operations.items() if _queue(each) in queues}


def weigh(old: Documents, new: Documents) -> Judgement:
    """What became of `old`. Raises ReleaseError where two documents cannot be compared.

    The gate knows what breaks; so what has been added is what would break if it were taken back.
    """
    breaking, additive = [], []
    for key in sorted({*old, *new}):
        if key not in new:
            breaking.append(f"{key} is gone")
        elif key not in old:
            additive.append(key)
        elif found := _breaches(key, old[key], new[key]):
            breaking += found
        elif _breaches(key, new[key], old[key]):
            additive.append(key)
    return Judgement(tuple(breaking), tuple(additive))


def published(service: str, state: State, known: Documents | None = None) -> frozenset[str]:
    """The events that `service` publishes, by their names.

    Pacts say whom a consumer hears of an event. One that nobody has a pact of counts for all that may publish
    on its topic: whose settings ask where that is.
    """
    topology = (_registry(state) if known is None else known).get(TOPOLOGY, {})
    providers = _providers(state)
    found = set()
    for topic, channel in topology.get("channels", {}).items():
        for event in channel["messages"]:
            by = providers.get(event)
            if service in by if by else _may_publish(service, topic, state):
                found.add(event)
    return frozenset(found)


def _breaches(key: str, old: Document, new: Document) -> list[str]:
    kind, _, name = key.partition("/")
    breaches = _KINDS[kind].breaches
    if old == new or breaches is None:
        return []
    try:
        return [f"{name}: {each}" for each in breaches(old, new)]
    except ValueError as error:
        raise ReleaseError(
            f"{REGISTRY}/{key}.json cannot be compared with what was released: {error}"
        ) from error


def _registry(state: State) -> dict[str, Document]:
    return {f"{kind}/{name}": each for kind in _KINDS for name, each in _documents(kind, state).items()}


def _documents(folder: str, state: State) -> dict[str, Document]:
    found = {}
    for path, text in state.below(f"{REGISTRY}/{folder}").items():
        try:
            found[path.rpartition("/")[2].removesuffix(".json")] = json.loads(text)
        except ValueError as error:
            raise ReleaseError(f"{path} cannot be read: {error}; ./pants contracts write makes it") from error
    return found


def _topics(topology: Document, own: frozenset[str]) -> Document:
    """The part of a topology that says where the events `own` are published, and no more."""
    channels = {
        topic: {"messages": {event: said for event, said in channel["messages"].items() if event in own}}
        for topic, channel in topology.get("channels", {}).items()
    }
    return {"channels": {topic: it for topic, it in channels.items() if it["messages"]}, "operations": {}}


def _queue(operation: Document) -> str | None:
    if operation["action"] != "receive":
        return None
    name: str = operation["bindings"]["sns"]["consumers"][0]["endpoint"]["name"]
    return name


def _providers(state: State) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for pact in _documents("pacts", state).values():
        for interaction in pact["interactions"]:
            event = interaction.get("contents", {}).get("content", {}).get("type")
            if event:
                found.setdefault(event, set()).add(pact["provider"]["name"])
    return found


def _may_publish(service: str, topic: str, state: State) -> bool:
    settings = state.read(f"src/python/services/{service}/settings.py") or ""
    return f"{topic.replace('-', '_')}_topic_arn" in settings
