from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chassis import http_client
from chassis.http_client import HttpClient
from chassis.problems import Unavailable
from contracts.money import Money
from services.order.clients import ProductClient, Quote, UserClient
from services.order.conftest import HOME

TEA, CUP = uuid.uuid4(), uuid.uuid4()
QUOTE = {"product_id": str(TEA), "name": "Tea", "unit_price": {"amount": 500, "currency": "EUR"}}
GARBAGE = [b"", b"{", b"null", b"[]", b"\xff\xfe", b'"text"', b"{}", b"<html>", b"[" * 100_000]


@dataclass
class Neighbour:
    """A service that answers what a test says, and notes what it was asked."""

    status: int = 200
    body: bytes = b""
    asked: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        return web.Response(status=self.status, body=self.body, content_type="application/json")


@dataclass
class Neighbours:
    """Both clients of the order service, and the one service behind them."""

    products: ProductClient
    users: UserClient
    service: Neighbour

    def says(self, answer: Any, status: int = 200) -> None:
        """Answer so from now on."""
        self.service.body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.service.status = status


@pytest.fixture
async def neighbours() -> AsyncIterator[Neighbours]:
    service = Neighbour()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.answer)
    async with TestServer(app, host="127.0.0.1") as server, http_client.session() as session:
        http = HttpClient("product", str(server.make_url("")), session, failures_to_open=100)
        yield Neighbours(ProductClient(http), UserClient(http), service)


async def test_prices_come_from_the_product_service(neighbours: Neighbours) -> None:
    """Asked for all at once; what is not for sale is left out, and what is not asked for ignored."""
    neighbours.says({"items": [QUOTE | {"available": 3}], "more": True})
    expected = Quote(product_id=TEA, name="Tea", unit_price=Money(amount=500, currency="EUR"))
    assert await neighbours.products.quotes([TEA, CUP]) == {TEA: expected}
    (asked,) = neighbours.service.asked
    assert (asked.path, dict(asked.query)) == ("/api/products/quotes", {"ids": f"{TEA},{CUP}"})


async def test_an_address_comes_from_the_user_service(neighbours: Neighbours) -> None:
    """On behalf of the customer: with the customer's own token."""
    neighbours.says({"id": str(uuid.uuid4())} | HOME.model_dump())
    address_id = uuid.uuid4()
    assert await neighbours.users.address(address_id, "a.b.c") == HOME
    (asked,) = neighbours.service.asked
    assert asked.path == f"/api/users/me/addresses/{address_id}"
    assert asked.headers["Authorization"] == "Bearer a.b.c"


async def test_an_address_that_the_customer_does_not_have_is_none(neighbours: Neighbours) -> None:
    """That is an answer, and no failure."""
    neighbours.says({}, status=404)
    assert await neighbours.users.address(uuid.uuid4(), "a.b.c") is None


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422, 429, 500, 502, 503])
async def test_prices_that_are_refused_are_unavailable(neighbours: Neighbours, status: int) -> None:
    """Whatever the reason, no order can be placed now; the message names the service and its answer."""
    neighbours.says({}, status=status)
    with pytest.raises(Unavailable, match=f"product service answered {status}"):
        await neighbours.products.quotes([TEA])


@pytest.mark.parametrize("status", [301, 400, 401, 403, 422, 429, 500, 502, 503])
async def test_an_address_that_is_refused_is_unavailable(neighbours: Neighbours, status: int) -> None:
    """Anything but "there is none" leaves open whether there is one."""
    neighbours.says({}, status=status)
    with pytest.raises(Unavailable, match=f"service answered {status}"):
        await neighbours.users.address(uuid.uuid4(), "a.b.c")


@pytest.mark.parametrize("body", [*GARBAGE, b'{"items": [{}]}', b'{"items": null}'], ids=range(11))
async def test_prices_that_cannot_be_read_are_unavailable(neighbours: Neighbours, body: bytes) -> None:
    """It is the neighbour that is broken: a 503 to the customer, and no 500."""
    neighbours.says(body)
    with pytest.raises(Unavailable, match="product service's answer cannot be read"):
        await neighbours.products.quotes([TEA])


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
async def test_an_address_that_cannot_be_read_is_unavailable(neighbours: Neighbours, body: bytes) -> None:
    """As with prices."""
    neighbours.says(body)
    with pytest.raises(Unavailable, match="user service's answer cannot be read"):
        await neighbours.users.address(uuid.uuid4(), "a.b.c")


@pytest.mark.parametrize("price", [{"amount": -1}, {"amount": 1.5}, {"amount": 2**60}, {"currency": "euro"}])
async def test_a_price_that_is_none_is_unavailable(neighbours: Neighbours, price: dict[str, Any]) -> None:
    """No order is placed at it."""
    neighbours.says({"items": [QUOTE | {"unit_price": {"amount": 1, "currency": "EUR"} | price}]})
    with pytest.raises(Unavailable, match="cannot be read"):
        await neighbours.products.quotes([TEA])


async def test_what_could_not_be_read_is_not_repeated(neighbours: Neighbours) -> None:
    """An address is somebody's: it stands neither in the message nor in the error behind it."""
    neighbours.says({"recipient": 7, "line1": "Secret Lane"})
    with pytest.raises(Unavailable) as caught:
        await neighbours.users.address(uuid.uuid4(), "a.b.c")
    assert "Secret Lane" not in str(caught.value)
    assert caught.value.__cause__ is None
