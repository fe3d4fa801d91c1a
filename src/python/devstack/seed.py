"""Fills a new shop: a catalogue with stock, and a customer who can order at once.

Run as `python -m devstack.seed` with a JSON object on standard input: `{"url": …, "admin": {"email",
"password"}, "customer": {"email", "password"}}`. The admin exists. What is there already stays, so that a run
that was cut short is made up for by the next.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp

from devstack.catalogue import STOCK, Item, catalogue
from devstack.client import Client, Refused
from devstack.state import Account

_AT_ONCE = 8
_NAMESPACE = uuid.UUID("0198c0de-5eed-7000-8000-000000000000")
_HOME = {
    "recipient": "Ada Lovelace",
    "line1": "Unter den Linden 1",
    "city": "Berlin",
    "postal_code": "10117",
    "country": "DE",
}


async def fill_catalogue(admin: Client) -> None:
    """Create every product that is missing, and receive its stock."""
    bound = asyncio.Semaphore(_AT_ONCE)

    async def add(item: Item) -> None:
        async with bound:
            await _add(admin, item)

    await asyncio.gather(*map(add, catalogue()))


async def _add(admin: Client, item: Item) -> None:
    body = {**vars(item), "price": {"amount": item.price, "currency": "EUR"}}
    try:
        made = await admin.post("/api/products", body, key=_key("product", item.sku))
    except Refused as refused:
        if refused.slug != "sku-taken":
            raise
        return
    received = f"/api/products/{made['id']}/stock"
    await admin.post(received, {"quantity": STOCK}, key=_key("stock", item.sku))


async def register_customer(client: Client, account: Account) -> None:
    """Make the customer, with an address and a card."""
    profile = {"email": account.email, "password": account.password, "display_name": "Ada Lovelace"}
    try:
        await client.post("/api/users", profile, key=uuid.uuid4().hex)
    except Refused as refused:
        if refused.slug != "email-taken":
            raise
    await client.sign_in(account.email, account.password)
    if not (await client.get("/api/users/me/addresses"))["items"]:
        await client.post("/api/users/me/addresses", _HOME, key=uuid.uuid4().hex)
    if not (await client.get("/api/payments/methods"))["items"]:
        card = {"provider_token": "pm_card_visa"}
        await client.post("/api/payments/methods", card, key=uuid.uuid4().hex)


async def seed(asked: Mapping[str, Any]) -> None:
    """Do what `main` reads."""
    admin, customer = Account(**asked["admin"]), Account(**asked["customer"])
    async with aiohttp.ClientSession(asked["url"]) as session:
        as_admin = Client(session)
        await as_admin.sign_in(admin.email, admin.password)
        await fill_catalogue(as_admin)
        # Last of all: that the customer can sign in says that everything is there.
        await register_customer(Client(session), customer)


def _key(what: str, sku: str) -> str:
    """The same key for the same thing, so that a repetition has no second effect."""
    return uuid.uuid5(_NAMESPACE, f"{what} {sku}").hex


def main() -> int:
    """Fill the shop that standard input names."""
    try:
        asyncio.run(seed(json.load(sys.stdin)))
    except (Refused, aiohttp.ClientError, OSError) as error:
        sys.stderr.write(f"the shop could not be filled: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
