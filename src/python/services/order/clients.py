"""What the order service asks of others: prices of products, addresses of customers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from chassis.http_client import Answer, HttpClient
from chassis.problems import Unavailable
from contracts.events.order import Address
from contracts.money import Money

M = TypeVar("M", bound=BaseModel)


class Quote(BaseModel):
    """A product's name and price now."""

    product_id: uuid.UUID
    name: str
    unit_price: Money


class _Quotes(BaseModel):
    items: list[Quote]


class Products(Protocol):
    """The catalogue, as far as an order needs it."""

    async def quotes(self, product_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Quote]:
        """Name and price of each product that is for sale; what is not is left out. Raises Unavailable."""
        ...


class Addresses(Protocol):
    """The customers' addresses."""

    async def address(self, address_id: uuid.UUID, token: str) -> Address | None:
        """The address, or None where the owner of `token` has no such one. Raises Unavailable."""
        ...


class ProductClient:
    """The product service over HTTP."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def quotes(self, product_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Quote]:
        ids = ",".join(str(product_id) for product_id in product_ids)
        answer = await self._http.get("/api/products/quotes", params={"ids": ids})
        if answer.status != 200:
            raise Unavailable(f"The product service answered {answer.status} when asked for prices.")
        return {quote.product_id: quote for quote in _read(_Quotes, answer, "product").items}


class UserClient:
    """The user service over HTTP, on behalf of the customer."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def address(self, address_id: uuid.UUID, token: str) -> Address | None:
        answer = await self._http.get(f"/api/users/me/addresses/{address_id}", token=token)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Unavailable(f"The user service answered {answer.status} when asked for an address.")
        return _read(Address, answer, "user")


def _read(model: type[M], answer: Answer, service: str) -> M:
    try:
        return model.model_validate_json(answer.body)
    except ValidationError:
        # Its values, in the error too, are other people's.
        raise Unavailable(f"The {service} service's answer cannot be read; try again shortly.") from None
