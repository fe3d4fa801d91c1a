"""What of the topology may go: those who are deployed publish on its topics and read its queues.

What is compared is the AsyncAPI document. Whatever is added passes; what an event may become is judged by
its own schema, and what a consumer needs of it by its pact.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gate.registry import Document


@dataclass(frozen=True)
class Subscription:
    """Which events of `topic` are put into `queue`, and where that moves what nobody can handle."""

    topic: str
    queue: str
    dead_letters: str
    delivered: frozenset[str]


@dataclass(frozen=True)
class Topology:
    """What a document says of topics, with their events, and of subscriptions, by their names."""

    topics: Mapping[str, frozenset[str]]
    subscriptions: Mapping[str, Subscription]

    @property
    def queues(self) -> dict[str, str]:
        """The dead-letter queue of each queue that is given anything."""
        return {each.queue: each.dead_letters for each in self.subscriptions.values()}


def topology_of(document: Document) -> Topology:
    """What `document` says. Raises ValueError where that is nothing."""
    try:
        return Topology(
            topics={name: frozenset(channel["messages"]) for name, channel in document["channels"].items()},
            subscriptions={
                name: _subscription(operation)
                for name, operation in document["operations"].items()
                if operation["action"] == "receive"
            },
        )
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"it says nothing of topics and queues ({error!r})") from error


def breaches(old: Document, new: Document) -> list[str]:
    """Who would wait in vain, or publish to nobody, if the topology `old` became `new`; empty where nobody.

    Raises ValueError where one of them says nothing of a topology.
    """
    before, after = topology_of(old), topology_of(new)
    return [*_of_topics(before, after), *_of_queues(before, after), *_of_subscriptions(before, after)]


def parts(document: Document) -> list[str]:
    """What `without` can take out, but for events."""
    found = topology_of(document)
    return [*found.topics, *found.queues, *found.subscriptions]


def without(document: Document, name: str) -> Document | None:
    """`document` without one of its events, topics, queues or subscriptions; None where it has no such.

    SUBSCRIPTION/EVENT is what one subscription delivers.
    """
    known = topology_of(document)
    shorter = copy.deepcopy(document)
    if name in known.subscriptions:
        del shorter["operations"][name]
    elif name in known.topics or name in known.queues:
        _take_out(shorter, known, name)
    else:
        subscription, _, event = name.rpartition("/")
        _take_out_event(shorter, subscription, event)
    return shorter if shorter != document else None


def _of_topics(before: Topology, after: Topology) -> Iterator[str]:
    now_on = {event: topic for topic, events in after.topics.items() for event in events}
    for topic, events in before.topics.items():
        if topic not in after.topics:
            yield f"the topic {topic} is gone: whoever is deployed publishes there, and listens there"
            continue
        for event in sorted(events - after.topics[topic]):
            if event in now_on:
                yield f"{event} moves from {topic} to {now_on[event]}: whoever is deployed waits on {topic}"
            else:
                yield f"{event} leaves {topic}: whoever is deployed waits for it there"


def _of_queues(before: Topology, after: Topology) -> Iterator[str]:
    for queue, dead_letters in before.queues.items():
        now = after.queues.get(queue)
        if now is None:
            yield f"the queue {queue} is gone: whoever is deployed reads it, and what lies in it is lost"
        elif now != dead_letters:
            yield f"{queue} gives up to {now}: what lies in {dead_letters} is lost"


def _of_subscriptions(before: Topology, after: Topology) -> Iterator[str]:
    for name, was in before.subscriptions.items():
        if was.topic not in after.topics or was.queue not in after.queues:
            continue  # that is said already
        if name not in after.subscriptions:
            yield f"{was.queue} is not subscribed to {was.topic} any more: {_listed(was.delivered)}"
            continue
        still = after.subscriptions[name].delivered
        # What has left its topic is said already.
        for event in sorted((was.delivered - still) & after.topics[was.topic]):
            if not _renewed(event, still):
                yield f"{was.queue} is given no {event} of {was.topic}: whoever reads it waits for that"


def _subscription(operation: Document) -> Subscription:
    (consumer,) = operation["bindings"]["sns"]["consumers"]
    return Subscription(
        topic=_last(operation["channel"]["$ref"]),
        queue=consumer["endpoint"]["name"],
        dead_letters=consumer["redrivePolicy"]["deadLetterQueue"]["name"],
        delivered=frozenset(_last(message["$ref"]) for message in operation["messages"]),
    )


def _renewed(event: str, delivered: frozenset[str]) -> bool:
    """Whether a later major version of the same event is delivered in its place."""
    name, version = _versioned(event)
    return any(_versioned(each) > (name, version) for each in delivered if _versioned(each)[0] == name)


def _versioned(event: str) -> tuple[str, int]:
    name, _, version = event.rpartition(".v")
    return name, int(version)


def _take_out(document: Document, known: Topology, name: str) -> None:
    """Take out a topic or a queue, with its subscriptions."""
    document["channels"].pop(name, None)
    document["operations"] = {
        each: operation
        for each, operation in document["operations"].items()
        if _last(operation["channel"]["$ref"]) != name
        and (each not in known.subscriptions or known.subscriptions[each].queue != name)
    }


def _take_out_event(document: Document, subscription: str, event: str) -> None:
    """Take an event out of a subscription, or out of all there is where that is not named."""
    for name, operation in document["operations"].items():
        if subscription in ("", name):
            operation["messages"] = [each for each in operation["messages"] if _last(each["$ref"]) != event]
    if not subscription:
        for channel in document["channels"].values():
            channel["messages"].pop(event, None)


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def _listed(events: frozenset[str]) -> str:
    return ", ".join(sorted(events))
