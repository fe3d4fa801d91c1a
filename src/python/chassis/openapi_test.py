from __future__ import annotations

import json
import uuid
from contextlib import AsyncExitStack
from typing import Any

import pytest
from fastapi import APIRouter, Response
from pydantic import BaseModel

from chassis.auth import SignedIn
from chassis.idempotency import OnceForCaller
from chassis.openapi import PROBLEMS, named
from chassis.paging import Cursor
from chassis.problems import Invalid
from chassis.service import Running, create_app

router = APIRouter(prefix="/api/tests")


class Odd(Invalid):
    slug, title = "odd", "Odd"


class Thing(BaseModel):
    name: str


@router.get("", operation_id="list_things")
async def list_things(cursor: Cursor = None, limit: int = 20) -> list[Thing]:
    """List."""
    return []


@router.post(
    "",
    operation_id="make_thing",
    status_code=201,
    response_model=Thing,
    responses={409: {"description": "The name is taken."}, 422: named(Odd)},
)
async def make_thing(thing: Thing, caller: SignedIn, once: OnceForCaller) -> Response:
    """Make."""
    raise NotImplementedError


@router.get("/{thing_id}", operation_id="find_thing")
async def find_thing(thing_id: uuid.UUID) -> Thing:
    """Find."""
    raise NotImplementedError


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    async def compose(_: AsyncExitStack) -> Running:
        return Running(state={})

    return create_app("test", "1.2.3", [router], compose, description="Tests.").openapi()


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for item in document["paths"].values() for operation in item.values()]


def find(document: dict[str, Any], operation_id: str) -> dict[str, Any]:
    (found,) = [each for each in operations(document) if each["operationId"] == operation_id]
    return found


def test_every_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    """In its media type, of one schema; 500 and 503 may always come."""
    for operation in operations(document):
        refusals = {status: each for status, each in operation["responses"].items() if status >= "4"}
        assert {"500", "503"} <= set(refusals)
        for refusal in refusals.values():
            assert refusal["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }


def test_fastapi_s_own_error_is_nowhere(document: dict[str, Any]) -> None:
    """It is never sent."""
    assert "ValidationError" not in json.dumps(document)


def test_the_problem_schema_is_what_is_sent(document: dict[str, Any]) -> None:
    """With its parts."""
    problem = document["components"]["schemas"]["Problem"]
    assert {"type", "title", "status", "detail", "instance"} == set(problem["required"])
    assert "ProblemDetail" in document["components"]["schemas"]


def test_a_key_is_said_to_be_required(document: dict[str, Any]) -> None:
    """Without one the answer is 400."""
    (key,) = find(document, "make_thing")["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", True)


def test_each_operation_lists_the_refusals_it_may_answer_with(document: dict[str, Any]) -> None:
    """By what it takes: a key, a body, an id, a token."""
    always = {"500", "503"}
    assert {
        "list_things": {"200", "422"} | always,
        "make_thing": {"201", "400", "401", "403", "409", "413", "422"} | always,
        "find_thing": {"200", "404", "422"} | always,
        "livez": {"200"} | always,
        "readyz": {"200"} | always,
        "health": {"200"} | always,
    } == {each["operationId"]: set(each["responses"]) for each in operations(document)}


def test_what_a_route_says_of_a_refusal_stays(document: dict[str, Any]) -> None:
    """It knows better."""
    assert find(document, "make_thing")["responses"]["409"]["description"] == "The name is taken."


def test_the_refusals_of_what_fits_are_named(document: dict[str, Any]) -> None:
    """Those of the route, and those of a key and of a cursor; who reads the description sees them too."""
    made = find(document, "make_thing")["responses"]["422"]
    assert ["/problems/odd", "/problems/idempotency-key-reused"] == made[PROBLEMS]
    assert made["description"].endswith("refused as /problems/odd, /problems/idempotency-key-reused.")
    assert ["/problems/cursor-unknown"] == find(document, "list_things")["responses"]["422"][PROBLEMS]
    assert PROBLEMS not in find(document, "find_thing")["responses"]["422"]


def test_the_document_says_whose_it_is(document: dict[str, Any]) -> None:
    """Title, version, description."""
    assert {"title": "Mercato test", "version": "1.2.3", "description": "Tests."} == document["info"]
