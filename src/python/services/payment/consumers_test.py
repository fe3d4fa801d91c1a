from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Sequence

import pytest

from chassis.outbox import Outbox
from contracts.events.envelope import Event
from contracts.events.order import OrderUpdated
from contracts.events.payment import PaymentFailed
from contracts.topology import PAYMENT_QUEUE, events_for
from services.payment import store
from services.payment.conftest import ELSEWHERE, HOME, Desk, Shop, cancelled, confirmed
from services.payment.consumers import Consumers
from services.payment.domain import AuthorizeCall, Status

FURTHER = HOME.model_copy(update={"city": "Ulm"})


def test_every_event_of_the_queue_has_a_handler() -> None:
    """What the topology delivers is what the service handles."""
    assert events_for(PAYMENT_QUEUE) == set(Consumers(Outbox("payment", store.OUTBOX)).handlers)


async def test_a_new_order_asks_for_its_amount(desk: Desk) -> None:
    """The payment is stored with a call to be made, and nothing is told yet."""
    order = desk.created()
    await desk.hear(order)
    payment = await desk.payment(order.order_id)
    assert (Status.AUTHORIZING, order.total) == (payment.status, payment.amount)
    assert (order.customer_id, order.payment_method_id) == (payment.customer_id, payment.payment_method_id)
    assert HOME == payment.shipping_address
    assert (["authorize"], []) == (await desk.waiting(), await desk.told())


@pytest.mark.parametrize("what", ["payment_method_id", "customer_id"])
async def test_a_method_that_the_customer_does_not_have_fails_the_payment(desk: Desk, what: str) -> None:
    """Unknown, or somebody else's: nothing is asked of the provider."""
    order = desk.created(**{what: uuid.uuid4()})
    await desk.hear(order)
    payment = await desk.payment(order.order_id)
    assert payment.failure is not None
    assert (Status.FAILED, "payment_method_unknown") == (payment.status, payment.failure.code)
    assert ([], ["PAYMENT_FAILED"]) == (await desk.waiting(), await desk.types_told())


async def test_nobody_pays_with_the_card_of_another_customer(shop: Shop) -> None:
    """Both have a card; who orders with the other's is told so, and the card is asked for nothing."""
    desk, other = shop.desk, uuid.uuid4()
    card = {"provider_token": "pm_card_visa"}
    added = await shop.client.post("/api/payments/methods", json=card, headers=shop.headers(of=other))
    assert 201 == added.status_code
    desk.provider.asked.clear()
    order = desk.created(payment_method_id=uuid.UUID(added.json()["id"]))
    await desk.hear(order)
    await desk.work()
    (failed,) = await desk.told()
    assert isinstance(failed, PaymentFailed)
    assert (order.order_id, desk.customer) == (failed.order_id, failed.customer_id)
    assert ("payment_method_unknown", []) == (failed.code, desk.provider.asked)


async def test_a_repeated_order_is_charged_once(desk: Desk) -> None:
    """Even when it comes as another event, while and after the first is handled."""
    order = desk.created()
    await asyncio.gather(*(desk.hear(order) for _ in range(4)))
    await desk.work()
    await desk.hear(order)
    assert ["authorize"] == desk.provider.kinds
    assert ["PAYMENT_AUTHORIZED"] == await desk.types_told()


async def test_a_confirmed_order_is_captured_once(desk: Desk) -> None:
    """However often the confirmation comes."""
    order = await desk.authorized()
    await desk.hear(confirmed(order), confirmed(order))
    await desk.work()
    await desk.hear(confirmed(order))
    assert ["authorize", "capture"] == desk.provider.kinds
    assert ["PAYMENT_AUTHORIZED", "PAYMENT_COMPLETED"] == await desk.types_told()
    assert [] == await desk.waiting()


async def test_a_confirmation_of_an_unknown_order_is_not_lost(desk: Desk) -> None:
    """It cannot be: it fails, is delivered again, and ends where somebody looks."""
    with pytest.raises(store.PaymentUnknown):
        await desk.hear(confirmed(desk.created()))


async def test_a_cancelled_order_is_let_go(desk: Desk) -> None:
    """However often the cancellation comes."""
    order = await desk.authorized()
    await desk.hear(cancelled(order), cancelled(order))
    await desk.work()
    assert ["authorize", "void"] == desk.provider.kinds
    assert ["PAYMENT_AUTHORIZED", "PAYMENT_VOIDED"] == await desk.types_told()


async def test_a_captured_order_that_is_cancelled_is_refunded(desk: Desk) -> None:
    """All of it, once."""
    order = await desk.captured()
    await desk.hear(cancelled(order), cancelled(order))
    await desk.work()
    assert ["authorize", "capture", "refund"] == desk.provider.kinds
    assert "PAYMENT_REFUNDED" == (await desk.types_told())[-1]
    assert 1000 == (await desk.payment(order.order_id)).refunded


async def test_a_cancellation_that_overtakes_its_order_keeps_it_from_being_charged(desk: Desk) -> None:
    """The order finds that it is cancelled; the provider hears nothing of it."""
    order = desk.created()
    await desk.hear(cancelled(order))
    assert Status.EXPECTED is (await desk.payment(order.order_id)).status
    await desk.hear(order, order, confirmed(order), cancelled(order))
    await desk.work()
    payment = await desk.payment(order.order_id)
    assert (Status.VOIDED, order.total) == (payment.status, payment.amount)
    assert ([], ["PAYMENT_VOIDED"]) == (desk.provider.kinds, await desk.types_told())


async def test_order_and_cancellation_at_the_same_time_leave_nothing_held(desk: Desk) -> None:
    """Whichever commits first: of twenty orders none stays authorised."""
    orders = [desk.created() for _ in range(20)]
    await asyncio.gather(*(desk.hear(event) for each in orders for event in (each, cancelled(each))))
    await desk.work()
    assert {Status.VOIDED} == {(await desk.payment(each.order_id)).status for each in orders}
    assert desk.provider.kinds.count("authorize") == desk.provider.kinds.count("void")


@pytest.mark.parametrize("news", list(itertools.permutations(["created", "confirmed", "cancelled"])))
async def test_no_order_of_delivery_charges_a_cancelled_order(desk: Desk, news: Sequence[str]) -> None:
    """Nothing is kept of it, and its amount is authorised and taken once at most."""
    order = desk.created()
    events: dict[str, Event] = {
        "created": order,
        "confirmed": confirmed(order),
        "cancelled": cancelled(order),
    }
    for each in news:
        if each != "confirmed" or "created" in news[: news.index("confirmed")]:
            await desk.hear(events[each])
        await desk.work()
    payment = await desk.payment(order.order_id)
    assert payment.status in {Status.VOIDED, Status.REFUNDED}
    assert desk.provider.kinds.count("authorize") <= 1


async def test_the_newest_address_is_kept(desk: Desk) -> None:
    """News of an older one changes nothing."""
    order = desk.created()
    about = {"order_id": order.order_id, "customer_id": order.customer_id}
    newer = OrderUpdated(**about, shipping_address=ELSEWHERE, revision=2)
    older = OrderUpdated(**about, shipping_address=FURTHER, revision=1)
    await desk.hear(order, newer, older, newer)
    payment = await desk.payment(order.order_id)
    assert (ELSEWHERE, 2, Status.AUTHORIZING) == (
        payment.shipping_address,
        payment.address_revision,
        payment.status,
    )


async def test_an_address_that_overtakes_its_order_is_kept(desk: Desk) -> None:
    """And the order is paid as any other."""
    order = desk.created()
    about = {"order_id": order.order_id, "customer_id": order.customer_id}
    await desk.hear(OrderUpdated(**about, shipping_address=ELSEWHERE, revision=1), order)
    await desk.work()
    payment = await desk.payment(order.order_id)
    assert (ELSEWHERE, Status.AUTHORIZED, order.total) == (
        payment.shipping_address,
        payment.status,
        payment.amount,
    )
    assert [("authorize", order.total)] == [
        (what, call.amount) for what, call in desk.provider.asked if isinstance(call, AuthorizeCall)
    ]
