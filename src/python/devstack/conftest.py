"""A shop in a test: the whole of it, as `./pants up` starts it, with handles to hold and kill its parts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from backing.ports import free_port
from backing.process import Process, python_module
from devstack.client import Client
from devstack.invariants import Ledgers
from devstack.load import Customer, customer
from devstack.state import Running, State

T = TypeVar("T")

START_TIMEOUT_S = 120.0
# What a killed consumer had in hand comes again after this instead of after minutes.
SHORT = {"QUEUE_VISIBILITY_TIMEOUT_S": "4", "ORDER_DEADLINE_S": "15", "LOG_LEVEL": "INFO"}


def up(directory: Path, *args: str, port: int | None = None, env: dict[str, str] | None = None) -> Process:
    """The process of `./pants up`, with its state in `directory`."""
    return python_module(
        "up",
        "devstack",
        "up",
        "--state",
        str(directory / "state"),
        "--port",
        str(port or free_port()),
        *args,
        log=directory / "up.log",
        env=SHORT | (env or {}),
        stop_timeout_s=60,
    )


def wait_open(process: Process, directory: Path) -> Running:
    """Where the shop is, once it is open."""
    state = State(directory / "state")
    process.wait_ready((directory / "state" / "running.json").exists, START_TIMEOUT_S)
    return state.running()


@dataclass
class OpenShop:
    """A running shop. `running` says where everything is."""

    directory: Path
    process: Process

    @property
    def running(self) -> Running:
        """As of now: a part that was started again has another process."""
        return State(self.directory / "state").running()

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a part."""
        os.kill(self.running.pids[name], number)

    @contextlib.contextmanager
    def held(self, *names: str) -> Iterator[None]:
        """Parts that stand still meanwhile."""
        for name in names:
            self.send(name, signal.SIGSTOP)
        try:
            yield
        finally:
            for name in names:
                self.send(name, signal.SIGCONT)

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill a part, and return when it runs again."""
        before = self.running.pids[name]
        os.kill(before, number)
        await eventually(lambda: _now(self.running.pids.get(name, before) != before), within_s=60)

    def provider(self, **settings: Any) -> dict[str, Any]:
        """Change how the payment provider behaves; see `backing.stripe_server`."""
        request = urllib.request.Request(  # noqa: S310 - on the loopback interface
            f"{self.running.stripe_url}/_config/control", json.dumps(settings).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
        return found


async def eventually(check: Callable[[], Awaitable[T]], *, within_s: float = 30) -> T:
    """What `check` returns as soon as that is true; AssertionError if it is not in time."""
    deadline = time.monotonic() + within_s
    while not (found := await check()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        await asyncio.sleep(0.05)
    return found


async def _now(value: T) -> T:
    return value


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenShop]:
    """A shop for the tests of a module."""
    directory = tmp_path_factory.mktemp("shop")
    process = up(directory)
    process.start()
    wait_open(process, directory)
    yield OpenShop(directory, process)
    process.stop()


@dataclass
class Visit:
    """A customer in the shop, and what they see of it."""

    shop: OpenShop
    customer: Customer
    ledgers: Ledgers
    product: str

    @property
    def client(self) -> Client:
        """The customer's client."""
        return self.customer.client

    async def place(self, quantity: int = 1, **changes: Any) -> str:
        """Place an order; returns its id."""
        body = {
            "items": [{"product_id": self.product, "quantity": quantity}],
            "payment_method_id": self.customer.method_id,
            "address_id": self.customer.address_id,
        }
        return str((await self.client.post("/api/orders", body | changes))["id"])

    async def order(self, order_id: str) -> Any:
        """The order as the customer sees it."""
        return await self.client.get(f"/api/orders/{order_id}")

    async def becomes(self, order_id: str, status: str, payment: str, *, within_s: float = 30) -> Any:
        """The order, once it and its payment stand like that."""

        async def look() -> Any:
            order = await self.order(order_id)
            return order if (order["status"], order["payment"]) == (status, payment) else None

        try:
            return await eventually(look, within_s=within_s)
        except AssertionError:
            raise AssertionError(f"not {status}, {payment}: {await self.order(order_id)}") from None

    async def stock(self) -> tuple[int, int, int]:
        """On hand, reserved and sold of the product."""
        query = "SELECT on_hand, reserved, sold FROM stock WHERE product_id = $1"
        (row,) = await self.ledgers.fetch("product", query, uuid.UUID(self.product))
        return row["on_hand"], row["reserved"], row["sold"]

    async def stock_becomes(self, expected: tuple[int, int, int]) -> None:
        """Return once the product's stock is as expected."""

        async def look() -> bool:
            return await self.stock() == expected

        try:
            await eventually(look)
        except AssertionError:
            assert expected == await self.stock()

    async def steps(self, order_id: str) -> list[str]:
        """What has happened to the order, in that order."""
        return [step["what"] for step in (await self.order(order_id))["timeline"]]


@pytest.fixture
async def visit(open_shop: OpenShop) -> AsyncIterator[Visit]:
    """A new customer, and a product of which there are ten that nobody else buys."""
    running = open_shop.running
    async with aiohttp.ClientSession(running.url) as session, Ledgers(running.database_urls) as ledgers:
        admin = Client(session)
        await admin.sign_in(running.admin.email, running.admin.password)
        body = {
            "name": "Rare tea",
            "description": "",
            "category": "Tea",
            "price": {"amount": 1000, "currency": "EUR"},
        }
        product = (await admin.post("/api/products", body))["id"]
        await admin.post(f"/api/products/{product}/stock", {"quantity": 10})
        yield Visit(open_shop, await customer(session), ledgers, product)


async def drain(sqs: Any, url: str, *, at_least: int) -> Sequence[Any]:
    """The messages of a queue, taken out of it, as soon as there are that many."""
    found: list[Any] = []
    deadline = time.monotonic() + 20
    while len(found) < at_least:
        assert time.monotonic() < deadline, f"{len(found)} messages instead of {at_least}"
        answer = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            found.append(message)
            await sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found
