from __future__ import annotations

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel, Field, ValidationError

from chassis import boundaries
from chassis.operations import operations
from chassis.problems import Invalid
from chassis.service import create_app


class Careless(BaseModel):
    """Takes a bool for a number, and any number."""

    many: int


class Careful(BaseModel):
    """Takes what fits."""

    many: Annotated[int, Field(strict=True, ge=0, le=100)]


def service() -> FastAPI:
    """A service without operations of its own."""
    return create_app("count", "1", [], compose=None)  # type: ignore[arg-type] # it is never started


async def broken(app: FastAPI) -> list[str]:
    """What is found."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        # The checks of health ask for parts that are not there; they take nothing.
        document = app.openapi()
        paths = {"/counts": document["paths"]["/counts"]}
        return await boundaries.broken(client, document | {"paths": paths}, {}, dict)


async def test_what_breaks_at_a_bound_is_found() -> None:
    """A number that no column holds, and a bool that is taken for one."""
    app = service()

    @app.post("/counts", operation_id="count")
    async def count(body: Careless) -> str:
        return str(body.many.to_bytes(4))

    found = await broken(app)
    assert "POST /counts, 53 bits in /many: answered 500" in found
    assert "POST /counts, a bool in /many: was taken (200)" in found


async def test_what_holds_at_every_bound_is_not() -> None:
    """Each is refused with a problem document, or taken."""
    app = service()

    @app.post("/counts", operation_id="count")
    async def count(body: Careful) -> str:
        return str(body.many.to_bytes(4))

    assert [] == await broken(app)


@pytest.mark.parametrize(
    ("refused", "found"),
    [
        (False, ["a bool in /many: was taken (200)", "53 bits in /many: answered 500"]),
        (True, ["what fits: was taken (200)", "0 in /many: was taken (200)"]),
    ],
)
async def test_a_body_that_the_document_leaves_out_is_tried_too(refused: bool, found: list[str]) -> None:
    """At each of its places, as its sender signs it; or it must be refused, whatever it is."""
    app = service()

    @app.post("/counts", operation_id="count")
    async def count(request: Request) -> str:
        try:
            body = Careless.model_validate_json(await request.body())
        except ValidationError:
            raise Invalid("many: say how many.") from None
        assert request.headers["X-Length"] == str(len(await request.body()))
        return str(body.many.to_bytes(4))

    async def example() -> dict[str, int]:
        return {"many": 1}

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        (operation,) = (each for each in operations(app.openapi()) if each.id == "count")
        told = await boundaries.broken_by_a_body(
            client, operation, example, lambda body: {"X-Length": str(len(body))}, refused=refused
        )
    assert set(found) <= {each.removeprefix("POST /counts, ") for each in told}
