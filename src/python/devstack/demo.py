"""`./pants demo`: a customer registers, buys, is charged and is mailed, against a running shop."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from devstack.client import Client, Refused
from devstack.state import State, StateError, default_directory

_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Story:
    """What the demo plays: how the customer pays, how many they want, how it must end and what is mailed."""

    card: str
    quantity: int
    status: str
    payment: str
    subject: str
    cancels: bool = False


STORIES = {
    "bought": Story("pm_card_visa", 2, "CONFIRMED", "COMPLETED", "order is confirmed"),
    "declined": Story("pm_card_chargeCustomerFail", 2, "CANCELLED", "FAILED", "payment did not go through"),
    "out-of-stock": Story("pm_card_visa", 1000, "CANCELLED", "VOIDED", "order is cancelled"),
    "cancelled": Story("pm_card_visa", 2, "CANCELLED", "REFUNDED", "order is cancelled", cancels=True),
}


class DemoFailed(Exception):
    """The shop did not do what it promises; the message says what was awaited."""


def main(argv: Sequence[str] | None = None) -> int:
    """Play the demo; returns the exit status of the process."""
    arguments = _parser().parse_args(argv)
    console = Console()
    try:
        url, mailbox_url = _where(arguments)
        asyncio.run(_play(console, url, mailbox_url, STORIES[arguments.story]))
    except (StateError, DemoFailed, Refused) as error:
        said = f"[red]The demo failed:[/] {escape(str(error))}"
        Console(stderr=True).print(said, highlight=False, soft_wrap=True)
    except aiohttp.ClientError as error:
        sys.stderr.write(f"The shop cannot be reached: {error}. Start one with ./pants up.\n")
    else:
        return 0
    return 1


async def _play(console: Console, url: str, mailbox_url: str | None, story: Story) -> None:
    # Empty is how a shell, or GitHub, says that there is none.
    headers = {"X-Api-Key": key} if (key := os.environ.get("MERCATO_API_KEY")) else {}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        client = Client(session)
        email = await _register(client, console)
        order = await _buy(client, console, story)
        order = await _settled(client, order["id"], story)
        _show_timeline(console, order)
        await _charged(client, console, order, story)
        await _told(client, console, order)
    if mailbox_url is not None:
        await _mailed(console, mailbox_url, email, story)


async def _register(client: Client, console: Console) -> str:
    email, password = f"grace-{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(12)
    await client.post("/api/users", {"email": email, "password": password, "display_name": "Grace Hopper"})
    await client.sign_in(email, password)
    console.print(f"[green]✓[/] {email} registered and signed in", highlight=False)
    return email


async def _buy(client: Client, console: Console, story: Story) -> Any:
    home = {
        "recipient": "Grace Hopper",
        "line1": "1 Harbour Road",
        "city": "New York",
        "postal_code": "10004",
        "country": "US",
    }
    address = await client.post("/api/users/me/addresses", home)
    card = await client.post("/api/payments/methods", {"provider_token": story.card})
    console.print(f"[green]✓[/] has an address, and a {card['brand']} card ending in {card['last4']}")
    found = await client.get("/api/products", q="tea", in_stock="true", limit="2")
    if not found["items"]:
        raise DemoFailed("the shop sells no tea: was it started with --no-seed?")
    placed = await client.post(
        "/api/orders",
        {
            "items": [
                {"product_id": product["id"], "quantity": story.quantity} for product in found["items"]
            ],
            "payment_method_id": card["id"],
            "address_id": address["id"],
        },
    )
    names = " and ".join(f"{story.quantity} of {product['name']}" for product in found["items"])
    console.print(f"[green]✓[/] ordered {names} for {_money(placed['total'])}", highlight=False)
    return placed


async def _settled(client: Client, order_id: str, story: Story) -> Any:
    """The order once it has come to the end that the story has."""

    async def reached(status: str, payment: str) -> Any:
        order = await client.get(f"/api/orders/{order_id}")
        return order if (order["status"], order["payment"]) == (status, payment) else None

    if story.cancels:
        await _eventually(lambda: reached("CONFIRMED", "COMPLETED"), "the order to be confirmed and paid")
        await client.post(f"/api/orders/{order_id}/cancel")
    awaited = f"the order to be {story.status} with its payment {story.payment}"
    return await _eventually(lambda: reached(story.status, story.payment), awaited)


async def _charged(client: Client, console: Console, order: Any, story: Story) -> None:
    payment = await client.get(f"/api/payments/by-order/{order['id']}")
    total, refunded = payment["amount"], payment["refunded"]
    if story.payment == "COMPLETED" and (total != order["total"] or refunded["amount"]):
        raise DemoFailed(f"charged {_money(total)}, refunded {_money(refunded)} for {_money(order['total'])}")
    console.print(f"[green]✓[/] payment {payment['status'].lower()}: {_money(total)}", highlight=False)


async def _told(client: Client, console: Console, order: Any) -> None:
    async def notifications() -> Any:
        found = (await client.get("/api/notifications"))["items"]
        return [each for each in found if each.get("order_id") == order["id"]]

    found = await _eventually(notifications, "a notification about the order")
    console.print(f"[green]✓[/] notified: {found[0]['title']}", highlight=False)


async def _mailed(console: Console, mailbox_url: str, email: str, story: Story) -> None:
    async with aiohttp.ClientSession(mailbox_url) as session:

        async def mails() -> Any:
            async with session.get(f"/messages.json?{urlencode({'to': email})}") as response:
                return [mail for mail in await response.json() if story.subject in mail["subject"]]

        mail = (await _eventually(mails, f"a mail that says that the {story.subject}"))[0]
    console.print(f"[green]✓[/] mailed: {mail['subject']} ({mailbox_url}/messages/{mail['id']})")


def _show_timeline(console: Console, order: Any) -> None:
    table = Table(title=f"Order {order['id']}: {order['status']}", title_justify="left")
    table.add_column("after", justify="right")
    for name in ("step", "detail", "trace"):
        table.add_column(name, overflow="fold")
    placed = dt.datetime.fromisoformat(order["placed_at"])
    for step in order["timeline"]:
        after_ms = (dt.datetime.fromisoformat(step["at"]) - placed) / dt.timedelta(milliseconds=1)
        table.add_row(f"{after_ms:.0f} ms", step["what"], step["detail"], step["trace_id"])
    console.print(table)


async def _eventually(look: Callable[[], Awaitable[Any]], awaited: str) -> Any:
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {_PATIENCE_S:.0f} s in vain for {awaited}")
        await asyncio.sleep(_LOOK_EVERY_S)
    return found


def _where(arguments: argparse.Namespace) -> tuple[str, str | None]:
    if arguments.url is not None:
        return arguments.url, None
    running = State(arguments.state).running()
    return running.url, running.mailbox_url


def _money(money: Any) -> str:
    return f"{money['amount'] / 100:.2f} {money['currency']}"  # the seeded catalogue is in EUR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./pants demo",
        description=__doc__,
        epilog="MERCATO_API_KEY, if it is set, is sent as X-Api-Key: a deployed shop asks for it.",
    )
    parser.add_argument(
        "story", nargs="?", default="bought", choices=STORIES, help="what is to happen (%(default)s)"
    )
    parser.add_argument("--url", help="of the shop's gateway, instead of the one that ./pants up started")
    parser.add_argument("--state", type=Path, default=default_directory(), help="as of ./pants up")
    return parser


if __name__ == "__main__":
    sys.exit(main())
