"""Each way through the saga, over the real parts: five services, PostgreSQL, broker, provider, gateway."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from contracts.topology import EVENTS, SUBSCRIPTIONS
from devstack import dead_letters
from devstack.client import Client, Refused
from devstack.conftest import OpenShop, Visit, drain, eventually
from devstack.invariants import Ledgers, breaches
from devstack.load import Customer, customer
from devstack.state import Running


@pytest.fixture(autouse=True)
async def _invariants_hold(open_shop: OpenShop) -> AsyncIterator[None]:
    """After each way through the saga, whatever happened on it."""
    yield
    running = open_shop.running
    async with Ledgers(running.database_urls) as ledgers:
        await ledgers.rest(within_s=60)
    assert [] == await breaches(running)


@asynccontextmanager
async def broker(running: Running) -> AsyncIterator[tuple[Any, Any]]:
    """Clients of the shop's SNS and SQS."""
    client = dead_letters.aws_client
    async with client(running, "sns") as sns, client(running, "sqs") as sqs:
        yield sns, sqs


@asynccontextmanager
async def unpublished(ledgers: Ledgers) -> AsyncIterator[None]:
    """Events of the order service that are committed meanwhile stay in its outbox."""
    default = "ALTER TABLE outbox ALTER COLUMN due_at SET DEFAULT now()"
    await ledgers.fetch("order", f"{default} + interval '1 hour'")
    try:
        yield
    finally:
        await ledgers.fetch("order", default)
        await ledgers.fetch("order", "UPDATE outbox SET due_at = now()")
        await ledgers.fetch("order", "NOTIFY outbox")


async def a_stranger(visit: Visit) -> Customer:
    """Another customer, with an address and a card."""
    async with aiohttp.ClientSession(visit.shop.running.url) as session:
        return await customer(session)


async def mails(running: Running, email: str) -> list[str]:
    """The subjects of the mails to `email`."""
    where = f"{running.mailbox_url}/messages.json"
    async with aiohttp.ClientSession() as session, session.get(where, params={"to": email}) as answer:
        return [mail["subject"] for mail in await answer.json()]


async def test_an_order_is_confirmed_charged_and_mailed(visit: Visit) -> None:
    """The way that most orders take: everything answered with yes."""
    order_id = await visit.place(quantity=3)
    order = await visit.becomes(order_id, "CONFIRMED", "COMPLETED")
    await visit.stock_becomes((7, 0, 3))
    assert {
        "ORDER_CREATED",
        "STOCK_RESERVED",
        "PAYMENT_AUTHORIZED",
        "ORDER_CONFIRMED",
        "PAYMENT_COMPLETED",
    } == {step["what"] for step in order["timeline"]}
    payment = await visit.client.get(f"/api/payments/by-order/{order_id}")
    assert ("CAPTURED", order["total"]) == (payment["status"], payment["amount"])
    email = (await visit.client.get("/api/users/me"))["email"]

    async def all_mailed() -> bool:
        subjects = await mails(visit.shop.running, email)
        return {"Your order is confirmed"} <= set(subjects) and len(subjects) == 3  # welcome, order, receipt

    await eventually(all_mailed)


async def test_one_trace_runs_through_the_whole_saga(visit: Visit) -> None:
    """From the customer's request over every queue to the confirmation."""
    order_id = await visit.place()
    order = await visit.becomes(order_id, "CONFIRMED", "COMPLETED")
    before_the_capture = [step for step in order["timeline"] if step["what"] != "PAYMENT_COMPLETED"]
    assert 1 == len({step["trace_id"] for step in before_the_capture})


async def test_an_order_for_more_than_there_is_is_cancelled(visit: Visit) -> None:
    """What was authorised is let go, and nothing of the stock is held."""
    order_id = await visit.place(quantity=11)
    order = await visit.becomes(order_id, "CANCELLED", "VOIDED")
    assert "out_of_stock" == order["cancel_reason"]
    assert (10, 0, 0) == await visit.stock()


async def test_an_order_whose_card_is_declined_is_cancelled(visit: Visit) -> None:
    """The stock that was reserved goes back, and the customer is told why."""
    card = await visit.client.post("/api/payments/methods", {"provider_token": "pm_card_chargeCustomerFail"})
    order_id = await visit.place(payment_method_id=card["id"])
    order = await visit.becomes(order_id, "CANCELLED", "FAILED")
    assert "payment_failed" == order["cancel_reason"]
    await visit.stock_becomes((10, 0, 0))

    async def told() -> bool:
        found = (await visit.client.get("/api/notifications"))["items"]
        return any("declined" in each["text"] for each in found)

    await eventually(told)


async def test_an_order_with_somebody_elses_card_is_cancelled(visit: Visit) -> None:
    """Nor does a card that there is not pay for anything."""
    stranger = await a_stranger(visit)
    for card in (stranger.method_id, str(uuid.uuid4())):
        order_id = await visit.place(payment_method_id=card)
        await visit.becomes(order_id, "CANCELLED", "FAILED")
    await visit.stock_becomes((10, 0, 0))


async def test_an_order_to_somebody_elses_address_is_refused(visit: Visit) -> None:
    """Before there is an order, and afterwards."""
    stranger, order_id = await a_stranger(visit), await visit.place()
    there = {"address_id": stranger.address_id}
    for attempt in (
        visit.place(address_id=stranger.address_id),
        visit.client.request("PUT", f"/api/orders/{order_id}/address", there),
    ):
        with pytest.raises(Refused) as refused:
            await attempt
        assert 422 == refused.value.status
    order = await visit.becomes(order_id, "CONFIRMED", "COMPLETED")
    assert "ORDER_UPDATED" not in [step["what"] for step in order["timeline"]]


async def test_an_order_is_cancelled_while_it_is_pending(visit: Visit) -> None:
    """The answers come after the cancellation, and what they promise is let go."""
    with visit.shop.held("payment"):
        order_id = await visit.place()
        await visit.stock_becomes((9, 1, 0))
        cancelled = await visit.client.post(f"/api/orders/{order_id}/cancel")
        assert ("CANCELLED", "requested") == (cancelled["status"], cancelled["cancel_reason"])
    await visit.becomes(order_id, "CANCELLED", "VOIDED")
    await visit.stock_becomes((10, 0, 0))


async def test_an_order_is_cancelled_after_it_was_paid(visit: Visit) -> None:
    """The money goes back, the stock too; cancelling twice is cancelling once."""
    order_id = await visit.place()
    await visit.becomes(order_id, "CONFIRMED", "COMPLETED")
    for _ in range(2):
        await visit.client.post(f"/api/orders/{order_id}/cancel")
    order = await visit.becomes(order_id, "CANCELLED", "REFUNDED")
    assert order["total"] == order["refunded"]
    assert 1 == (await visit.steps(order_id)).count("PAYMENT_REFUNDED")
    await visit.stock_becomes((10, 0, 0))


async def test_an_order_that_nobody_answers_is_cancelled_at_its_deadline(visit: Visit) -> None:
    """And what the late one would have authorised is never held."""
    with visit.shop.held("payment"):
        order_id = await visit.place()
        order = await visit.becomes(order_id, "CANCELLED", "WAITING", within_s=40)
        assert "deadline_passed" == order["cancel_reason"]
    await visit.becomes(order_id, "CANCELLED", "VOIDED")
    await visit.stock_becomes((10, 0, 0))


@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/"])
async def test_the_providers_answer_is_lost_and_the_order_is_charged_once(visit: Visit, path: str) -> None:
    """The work was done; asking again with the same key finds that out."""
    visit.shop.provider(path=path, drop_answers=2)
    order_id = await visit.place()
    await visit.becomes(order_id, "CONFIRMED", "COMPLETED")
    assert 1 == (await visit.steps(order_id)).count("PAYMENT_COMPLETED")


async def test_a_provider_that_fails_for_a_while_only_delays_the_order(visit: Visit) -> None:
    """An error of the provider decides nothing."""
    visit.shop.provider(path="/v1/", fail=3)
    await visit.becomes(await visit.place(), "CONFIRMED", "COMPLETED")


async def test_events_that_come_again_in_another_order_change_nothing(visit: Visit) -> None:
    """Every event of a whole saga, delivered twice more, the last one first."""
    running = visit.shop.running
    async with broker(running) as (sns, sqs):
        tap = await _tap(sns, sqs, running)
        order_id = await visit.place(quantity=2)
        await visit.becomes(order_id, "CONFIRMED", "COMPLETED")
        await visit.client.post(f"/api/orders/{order_id}/cancel")
        before = await visit.becomes(order_id, "CANCELLED", "REFUNDED")
        await visit.stock_becomes((10, 0, 0))
        # created, reserved, authorised, confirmed, completed, cancelled, refunded, and two notices
        heard = await drain(sqs, tap, at_least=9)
        envelopes = [json.loads(message["Body"]) for message in heard]
        for envelope in sorted(envelopes, key=lambda each: each["id"], reverse=True) * 2:
            for queue in _queues_of(envelope["type"]):
                await sqs.send_message(QueueUrl=running.queue_urls[queue], MessageBody=json.dumps(envelope))
        marker = await visit.place()  # what is placed now is answered after all of that
        await visit.becomes(marker, "CONFIRMED", "COMPLETED")
        await eventually(lambda: _empty(sqs, running))
    assert before == await visit.order(order_id)
    await visit.stock_becomes((9, 0, 1))


async def test_a_cancellation_that_overtakes_its_order_leaves_nothing_held(visit: Visit) -> None:
    """Stock and payment hear of the end before the beginning."""
    running = visit.shop.running
    async with broker(running) as (_, sqs), unpublished(visit.ledgers):
        order_id = await visit.place()
        await visit.client.post(f"/api/orders/{order_id}/cancel")
        query = "SELECT body FROM outbox WHERE kind = 'mercato.ORDER_CANCELLED.v1' AND body LIKE $1"
        ((body,),) = await visit.ledgers.fetch("order", query, f"%{order_id}%")
        for queue in _queues_of("mercato.ORDER_CANCELLED.v1"):
            await sqs.send_message(QueueUrl=running.queue_urls[queue], MessageBody=body)

        async def heard() -> bool:
            payment = "SELECT 1 FROM payments WHERE order_id = $1 AND cancel_wanted"
            reservation = "SELECT 1 FROM reservations WHERE order_id = $1 AND state = 'CANCELLED'"
            return bool(
                await visit.ledgers.fetch("payment", payment, uuid.UUID(order_id))
                and await visit.ledgers.fetch("product", reservation, uuid.UUID(order_id))
            )

        await eventually(heard)
    order = await visit.becomes(order_id, "CANCELLED", "VOIDED")
    assert "STOCK_RESERVED" not in {step["what"] for step in order["timeline"]}
    assert (10, 0, 0) == await visit.stock()


async def test_a_message_that_cannot_be_read_is_put_aside_listed_and_redriven(visit: Visit) -> None:
    """It keeps nobody from the next one; once its cause is mended, a command gives it another chance."""
    running = visit.shop.running
    queue = "order-processing-queue"
    lone = _envelope("mercato.STOCK_RESERVED.v1", {"order_id": str(uuid.uuid4())})
    bodies = ["{ this is no event", json.dumps(_envelope("mercato.STOCK_RESERVED.v99", {})), json.dumps(lone)]
    async with broker(running) as (_, sqs):
        for body in bodies:
            await sqs.send_message(QueueUrl=running.queue_urls[queue], MessageBody=body)
        await visit.becomes(await visit.place(), "CONFIRMED", "COMPLETED")

        async def all_dead() -> bool:
            return len(await dead_letters.find(running)) == 3

        await eventually(all_dead, within_s=60)
        found = await dead_letters.find(running)
        assert {queue} == {dead.place for dead in found}
        assert {"unreadable", "mercato.STOCK_RESERVED.v99", "mercato.STOCK_RESERVED.v1"} == {
            dead.kind for dead in found
        }
        assert 3 == await dead_letters.redrive(running, queue)
        await eventually(all_dead, within_s=60)
        await drain(sqs, running.queue_urls[f"{queue}-dlq"], at_least=3)
    assert [] == await dead_letters.find(running)


async def test_a_dead_letter_whose_cause_is_mended_takes_effect_when_it_is_redriven(visit: Visit) -> None:
    """As if it had come in time."""
    running = visit.shop.running
    with visit.shop.held("payment"):
        order_id = await visit.place()
        await visit.stock_becomes((9, 1, 0))
        cancelled = await visit.client.post(f"/api/orders/{order_id}/cancel")
        late = _envelope(
            "mercato.PAYMENT_VOIDED.v1",
            {"order_id": order_id, "payment_id": str(uuid.uuid4()), "customer_id": cancelled["customer_id"]},
        )
        async with broker(running) as (_, sqs):
            dead = running.queue_urls["order-processing-queue-dlq"]
            await sqs.send_message(QueueUrl=dead, MessageBody=json.dumps(late))
        assert 1 == await dead_letters.redrive(running)
        await visit.becomes(order_id, "CANCELLED", "VOIDED")
    assert [] == await dead_letters.find(running)


async def test_a_write_that_is_repeated_answers_as_the_first_did(visit: Visit) -> None:
    """One order, one charge; another body under the same key is refused."""
    body = {
        "items": [{"product_id": visit.product, "quantity": 1}],
        "payment_method_id": visit.customer.method_id,
        "address_id": visit.customer.address_id,
    }
    answers = [await visit.client.post("/api/orders", body, key="again") for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    with pytest.raises(Refused) as refused:
        await visit.client.post("/api/orders", body | {"items": []}, key="again")
    assert 422 == refused.value.status
    await visit.becomes(answers[0]["id"], "CONFIRMED", "COMPLETED")
    await visit.stock_becomes((9, 0, 1))


async def test_the_last_piece_is_sold_once(visit: Visit) -> None:
    """Twenty customers' orders for ten pieces: ten are confirmed."""
    orders = await asyncio.gather(*(visit.place() for _ in range(20)))

    async def ended() -> bool:
        return all([(await visit.order(each))["status"] != "PENDING" for each in orders])

    await eventually(ended)
    await visit.stock_becomes((0, 0, 10))


async def test_what_an_admin_refunds_in_part_is_known_to_the_order(visit: Visit) -> None:
    """And the rest goes back with the cancellation, so that no more than was paid does."""
    running = visit.shop.running
    order_id = await visit.place()
    await visit.becomes(order_id, "CONFIRMED", "COMPLETED")
    payment = await visit.client.get(f"/api/payments/by-order/{order_id}")
    async with aiohttp.ClientSession(running.url) as session:
        admin = Client(session)
        await admin.sign_in(running.admin.email, running.admin.password)
        await admin.post(f"/api/payments/{payment['id']}/refund", {"amount": 400})

    async def partly() -> bool:
        return bool((await visit.order(order_id))["refunded"]["amount"] == 400)

    await eventually(partly)
    await visit.client.post(f"/api/orders/{order_id}/cancel")
    order = await visit.becomes(order_id, "CANCELLED", "REFUNDED")
    assert order["total"] == order["refunded"]


async def test_other_peoples_orders_payments_and_notifications_do_not_exist(visit: Visit) -> None:
    """Object-level authorisation: 404, as for what is not there."""
    order_id = await visit.place()
    await visit.becomes(order_id, "CONFIRMED", "COMPLETED")
    payment = await visit.client.get(f"/api/payments/by-order/{order_id}")
    told = (await visit.client.get("/api/notifications"))["items"][0]
    async with aiohttp.ClientSession(visit.shop.running.url) as session:
        stranger = await customer(session)
        for path in (
            f"/api/orders/{order_id}",
            f"/api/payments/{payment['id']}",
            f"/api/payments/by-order/{order_id}",
            f"/api/notifications/{told['id']}",
            f"/api/users/me/addresses/{visit.customer.address_id}",
        ):
            with pytest.raises(Refused) as refused:
                await stranger.client.get(path)
            assert 404 == refused.value.status, path


def _envelope(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/services/test",
        "type": kind,
        "subject": data.get("order_id", str(uuid.uuid4())),
        "time": dt.datetime.now(dt.UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }


async def _tap(sns: Any, sqs: Any, running: Running) -> str:
    """A queue that hears every event of the shop."""
    url: str = (await sqs.create_queue(QueueName=f"tap-{uuid.uuid4().hex}"))["QueueUrl"]
    attributes = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    for topic in (await sns.list_topics())["Topics"]:
        await sns.subscribe(
            TopicArn=topic["TopicArn"],
            Protocol="sqs",
            Endpoint=attributes["Attributes"]["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
        )
    return url


def _queues_of(kind: str) -> list[str]:
    """The queues to which the topology delivers events of a type."""
    return [each.queue.name for each in SUBSCRIPTIONS if EVENTS[kind] in each.delivered]


async def _empty(sqs: Any, running: Running) -> bool:
    """Whether no queue of the shop holds a message any more."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    for url in running.queue_urls.values():
        counts = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        if any(int(count) for count in counts["Attributes"].values()):
            return False
    return True
