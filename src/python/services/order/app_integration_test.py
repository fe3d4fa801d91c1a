from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from aiobotocore.session import get_session

from backing.fixtures import Account
from chassis.database import Database
from chassis.testing import eventually, run_program
from contracts.events.envelope import Envelope, Event
from contracts.events.inventory import Shortage, StockRejected, StockReserved
from contracts.events.order import OrderCreated
from contracts.events.payment import PaymentAuthorized
from contracts.money import Money
from services.order import store
from services.order.conftest import HOME, Shop, serving

PROGRAM = "services.order.app"

TEN = Money(amount=1000, currency="EUR")


def connected(broker: Account) -> dict[str, Any]:
    return {
        "order_events_topic_arn": broker.topic_arns["order-events"],
        "notification_events_topic_arn": broker.topic_arns["notification-events"],
        "order_processing_queue_url": broker.queue_urls["order-processing-queue"],
    }


@pytest.fixture
async def shop(database: Database, broker: Account, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    """The service with its queue and its topics, one product at 5.00 EUR and one address."""
    for name, value in broker.environment.items():
        monkeypatch.setenv(name, value)
    async with serving(database, **connected(broker)) as shop:
        yield shop


async def placed(shop: Shop) -> uuid.UUID:
    """A new order of two teas."""
    answer = await shop.place()
    assert 201 == answer.status_code
    return uuid.UUID(answer.json()["id"])


def reserved(order_id: uuid.UUID, _: Shop) -> Event:
    return StockReserved(order_id=order_id)


def authorized(order_id: uuid.UUID, shop: Shop) -> Event:
    return PaymentAuthorized(
        order_id=order_id, payment_id=uuid.uuid4(), customer_id=shop.customer, amount=TEN
    )


async def becomes(shop: Shop, order_id: uuid.UUID, status: str) -> dict[str, Any]:
    """The order as its customer sees it, once it has that status."""

    async def look() -> dict[str, Any] | None:
        answer = await shop.client.get(f"/api/orders/{order_id}", headers=shop.issuer.headers(shop.customer))
        order: dict[str, Any] = answer.json()
        return order if order["status"] == status else None

    seen = await eventually(look, within_s=20)
    assert seen is not None
    return seen


async def quiet(shop: Shop, broker: Account) -> None:
    """Return once every message that came was handled, and every event published."""

    async def is_quiet() -> bool:
        async with get_session().create_client("sqs", **broker.client_options) as sqs:
            answer = await sqs.get_queue_attributes(
                QueueUrl=broker.queue_urls["order-processing-queue"], AttributeNames=["All"]
            )
        left = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        async with shop.database.reading() as connection:
            unpublished = await connection.scalar(sa.select(sa.func.count()).select_from(store.OUTBOX))
        return unpublished == 0 and all(answer["Attributes"][name] == "0" for name in left)

    await eventually(is_quiet, within_s=20)


async def heard(broker: Account, queue: str) -> list[Envelope]:
    """Everything that lies in a queue."""
    envelopes: list[Envelope] = []
    async with get_session().create_client("sqs", **broker.client_options) as sqs:
        while messages := (
            await sqs.receive_message(QueueUrl=broker.queue_urls[queue], MaxNumberOfMessages=10)
        ).get("Messages"):
            envelopes += [Envelope.model_validate_json(message["Body"]) for message in messages]
    return envelopes


async def types_heard(broker: Account, order_id: uuid.UUID) -> dict[str, list[str]]:
    """The types of what each of the others was told of the order, in no order."""
    told = {}
    for queue in ("payment-processing-queue", "inventory-update-queue", "notification-queue"):
        envelopes = await heard(broker, queue)
        assert {order_id} >= {envelope.subject for envelope in envelopes}
        told[queue] = sorted(envelope.type for envelope in envelopes)
    return told


async def test_an_order_that_is_placed_is_known_to_stock_and_payment(shop: Shop, broker: Account) -> None:
    """With all they need: what of, how much for, how it is paid and by when."""
    answer = await shop.place()
    order = answer.json()
    await quiet(shop, broker)
    for queue in ("payment-processing-queue", "inventory-update-queue"):
        (envelope,) = await heard(broker, queue)
        assert ("mercato.ORDER_CREATED.v1", "/services/order") == (envelope.type, envelope.source)
        event = OrderCreated.model_validate(envelope.data)
        assert (order["id"], shop.customer, TEN) == (str(event.order_id), event.customer_id, event.total)
        assert [(shop.product, 2)] == [(line.product_id, line.quantity) for line in event.lines]
        assert HOME == event.shipping_address
        assert dt.datetime.fromisoformat(order["expires_at"]) == event.expires_at
    assert [] == await heard(broker, "notification-queue")


@pytest.mark.parametrize(
    "answers", [(reserved, authorized), (authorized, reserved)], ids=["stock first", "payment first"]
)
async def test_an_order_is_confirmed_when_stock_and_money_are_there(
    shop: Shop, broker: Account, answers: Any
) -> None:
    """Once, whoever answers first and however often; then all others are told."""
    order_id = await placed(shop)
    first, second = (answer(order_id, shop) for answer in answers)
    await broker.publish(first, copies=2)
    await quiet(shop, broker)
    await becomes(shop, order_id, "PENDING")  # one answer is not enough
    await broker.publish(second, copies=2)
    order = await becomes(shop, order_id, "CONFIRMED")
    await quiet(shop, broker)
    assert sorted(["ORDER_CREATED", "ORDER_CONFIRMED", first.type, second.type]) == sorted(
        step["what"] for step in order["timeline"]
    )
    assert {
        "payment-processing-queue": ["mercato.ORDER_CONFIRMED.v1", "mercato.ORDER_CREATED.v1"],
        "inventory-update-queue": ["mercato.ORDER_CONFIRMED.v1", "mercato.ORDER_CREATED.v1"],
        "notification-queue": ["mercato.ORDER_CONFIRMED_NOTICE.v1"],
    } == await types_heard(broker, order_id)


async def test_an_order_of_what_is_not_there_is_cancelled(shop: Shop, broker: Account) -> None:
    """Payment is told, to let go of what it holds; the hold that comes afterwards confirms nothing."""
    order_id = await placed(shop)
    short = Shortage(product_id=shop.product, requested=2, available=1)
    await broker.publish(StockRejected(order_id=order_id, shortages=(short,)), copies=2)
    await becomes(shop, order_id, "CANCELLED")
    await broker.publish(authorized(order_id, shop), copies=2)
    await quiet(shop, broker)
    order = await becomes(shop, order_id, "CANCELLED")
    assert "out_of_stock" == order["cancel_reason"]
    assert {
        "payment-processing-queue": ["mercato.ORDER_CANCELLED.v1", "mercato.ORDER_CREATED.v1"],
        "inventory-update-queue": ["mercato.ORDER_CANCELLED.v1", "mercato.ORDER_CREATED.v1"],
        "notification-queue": ["mercato.ORDER_CANCELLED_NOTICE.v1"],
    } == await types_heard(broker, order_id)


def test_the_program_migrates_and_says_what_is_missing(database_url: str, broker: Account) -> None:
    """As an operator starts it."""
    nowhere = "http://127.0.0.1:9"
    given = {"port": "1", "jwks_url": nowhere, "product_url": nowhere, "user_url": nowhere}
    given |= connected(broker) | {"database_url": database_url}
    env = broker.environment | {name.upper(): value for name, value in given.items()}

    for command in ("migrate", "migrate", "dead-jobs"):
        done = run_program(PROGRAM, env, command)
        assert (0, "") == (done.returncode, done.stderr)
    del env["PRODUCT_URL"]
    env["ORDER_EVENTS_TOPIC_ARN"] = "order-events"
    refused = run_program(PROGRAM, env, "serve")
    assert 78 == refused.returncode
    assert "PRODUCT_URL is not set" in refused.stderr
    assert "ORDER_EVENTS_TOPIC_ARN cannot be used" in refused.stderr
