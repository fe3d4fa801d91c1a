from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from chassis import jobs
from chassis.clock import utc_now
from chassis.testing import eventually
from contracts.events.payment import PaymentFailed
from services.payment import store
from services.payment.calls import KEY_VALID_FOR
from services.payment.conftest import Desk, cancelled, confirmed, intent_of
from services.payment.domain import AuthorizeCall, Refund, RefundStatus, Status
from services.payment.provider import ProviderUnavailable, Refused

LOST = ProviderUnavailable("no answer")


async def test_a_held_amount_is_told(desk: Desk) -> None:
    """With the provider's id kept for what follows, and no call left."""
    order = await desk.authorized()
    payment = await desk.payment(order.order_id)
    assert (Status.AUTHORIZED, intent_of(payment.id)) == (payment.status, payment.intent_id)
    assert (["PAYMENT_AUTHORIZED"], []) == (await desk.types_told(), await desk.waiting())


async def test_a_declined_card_is_told_with_its_reason(desk: Desk) -> None:
    """The customer can read why."""
    desk.provider.fails["authorize"] = Refused("card_declined", "Too little money. (insufficient_funds)")
    await desk.authorized()
    (event,) = await desk.told()
    assert isinstance(event, PaymentFailed)
    assert ("authorization", "card_declined") == (event.stage, event.code)
    assert "Too little money. (insufficient_funds)" == event.detail


async def test_a_lost_answer_is_asked_for_with_the_same_key(desk: Desk) -> None:
    """The call waits with back-off; the order hears nothing until the outcome is known."""
    desk.provider.fails["authorize"] = LOST
    order = await desk.authorized()
    assert (["authorize"], []) == (await desk.waiting(), await desk.told())
    desk.provider.fails.clear()
    await desk.make_due()
    await desk.work()
    assert 1 == len(set(desk.provider.keys))
    assert Status.AUTHORIZED is (await desk.payment(order.order_id)).status
    assert ["PAYMENT_AUTHORIZED"] == await desk.types_told()


async def test_a_cancellation_while_the_answer_is_lost_lets_go_once_it_is_known(desk: Desk) -> None:
    """The authorisation may have been made: it is not given up before that is known."""
    desk.provider.fails["authorize"] = LOST
    order = await desk.authorized()
    await desk.hear(cancelled(order))
    desk.provider.fails.clear()
    await desk.make_due()
    await desk.work()
    assert ["authorize", "authorize", "void"] == desk.provider.kinds
    assert ["PAYMENT_VOIDED"] == await desk.types_told()


async def test_a_cancellation_while_the_amount_is_taken_gives_it_back(desk: Desk) -> None:
    """Once it is known to be taken."""
    order = await desk.authorized()
    desk.provider.fails["capture"] = LOST
    await desk.hear(confirmed(order))
    await desk.work()
    await desk.hear(cancelled(order))
    desk.provider.fails.clear()
    await desk.make_due()
    await desk.work()
    assert ["authorize", "capture", "capture", "refund"] == desk.provider.kinds
    assert ["PAYMENT_AUTHORIZED", "PAYMENT_COMPLETED", "PAYMENT_REFUNDED"] == await desk.types_told()


async def test_a_failed_capture_is_told_and_the_hold_let_go(desk: Desk) -> None:
    """The order is cancelled then, and its cancellation finds nothing to do."""
    order = await desk.authorized()
    desk.provider.fails["capture"] = Refused("charge_expired", "The hold has expired.")
    await desk.hear(confirmed(order))
    await desk.work()
    await desk.hear(cancelled(order))
    await desk.work()
    assert ["authorize", "capture", "void"] == desk.provider.kinds
    event = (await desk.told())[-1]
    assert isinstance(event, PaymentFailed)
    assert ("capture", "charge_expired") == (event.stage, event.code)
    assert Status.FAILED is (await desk.payment(order.order_id)).status


async def test_what_cannot_be_let_go_because_it_was_taken_goes_back(desk: Desk) -> None:
    """Somebody captured it in the provider's own dashboard."""
    order = await desk.authorized()
    desk.provider.taken = True
    await desk.hear(cancelled(order))
    await desk.work()
    assert ["authorize", "void", "refund"] == desk.provider.kinds
    assert Status.REFUNDED is (await desk.payment(order.order_id)).status


async def test_a_refused_refund_is_seen_on_the_payment(desk: Desk) -> None:
    """And nothing is told, for nothing went back."""
    order = await desk.captured()
    desk.provider.fails["refund"] = Refused("charge_disputed", "The charge is disputed.")
    await desk.hear(cancelled(order))
    await desk.work()
    payment = await desk.payment(order.order_id)
    assert [RefundStatus.FAILED] == [refund.status for refund in payment.refunds]
    assert (Status.CAPTURED, 0) == (payment.status, payment.refunded)
    assert "PAYMENT_REFUNDED" not in await desk.types_told()


async def test_a_call_whose_outcome_a_webhook_told_is_not_made_again(desk: Desk) -> None:
    """Its answer could change nothing."""
    desk.provider.fails["authorize"] = LOST
    order = await desk.authorized()
    async with desk.database.transaction() as tx:
        await tx.execute(store.PAYMENTS.update().values(status=Status.AUTHORIZED.value, intent_id="pi_1"))
    await desk.make_due()
    await desk.work()
    assert (["authorize"], []) == (desk.provider.kinds, await desk.waiting())
    assert "pi_1" == (await desk.payment(order.order_id)).intent_id


@pytest.mark.parametrize("kind", ["authorize", "refund"])
async def test_money_is_not_moved_with_a_key_that_the_provider_may_have_forgotten(
    desk: Desk, kind: str
) -> None:
    """The call is dead instead, and says where to look; redriving it does not make it either."""
    desk.provider.fails[kind] = LOST
    order = await desk.captured()
    if kind == "refund":
        await desk.hear(cancelled(order))
        await desk.work()
    before = desk.provider.kinds.count(kind)
    for _ in range(2):
        await desk.make_due()
        await desk.work(clock=lambda: utc_now() + KEY_VALID_FOR + dt.timedelta(minutes=1))
        (dead,) = await jobs.dead(desk.database, store.PROVIDER_CALLS)
        assert "may have forgotten the key" in dead.last_error
        await jobs.redrive(desk.database, store.PROVIDER_CALLS)
    assert before == desk.provider.kinds.count(kind)


async def test_a_payment_is_free_while_the_provider_is_asked(desk: Desk) -> None:
    """News of the order need not wait for the provider's answer."""
    order = desk.created()
    await desk.hear(order)
    authorize = desk.provider.authorize

    async def cancelled_meanwhile(call: AuthorizeCall, key: str) -> str:
        await desk.hear(cancelled(order))
        return await authorize(call, key)

    desk.provider.authorize = cancelled_meanwhile  # type: ignore[method-assign]
    await desk.work()
    assert ["authorize", "void"] == desk.provider.kinds
    assert ["PAYMENT_VOIDED"] == await desk.types_told()


async def test_an_unforeseen_failure_keeps_the_call(desk: Desk) -> None:
    """It is tried again later, with what it failed of on record."""
    desk.provider.fails["authorize"] = RuntimeError("unforeseen")
    await desk.authorized()
    async with desk.database.reading() as connection:
        row = (await connection.execute(sa.select(store.PROVIDER_CALLS))).one()
    assert ("pending", 1) == (row.state, row.attempts)
    assert "unforeseen" in row.last_error


async def test_a_refund_is_kept_with_its_outcome(desk: Desk) -> None:
    """In the payment's row."""
    order = await desk.captured()
    await desk.hear(cancelled(order))
    await desk.work()
    (refund,) = (await desk.payment(order.order_id)).refunds
    assert Refund(refund.id, 1000, RefundStatus.SUCCEEDED) == refund


async def test_calls_that_are_made_together_fare_each_on_its_own(desk: Desk) -> None:
    """One whose answer is lost waits alone."""
    orders = [desk.created() for _ in range(3)]
    await desk.hear(*orders)
    lost = (await desk.payment(orders[1].order_id)).id
    authorize, asked = desk.provider.authorize, 0

    async def one_is_lost(call: AuthorizeCall, key: str) -> str:
        nonlocal asked
        asked += 1
        await eventually(all_asked)
        if call.payment_id == lost:
            raise LOST
        return await authorize(call, key)

    async def all_asked() -> bool:
        return asked == len(orders)

    desk.provider.authorize = one_is_lost  # type: ignore[method-assign]
    await desk.work()
    assert ["PAYMENT_AUTHORIZED"] * 2 == await desk.types_told()
    assert ["authorize"] == await desk.waiting()
    assert Status.AUTHORIZING is (await desk.payment(orders[1].order_id)).status
