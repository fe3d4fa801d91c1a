"""For tests of who may do what: a rule for every operation, and requests of those whom it leaves out."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import httpx
import sqlalchemy as sa

from chassis import idempotency
from chassis.database import Database
from chassis.operations import Operation, operations


class Rule(Enum):
    """Who may do it."""

    ANYBODY = "anybody, signed in or not"
    SIGNED_IN = "whoever is signed in; it names nothing, and is about the caller's own things"
    OWNER = "the owner of what it names, and admins where they are said to"
    ADMIN = "admins"


@dataclass(frozen=True)
class Ground:
    """A running service in which `known` exists: ids by the parameter or property that names them."""

    client: httpx.AsyncClient
    database: Database
    document: Mapping[str, Any]
    known: Mapping[str, Any]

    def operation(self, operation_id: str) -> Operation:
        """The operation with this id."""
        return next(each for each in operations(self.document) if each.id == operation_id)

    async def trespass(self, operation_id: str, token: str | None) -> int:
        """The status of a request that fits but for its sender; AssertionError if it has changed anything."""
        before = await contents(self.database)
        status = await self.send(operation_id, token)
        assert before == await contents(self.database), f"{operation_id} has changed something"
        return status

    async def send(self, operation_id: str, token: str | None) -> int:
        """The status that a request which fits is answered with."""
        return (await self.request(operation_id, token)).status_code

    async def request(self, operation_id: str, token: str | None) -> httpx.Response:
        """The answer to a request that fits."""
        operation = self.operation(operation_id)
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.request(
            operation.method,
            operation.url(self.known),
            params=operation.query(self.known),
            json=operation.content(self.known),
            headers=headers,
        )


def ruled(rules: Mapping[str, Rule], *wanted: Rule) -> list[str]:
    """The ids of the operations under one of these rules."""
    return [operation_id for operation_id, rule in rules.items() if rule in wanted]


def gaps(document: Mapping[str, Any], rules: Mapping[str, Rule]) -> list[str]:
    """What is wrong with `rules`: operations without one, or with one that cannot be theirs."""
    listed = {each.id: each for each in operations(document)}
    return [
        *(f"{each} has no rule" for each in listed.keys() - rules.keys()),
        *(f"{each} is no operation" for each in rules.keys() - listed.keys()),
        *(
            f"{name} names something: say whose it is"
            for name, each in listed.items()
            if each.names_something() and rules.get(name) is Rule.SIGNED_IN
        ),
        *(
            f"{name} is {'' if each.secured else 'not '}for those who are signed in, says the document"
            for name, each in listed.items()
            if name in rules and each.secured == (rules[name] is Rule.ANYBODY)
        ),
    ]


async def contents(database: Database) -> dict[str, list[str]]:
    """All rows of all tables; but for saved refusals, which are no effect."""
    metadata = sa.MetaData()
    async with database.reading() as connection:
        await connection.run_sync(metadata.reflect)
        return {
            table.name: sorted(map(str, await connection.execute(sa.select(*_of_requests(table)))))
            for table in metadata.sorted_tables
            if table.name != idempotency.TABLE
        }


def _of_requests(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns that only requests change; a job is tried again and again meanwhile."""
    return [table.c.id] if "attempts" in table.c else list(table.c)
