"""For tests of what is over: each operation that ends a thing, and what others answer of it from then on.

schemathesis uses again what it has ended only where it happens to draw its id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.access import Ground, contents
from chassis.operations import Operation, operations

# Not there any more, over, or a token that is none any more.
REFUSALS = (401, 404, 409)


@dataclass(frozen=True)
class End:
    """What an operation ends, and what every operation that names it answers from then on."""

    of: str  # the parameter or property that names it
    then: Mapping[str, int]
    unseen: tuple[str, ...] = ()  # what showed it, and does so no more


def gaps(document: Mapping[str, Any], ends: Mapping[str, End], going_on: Collection[str]) -> list[str]:
    """What is wrong with `ends`, and with `going_on`, the operations by POST that end nothing."""
    listed = {each.id: each for each in operations(document)}
    unknown = {*ends, *going_on, *(each for end in ends.values() for each in end.then)} - listed.keys()
    if unknown:
        return [f"{each} is no operation" for each in sorted(unknown)]
    return [
        *(
            f"{each.id} may end something: say what, or that it does not"
            for each in listed.values()
            if each.id not in ends and _may_end(each, going_on)
        ),
        *(why for name, end in ends.items() for why in _gaps_of(listed, listed[name], end)),
    ]


async def broken(ground: Ground, ending: str, end: End, token: str) -> list[str]:
    """Which answers are others than `end` says once `ending` was done.

    All are asked for twice: none may have brought it back for the others. What deletes another thing is last.
    """
    hidden = set(end.unseen)
    if unshown := hidden - await _showing(ground, end, token):
        return [f"{each} does not show it before {ending} either" for each in unshown]
    status = await ground.send(ending, token)
    if status >= 400:
        return [f"{ending} answers {status}: nothing has ended"]
    deleting = [name for name in end.then if name != ending and ground.operation(name).method == "DELETE"]
    others = [name for name in end.then if name not in deleting]
    found = [
        each
        for name in (*others, *others, *deleting)
        async for each in _wrong(ground, ending, end, name, token)
    ]
    still = await _showing(ground, end, token) & hidden
    return found + [f"after {ending}, {each} shows it" for each in sorted(still)]


def _may_end(operation: Operation, going_on: Collection[str]) -> bool:
    """What a POST does is known to those alone who wrote it."""
    return operation.method == "DELETE" or (operation.method == "POST" and operation.id not in going_on)


def _gaps_of(listed: Mapping[str, Operation], ending: Operation, end: End) -> list[str]:
    places = ending.parameters_in("path")
    if places and places[-1]["name"] != end.of:
        return [f"{ending.id} ends the {places[-1]['name']} of its path, not {end.of}"]
    if ending.method == "DELETE" and not end.unseen:
        return [f"{ending.id} deletes what was shown: say where it is shown no more"]
    return [
        *(
            f"{each.id} names {end.of}: say what it answers after {ending.id}"
            for each in listed.values()
            if each.names(end.of) and each.id not in end.then
        ),
        *(
            f"after {ending.id}, {name} answers {status}: that is no answer of it to what is over"
            for name, status in end.then.items()
            if str(status) not in listed[name].statuses or (status >= 400 and status not in REFUSALS)
        ),
    ]


async def _wrong(ground: Ground, ending: str, end: End, name: str, token: str) -> AsyncIterator[str]:
    before = await contents(ground.database)
    status = await ground.send(name, token)
    if status != end.then[name]:
        yield f"after {ending}, {name} answers {status}, not {end.then[name]}"
    # What is done again is done once, and what is refused is not done.
    if (status >= 400 or name == ending) and before != await contents(ground.database):
        yield f"after {ending}, {name} changes something"


async def _showing(ground: Ground, end: End, token: str) -> set[str]:
    """The operations that read and have it in their answer; a refusal may well say what is not there."""
    what = str(ground.known[end.of])
    reading = [each.id for each in operations(ground.document) if each.method == "GET"]
    answers = {each: await ground.request(each, token) for each in reading}
    return {each for each, answer in answers.items() if answer.status_code < 400 and what in answer.text}
