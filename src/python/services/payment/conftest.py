"""The payment service in a test: on a real database, with the provider as a fake of its own port."""

from __future__ import annotations

import asyncio
import datetime as dt
import hmac
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from backing.fixtures import Databases
from chassis import jobs, migrations
from chassis.access import Ground
from chassis.clock import new_id, utc_now
from chassis.database import Database
from chassis.jobs import JobRunner
from chassis.outbox import Outbox
from chassis.testing import TokenIssuer, running
from contracts.events.envelope import Envelope, Event
from contracts.events.order import Address, OrderCancelled, OrderConfirmed, OrderCreated, OrderLine
from contracts.money import Money
from contracts.topology import EVENTS
from services.payment import app as payment_app
from services.payment import calls, store
from services.payment.calls import BATCH, Calls
from services.payment.consumers import Consumers
from services.payment.domain import AuthorizeCall, DetachCall, Payment, RefundCall
from services.payment.provider import Card, ProviderUnavailable
from services.payment.settings import Settings
from services.payment.store import SavedMethod

HOME = Address(recipient="Ada", line1="Allee 1", city="Berlin", postal_code="10115", country="DE")
ELSEWHERE = HOME.model_copy(update={"city": "Bonn"})
TEN = Money(amount=1000, currency="EUR")
WEBHOOK_SECRET = "whsec_test"
LOST = ProviderUnavailable("no answer")


@dataclass
class FakeProvider:
    """A provider in memory that says yes, or fails with what a test puts into `fails`."""

    fails: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, object]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    taken: bool = False  # whether what is to be let go of was taken already

    @property
    def kinds(self) -> list[str]:
        """What it was asked for."""
        return [what for what, _ in self.asked]

    def _ask(self, what: str, about: object, key: str) -> None:
        self.asked.append((what, about))
        self.keys.append(key)
        if what in self.fails:
            raise self.fails[what]

    async def create_customer(self, customer_id: uuid.UUID, key: str) -> str:
        self._ask("create_customer", customer_id, key)
        return f"cus_{customer_id.hex}"

    async def attach(self, token: str, customer: str, key: str) -> Card:
        self._ask("attach", token, key)
        assert customer.startswith("cus_")
        return Card(f"pm_{uuid.uuid5(uuid.NAMESPACE_OID, key).hex}", "visa", "4242", 12, 2040)

    async def detach(self, call: DetachCall, key: str) -> None:
        self._ask("detach", call, key)

    async def authorize(self, call: AuthorizeCall, key: str) -> str:
        self._ask("authorize", call, key)
        return intent_of(call.payment_id)

    async def capture(self, intent_id: str, key: str) -> None:
        self._ask("capture", intent_id, key)

    async def void(self, intent_id: str, key: str) -> bool:
        self._ask("void", intent_id, key)
        return not self.taken

    async def refund(self, call: RefundCall, key: str) -> None:
        self._ask("refund", call, key)


def intent_of(payment_id: uuid.UUID) -> str:
    """The id that the fake gives to the intent of a payment."""
    return f"pi_{payment_id.hex}"


@dataclass
class Desk:
    """The service's parts without its routes: what it hears, what it asks the provider, what it tells."""

    database: Database
    provider: FakeProvider
    customer: uuid.UUID
    method: uuid.UUID

    async def hear(self, *events: Event) -> None:
        """Handle `events`, each in a transaction of its own."""
        handlers = Consumers(Outbox("payment", store.OUTBOX)).handlers
        for event in events:
            async with self.database.transaction() as tx:
                await handlers[type(event)](tx, event)

    async def work(self, **options: Any) -> None:
        """Make every call that is due."""
        handler = Calls(self.provider, Outbox("payment", store.OUTBOX), **options).handle
        runner = JobRunner(self.database, store.PROVIDER_CALLS, handler, batch=BATCH)
        while await runner.run_once():
            pass

    async def make_due(self) -> None:
        """Let no call wait for its back-off."""
        async with self.database.transaction() as tx:
            await tx.execute(store.PROVIDER_CALLS.update().values(due_at=sa.func.now()))

    async def waiting(self) -> list[str]:
        """The kinds of calls that are not made yet."""
        async with self.database.reading() as connection:
            rows = await connection.execute(
                sa.select(store.PROVIDER_CALLS.c.kind).order_by(store.PROVIDER_CALLS.c.id)
            )
            return list(rows.scalars())

    async def payment(self, order_id: uuid.UUID) -> Payment:
        """The payment of an order."""
        async with self.database.reading() as connection:
            return await store.find_of_order(connection, order_id)

    async def told(self) -> list[Event]:
        """Every event that is on its way out."""
        async with self.database.reading() as connection:
            rows = await connection.execute(sa.select(store.OUTBOX.c.body).order_by(store.OUTBOX.c.id))
            envelopes = [Envelope.model_validate_json(body) for body in rows.scalars()]
        return [EVENTS[envelope.type].model_validate(envelope.data) for envelope in envelopes]

    async def types_told(self) -> list[str]:
        """The types of every event that is on its way out."""
        return [event.type for event in await self.told()]

    def created(self, **changes: Any) -> OrderCreated:
        """An order of the customer for 10.00 EUR, paid with the customer's card."""
        line = OrderLine(
            product_id=uuid.uuid4(), name="Tea", quantity=2, unit_price=Money(amount=500, currency="EUR")
        )
        event = OrderCreated(
            order_id=new_id(),
            customer_id=self.customer,
            lines=(line,),
            total=TEN,
            payment_method_id=self.method,
            shipping_address=HOME,
            expires_at=utc_now() + dt.timedelta(seconds=120),
        )
        return event.model_copy(update=changes)

    async def authorized(self) -> OrderCreated:
        """An order whose amount is held."""
        order = self.created()
        await self.hear(order)
        await self.work()
        return order

    async def captured(self) -> OrderCreated:
        """An order whose amount was taken."""
        order = await self.authorized()
        await self.hear(confirmed(order))
        await self.work()
        return order


def confirmed(order: OrderCreated) -> OrderConfirmed:
    """The confirmation of an order."""
    return OrderConfirmed(order_id=order.order_id, customer_id=order.customer_id, total=order.total)


def cancelled(order: OrderCreated) -> OrderCancelled:
    """The cancellation of an order."""
    return OrderCancelled(order_id=order.order_id, customer_id=order.customer_id, reason="requested")


def saved_method(customer_id: uuid.UUID, **changes: Any) -> SavedMethod:
    """A customer's card."""
    identity = new_id()
    method = SavedMethod(identity, customer_id, f"pm_{identity.hex}", "visa", "4242", 12, 2040, utc_now())
    return replace(method, **changes)


def payment(**changes: Any) -> Payment:
    """A payment of 10.00 EUR that nothing has happened to."""
    new = Payment(
        id=new_id(),
        order_id=new_id(),
        customer_id=new_id(),
        amount=TEN,
        created_at=utc_now(),
        payment_method_id=new_id(),
        shipping_address=HOME,
    )
    return replace(new, **changes)


def settings(database_url: str, **changes: Any) -> Settings:
    """Settings that reach nothing but the database."""
    nowhere = "http://127.0.0.1:9"
    values: dict[str, Any] = {
        "environment": "test",
        "port": 1,
        "database_url": database_url,
        "jwks_url": nowhere,
        "payment_events_topic_arn": "arn:aws:sns:eu-central-1:000000000000:payment-events",
        "payment_processing_queue_url": nowhere + "/queue",
        "queue_wait_s": 1,
        "stripe_api_key": "sk_test_key",
        "stripe_webhook_secret": WEBHOOK_SECRET,
        "stripe_api_base": nowhere,
    }
    return Settings(**(values | changes))


@pytest.fixture
async def migrated_url(databases: Databases) -> str:
    """A database with the service's tables, which are empty."""
    return await databases.clean(payment_app.NAME, partial(migrations.upgrade_async, payment_app.MIGRATIONS))


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """The service's database."""
    opened = Database(migrated_url, pool_size=5)
    yield opened
    await opened.close()


async def new_desk(database: Database) -> Desk:
    """The service's parts, and a customer with a card."""
    customer = new_id()
    method = saved_method(customer)
    async with database.transaction() as tx:
        await store.add_provider_customer(tx, customer, f"cus_{customer.hex}")
        await store.add_method(tx, method)
    return Desk(database, FakeProvider(), customer, method.id)


@pytest.fixture
async def desk(database: Database) -> Desk:
    """The service's parts, and a customer with a card."""
    return await new_desk(database)


class Idle:
    """In place of the runner: nobody makes the calls but `Desk.work`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Do nothing until `stop` is set."""
        await stop.wait()


@dataclass
class Shop:
    """The running service, whose calls are made when a test says so."""

    app: FastAPI
    client: httpx.AsyncClient
    issuer: TokenIssuer
    desk: Desk

    def headers(self, *roles: str, of: uuid.UUID | None = None) -> dict[str, str]:
        """The headers of a request of the customer, or of another."""
        return self.issuer.headers(of or self.desk.customer, *roles)


@pytest.fixture
async def shop(
    desk: Desk,
    aws_nowhere: None,  # noqa: ARG001 - sets the environment
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Shop]:
    """The service's routes as they run; queue, topic and jobs stand still."""
    monkeypatch.setattr(calls, "runner", lambda *_: Idle())
    issuer = TokenIssuer()
    app = payment_app.build(settings(desk.database.url))
    async with running(app, issuer) as client:
        app.state.parts = replace(app.state.parts, provider=desk.provider)
        yield Shop(app, client, issuer, desk)


async def ground(shop: Shop) -> Ground:
    """A payment of the customer that can be refunded, and the card it was made with."""
    order = await shop.desk.captured()
    payment = await shop.desk.payment(order.order_id)
    known = {
        "payment_id": str(payment.id),
        "order_id": str(order.order_id),
        "method_id": str(shop.desk.method),
        "amount": 1,
    }
    return Ground(shop.client, shop.desk.database, shop.app.openapi(), known)


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, age_s: int = 0) -> dict[str, str]:
    """The headers with which the provider sends `body`, whatever bytes it is of."""
    at = int(time.time()) - age_s
    signature = hmac.digest(secret.encode(), f"{at}.".encode() + body, "sha256").hex()
    return {"Stripe-Signature": f"t={at},v1={signature}", "Content-Type": "application/json"}


def event(kind: str, about: dict[str, Any]) -> dict[str, Any]:
    """An event of the provider."""
    return {"id": f"evt_{uuid.uuid4().hex}", "type": kind, "data": {"object": about}}


def intent(payment: Payment, **more: Any) -> dict[str, Any]:
    """The intent of a payment, as the provider tells of it."""
    return {"id": intent_of(payment.id), "metadata": {"payment_id": str(payment.id)}, **more}


async def unanswered(shop: Shop, what: str) -> Payment:
    """A payment whose call was made and not answered."""
    shop.desk.provider.fails[what] = LOST
    order = await shop.desk.authorized()
    if what != "authorize":
        await shop.desk.hear(confirmed(order) if what == "capture" else cancelled(order))
        await shop.desk.work()
    return await shop.desk.payment(order.order_id)
