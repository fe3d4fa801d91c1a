from __future__ import annotations

import uuid
from typing import Annotated

import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field

from chassis import access
from chassis.access import Rule
from chassis.auth import SignedIn
from chassis.operations import Operation, operations
from chassis.service import create_app


class Thing(BaseModel):
    """What is written."""

    name: str
    sizes: list[Annotated[int, Field(ge=3)]]
    owner_id: uuid.UUID | None = None


def app() -> FastAPI:
    """A service with an operation of each kind."""
    made = create_app("thing", "1", [], compose=None)  # type: ignore[arg-type] # it is never started

    @made.get("/things", operation_id="find")
    async def find(q: Annotated[str, Query()]) -> str:
        return q

    @made.put("/things/{thing_id}", operation_id="write")
    async def write(thing_id: uuid.UUID, thing: Thing, caller: SignedIn) -> str:
        return f"{thing_id} {thing} {caller}"

    return made


@pytest.fixture
def listed() -> dict[str, Operation]:
    """Its operations."""
    return {each.id: each for each in operations(app().openapi())}


def test_every_operation_is_listed(listed: dict[str, Operation]) -> None:
    """Those that every service has, too."""
    assert {"livez", "readyz", "health", "find", "write"} == set(listed)
    assert (False, True) == (listed["find"].secured, listed["write"].secured)


def test_a_request_fits_and_names_what_is_known(listed: dict[str, Operation]) -> None:
    """Every property is there, so that each can be tried."""
    write, known = listed["write"], {"thing_id": "7", "name": "Tea"}
    assert "/things/7" == write.url(known)
    assert {"name": "Tea", "sizes": [3], "owner_id": str(uuid.UUID(int=1))} == write.content(known)
    assert {"q": "tea"} == listed["find"].query({"q": "tea"})


def test_every_place_of_a_body_is_found(listed: dict[str, Operation]) -> None:
    """Lists, and what is in them."""
    write = listed["write"]
    places = [where for where, _ in write.places(write.content({}))]
    assert [("name",), ("sizes",), ("sizes", 0), ("owner_id",)] == places


def test_what_is_wrong_with_rules_is_told() -> None:
    """One that is missing, one that is of nothing, and one that cannot be."""
    rules = dict.fromkeys(("livez", "readyz", "health", "gone"), Rule.ANYBODY)
    assert {
        "find has no rule",
        "gone is no operation",
        "write names something: say whose it is",
    } == set(access.gaps(app().openapi(), rules | {"write": Rule.SIGNED_IN}))
    told = access.gaps(app().openapi(), rules | {"find": Rule.OWNER, "write": Rule.ANYBODY})
    assert "find is not for those who are signed in, says the document" in told
    assert "write is for those who are signed in, says the document" in told
