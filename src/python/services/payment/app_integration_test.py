from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aiobotocore.session import get_session

from backing.fixtures import Account
from backing.stripe import Stripe
from chassis.clock import new_id, utc_now
from chassis.testing import TokenIssuer, eventually, run_program, running
from contracts.events.envelope import Envelope, Event
from contracts.events.order import OrderCreated, OrderLine
from contracts.events.payment import (
    PaymentAuthorized,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)
from contracts.money import Money
from contracts.topology import EVENTS
from services.payment import app as payment_app
from services.payment.conftest import HOME, TEN, WEBHOOK_SECRET, cancelled, confirmed, settings

PROGRAM = "services.payment.app"

API_KEY = "sk_test_key"
CARD = "pm_card_visa"
# It may be kept, and is declined whenever it is charged: https://docs.stripe.com/testing#declined-payments
BAD_CARD = "pm_card_chargeCustomerFail"


def connected(broker: Account, stripe: Stripe) -> dict[str, Any]:
    return {
        "payment_events_topic_arn": broker.topic_arns["payment-events"],
        "payment_processing_queue_url": broker.queue_urls["payment-processing-queue"],
        "stripe_api_base": stripe.url,
        "stripe_api_key": API_KEY,
        "stripe_webhook_secret": WEBHOOK_SECRET,
    }


@dataclass
class Shop:
    """The running service, and a customer of it."""

    client: httpx.AsyncClient
    issuer: TokenIssuer
    broker: Account
    stripe: Stripe
    customer: uuid.UUID

    async def keep(self, card: str) -> uuid.UUID:
        """Keep one of the provider's test cards."""
        answer = await self.client.post(
            "/api/payments/methods",
            json={"provider_token": card},
            headers=self.issuer.headers(self.customer),
        )
        assert 201 == answer.status_code, answer.text
        return uuid.UUID(answer.json()["id"])

    async def order(self, card: str = CARD) -> OrderCreated:
        """An order of 10.00 EUR that is paid with `card`, of which nobody has heard yet."""
        price = Money(amount=500, currency="EUR")
        return OrderCreated(
            order_id=new_id(),
            customer_id=self.customer,
            lines=(OrderLine(product_id=uuid.uuid4(), name="Tea", quantity=2, unit_price=price),),
            total=TEN,
            payment_method_id=await self.keep(card),
            shipping_address=HOME,
            expires_at=utc_now() + dt.timedelta(seconds=120),
        )

    async def hear(self, event: Event) -> None:
        """Have the order service publish `event`, twice: nobody promises that it comes once."""
        await self.broker.publish(event, copies=2)

    async def told(self) -> Event:
        """The next event that reaches the order service."""
        queue = self.broker.queue_urls["order-processing-queue"]

        async def look() -> list[dict[str, Any]]:
            answer = await sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1, WaitTimeSeconds=1)
            messages: list[dict[str, Any]] = answer.get("Messages", [])
            return messages

        async with get_session().create_client("sqs", **self.broker.client_options) as sqs:
            (message,) = await eventually(look, within_s=20)
        envelope = Envelope.model_validate_json(message["Body"])
        return EVENTS[envelope.type].model_validate(envelope.data)

    async def provider(self, path: str, **query: str) -> Any:
        """What the provider answers."""
        async with httpx.AsyncClient(base_url=self.stripe.url, auth=(API_KEY, "")) as client:
            answer = await client.get(path, params=query)
            assert 200 == answer.status_code, answer.text
            return answer.json()

    async def intents(self, order: OrderCreated) -> list[tuple[str, int, int]]:
        """What the provider has of an order: status, amount held, amount taken of each intent."""
        query = f"metadata['order_id']:'{order.order_id}'"
        found = await self.provider("/v1/payment_intents/search", query=query)
        return [
            (each["status"], each["amount_capturable"], each["amount_received"]) for each in found["data"]
        ]

    async def payment(self, order: OrderCreated) -> dict[str, Any]:
        """The payment as the customer sees it."""
        headers = self.issuer.headers(self.customer)
        answer = await self.client.get(f"/api/payments/by-order/{order.order_id}", headers=headers)
        payment: dict[str, Any] = answer.json()
        return payment


@pytest.fixture
async def shop(
    migrated_url: str, broker: Account, stripe_server: Stripe, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    """The service with its queue, its topic and the provider."""
    for name, value in broker.environment.items():
        monkeypatch.setenv(name, value)
    issuer = TokenIssuer()
    app = payment_app.build(settings(migrated_url, **connected(broker, stripe_server)))
    async with running(app, issuer) as client:
        yield Shop(client, issuer, broker, stripe_server, uuid.uuid4())


async def test_the_amount_of_an_order_is_held_and_then_taken(shop: Shop) -> None:
    """Held when it is placed, taken when it is confirmed; once each, and told each time."""
    order = await shop.order()
    await shop.hear(order)
    held = await shop.told()
    assert isinstance(held, PaymentAuthorized)
    assert (order.order_id, shop.customer, TEN) == (held.order_id, held.customer_id, held.amount)
    assert [("requires_capture", 1000, 0)] == await shop.intents(order)
    assert "AUTHORIZED" == (await shop.payment(order))["status"]

    await shop.hear(confirmed(order))
    taken = await shop.told()
    assert isinstance(taken, PaymentCompleted)
    assert (order.order_id, held.payment_id, TEN) == (taken.order_id, taken.payment_id, taken.amount)
    assert [("succeeded", 0, 1000)] == await shop.intents(order)
    assert "CAPTURED" == (await shop.payment(order))["status"]


async def test_a_declined_card_fails_the_payment(shop: Shop) -> None:
    """For the provider's own reason; nothing is held, and the next order may be paid with another card."""
    order = await shop.order(BAD_CARD)
    await shop.hear(order)
    failed = await shop.told()
    assert isinstance(failed, PaymentFailed)
    assert (order.order_id, "authorization", "card_declined") == (failed.order_id, failed.stage, failed.code)
    assert failed.detail.startswith("Your card was declined.")
    assert [[0, 0]] == [amounts for _, *amounts in await shop.intents(order)]
    assert "FAILED" == (await shop.payment(order))["status"]
    await shop.hear(await shop.order(CARD))
    assert isinstance(await shop.told(), PaymentAuthorized)


async def test_a_cancelled_order_is_let_go_of(shop: Shop) -> None:
    """What is held costs the customer nothing."""
    order = await shop.order()
    await shop.hear(order)
    await shop.told()
    await shop.hear(cancelled(order))
    assert isinstance(await shop.told(), PaymentVoided)
    assert [("canceled", 0, 0)] == await shop.intents(order)


async def test_what_was_taken_for_a_cancelled_order_goes_back(shop: Shop) -> None:
    """All of it, once."""
    order = await shop.order()
    for event in (order, confirmed(order)):
        await shop.hear(event)
        await shop.told()
    await shop.hear(cancelled(order))
    refunded = await shop.told()
    assert isinstance(refunded, PaymentRefunded)
    assert (TEN, TEN) == (refunded.amount, refunded.total_refunded)
    refunds = (await shop.provider("/v1/refunds"))["data"]
    assert [("succeeded", 1000)] == [(refund["status"], refund["amount"]) for refund in refunds]


@pytest.mark.parametrize(
    ("path", "event"),
    [("/v1/payment_intents", lambda order: order), ("/v1/payment_intents/pi_", confirmed)],
    ids=["hold", "capture"],
)
async def test_a_call_whose_answer_is_lost_is_made_once(
    shop: Shop, path: str, event: Callable[[OrderCreated], Event]
) -> None:
    """The provider did as it was asked and could not say so; asked again it answers and does no more."""
    order = await shop.order()
    if event is confirmed:
        await shop.hear(order)
        await shop.told()
    shop.stripe.control(path=path, drop_answers=1)
    await shop.hear(event(order))
    assert type(await shop.told()) in {PaymentAuthorized, PaymentCompleted}
    assert 0 == shop.stripe.control()["drop_answers"]
    (intent,) = await shop.intents(order)
    assert intent == (("succeeded", 0, 1000) if event is confirmed else ("requires_capture", 1000, 0))


async def test_payments_outlast_the_provider(shop: Shop) -> None:
    """It fails for a while; the order hears of the hold as soon as there is one."""
    order = await shop.order()
    shop.stripe.control(fail=2)
    await shop.hear(order)
    assert isinstance(await shop.told(), PaymentAuthorized)
    assert 0 == shop.stripe.control()["fail"]
    assert [("requires_capture", 1000, 0)] == await shop.intents(order)


def test_the_program_migrates_and_says_what_is_missing(
    database_url: str, broker: Account, stripe_server: Stripe
) -> None:
    """As an operator starts it."""
    given = {"port": "1", "jwks_url": "http://127.0.0.1:9", "database_url": database_url}
    given |= connected(broker, stripe_server)
    env = broker.environment | {name.upper(): value for name, value in given.items()}

    for command in ("migrate", "migrate", "dead-jobs"):
        done = run_program(PROGRAM, env, command)
        assert (0, "") == (done.returncode, done.stderr)
    del env["STRIPE_WEBHOOK_SECRET"]
    env["STRIPE_API_KEY"] = "pk_secret"
    refused = run_program(PROGRAM, env, "serve")
    assert 78 == refused.returncode
    assert "STRIPE_WEBHOOK_SECRET is not set" in refused.stderr
    assert "STRIPE_API_KEY cannot be used" in refused.stderr
    assert "pk_secret" not in refused.stderr
