from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Any

import httpx
import pytest

from contracts.events.payment import PaymentFailed
from services.payment import store
from services.payment.conftest import (
    LOST,
    Shop,
    cancelled,
    event,
    intent,
    signed,
    unanswered,
)
from services.payment.domain import RefundStatus, Status

PROBLEM = "application/problem+json"


def written(kind: str, about: dict[str, Any]) -> bytes:
    return json.dumps(event(kind, about)).encode()


async def post(shop: Shop, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    return await shop.client.post("/api/payments/webhook", content=body, headers=headers or signed(body))


async def tell(shop: Shop, kind: str, about: dict[str, Any]) -> bool:
    answer = await post(shop, written(kind, about))
    assert 200 == answer.status_code
    applied: bool = answer.json()["applied"]
    return applied


async def test_a_hold_whose_answer_was_lost_is_told_by_the_provider(shop: Shop) -> None:
    """Once, however often it says so; the call that waits for its answer is not made again."""
    payment = await unanswered(shop, "authorize")
    kind = "payment_intent.amount_capturable_updated"
    assert [True, False] == [await tell(shop, kind, intent(payment)) for _ in range(2)]
    await shop.desk.make_due()
    await shop.desk.work()
    assert Status.AUTHORIZED is (await shop.desk.payment(payment.order_id)).status
    assert (["PAYMENT_AUTHORIZED"], []) == (await shop.desk.types_told(), await shop.desk.waiting())
    assert ["authorize"] == shop.desk.provider.kinds


async def test_what_is_known_already_waits_for_nobody(shop: Shop) -> None:
    """Not even for one who works on the payment."""
    payment = await shop.desk.payment((await shop.desk.authorized()).order_id)
    async with shop.desk.database.transaction() as tx, asyncio.timeout(5):
        await store.locked(tx, payment.id)
        assert not await tell(shop, "payment_intent.amount_capturable_updated", intent(payment))


async def test_a_hold_that_the_provider_tells_before_it_answers_is_told_once(shop: Shop) -> None:
    """Nothing is left to ask for then; and a cancelled order is let go by whichever comes first."""
    order = shop.desk.created()
    await shop.desk.hear(order, cancelled(order))
    payment = await shop.desk.payment(order.order_id)
    assert await tell(shop, "payment_intent.amount_capturable_updated", intent(payment))
    await shop.desk.work()
    assert ["void"] == shop.desk.provider.kinds
    assert ["PAYMENT_VOIDED"] == await shop.desk.types_told()


async def test_a_declined_card_whose_answer_was_lost_is_told_by_the_provider(shop: Shop) -> None:
    """With the provider's reason."""
    payment = await unanswered(shop, "authorize")
    error = {"code": "card_declined", "message": "Your card was declined.", "type": "card_error"}
    assert await tell(shop, "payment_intent.payment_failed", intent(payment, last_payment_error=error))
    (failed,) = await shop.desk.told()
    assert isinstance(failed, PaymentFailed)
    assert ("authorization", "card_declined", "Your card was declined.") == (
        failed.stage,
        failed.code,
        failed.detail,
    )


@pytest.mark.parametrize("error", [None, {}, {"code": None, "message": None}], ids=str)
async def test_a_failure_without_a_reason_is_a_failure(shop: Shop, error: Any) -> None:
    """It has a code all the same."""
    payment = await unanswered(shop, "authorize")
    assert await tell(shop, "payment_intent.payment_failed", intent(payment, last_payment_error=error))
    after = await shop.desk.payment(payment.order_id)
    assert after.failure is not None
    assert "payment_failed" == after.failure.code


async def test_a_capture_whose_answer_was_lost_is_told_by_the_provider(shop: Shop) -> None:
    """Once."""
    payment = await unanswered(shop, "capture")
    assert [True, False] == [await tell(shop, "payment_intent.succeeded", intent(payment)) for _ in range(2)]
    await shop.desk.make_due()
    await shop.desk.work()
    assert ["authorize", "capture"] == shop.desk.provider.kinds
    assert ["PAYMENT_AUTHORIZED", "PAYMENT_COMPLETED"] == await shop.desk.types_told()


async def test_a_void_whose_answer_was_lost_is_told_by_the_provider(shop: Shop) -> None:
    """Once."""
    payment = await unanswered(shop, "void")
    assert [True, False] == [await tell(shop, "payment_intent.canceled", intent(payment)) for _ in range(2)]
    assert ["PAYMENT_AUTHORIZED", "PAYMENT_VOIDED"] == await shop.desk.types_told()


async def test_a_refund_whose_answer_was_lost_is_told_by_the_provider(shop: Shop) -> None:
    """Once; late news of a smaller sum changes nothing."""
    order = await shop.desk.captured()
    shop.desk.provider.fails["refund"] = LOST
    await shop.desk.hear(cancelled(order))
    await shop.desk.work()
    payment = await shop.desk.payment(order.order_id)
    charge = {"payment_intent": payment.intent_id, "amount_refunded": 1000}
    assert [True, False] == [await tell(shop, "charge.refunded", charge) for _ in range(2)]
    assert not await tell(shop, "charge.refunded", charge | {"amount_refunded": 10})
    await shop.desk.make_due()
    await shop.desk.work()
    after = await shop.desk.payment(order.order_id)
    assert (Status.REFUNDED, [RefundStatus.SUCCEEDED]) == (after.status, [r.status for r in after.refunds])
    assert 1 == (await shop.desk.types_told()).count("PAYMENT_REFUNDED")


async def test_a_refund_made_at_the_provider_is_known_here(shop: Shop) -> None:
    """And a cancellation gives back only the rest."""
    order = await shop.desk.captured()
    payment = await shop.desk.payment(order.order_id)
    charge = {"payment_intent": payment.intent_id, "amount_refunded": 400}
    assert await tell(shop, "charge.refunded", charge)
    await shop.desk.hear(cancelled(order))
    await shop.desk.work()
    after = await shop.desk.payment(order.order_id)
    assert [400, 600] == [refund.amount for refund in after.refunds]


async def test_late_and_repeated_events_change_nothing(shop: Shop) -> None:
    """Every event about a payment that is over."""
    order = await shop.desk.captured()
    await shop.desk.hear(cancelled(order))
    await shop.desk.work()
    payment = await shop.desk.payment(order.order_id)
    told = await shop.desk.types_told()
    for kind in (
        "payment_intent.succeeded",
        "payment_intent.amount_capturable_updated",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
    ):
        assert not await tell(shop, kind, intent(payment))
    assert (payment, told) == (await shop.desk.payment(order.order_id), await shop.desk.types_told())


async def test_simultaneous_events_and_answers_tell_once(shop: Shop) -> None:
    """Ten deliveries beside the job that has its answer."""
    order = shop.desk.created()
    await shop.desk.hear(order)
    payment = await shop.desk.payment(order.order_id)
    body = written("payment_intent.amount_capturable_updated", intent(payment))
    answers = asyncio.gather(*(post(shop, body) for _ in range(10)))
    await asyncio.gather(answers, shop.desk.work())
    assert {200} == {answer.status_code for answer in await answers}
    assert ["PAYMENT_AUTHORIZED"] == await shop.desk.types_told()


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("customer.created", {"id": "cus_1"}),
        ("payment_intent.created", {"id": "pi_1"}),
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {}}),
        ("payment_intent.succeeded", {"id": "pi_1"}),
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {"payment_id": "not an id"}}),
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {"payment_id": str(uuid.uuid4())}}),
        ("charge.refunded", {"payment_intent": "pi_1", "amount_refunded": 1}),
        ("charge.refunded", {"payment_intent": None, "amount_refunded": 1}),
    ],
    ids=range(8),
)
async def test_what_is_not_known_here_is_taken_and_ignored(
    shop: Shop, kind: str, about: dict[str, Any]
) -> None:
    """Other programs may use the same account of the provider."""
    assert not await tell(shop, kind, about)


async def test_another_intent_that_claims_a_payment_is_ignored(shop: Shop) -> None:
    """The payment has one intent, and that decides."""
    order = await shop.desk.authorized()
    payment = await shop.desk.payment(order.order_id)
    assert not await tell(shop, "payment_intent.succeeded", intent(payment) | {"id": "pi_other"})
    assert payment == await shop.desk.payment(order.order_id)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "nonsense"},
        {"Stripe-Signature": "t=1,v1="},
        {"Stripe-Signature": f"t={int(time.time())},v1=\xe9"},
        {"Stripe-Signature": f"t={int(time.time())},v1=00"},
        {"Stripe-Signature": f"t={10**30},v1=00"},
        signed(b"another body"),
        signed(b"{}", secret="whsec_other"),
        signed(b"{}", age_s=301),
    ],
    ids=range(10),
)
async def test_an_event_that_is_not_signed_is_refused(shop: Shop, headers: dict[str, str]) -> None:
    """Without, with another's, or with an old signature."""
    latin = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await shop.client.post("/api/payments/webhook", content=b"{}", headers=latin)
    assert (400, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])
    assert "/problems/webhook-signature-wrong" == answer.json()["type"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b'{"id": "evt_1", "type": "x", "data": {}}',
        written("charge.refunded", {}),
        written("charge.refunded", {"payment_intent": "pi_\0", "amount_refunded": 1}),
        written("charge.refunded", {"payment_intent": "pi_1", "amount_refunded": -1}),
        written("charge.refunded", {"payment_intent": "pi_1", "amount_refunded": True}),
        written("charge.refunded", {"payment_intent": "pi_1", "amount_refunded": 2**63}),
        written("payment_intent.succeeded", {"id": 1}),
        written("payment_intent.succeeded", {"id": "pi_1", "metadata": 1}),
    ],
    ids=range(13),
)
async def test_a_signed_body_that_is_no_event_is_refused(shop: Shop, body: bytes) -> None:
    """Somebody should look at what the provider sends, and it is not a 500."""
    answer = await post(shop, body)
    assert (422, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])


async def test_a_body_that_is_not_text_is_refused(shop: Shop) -> None:
    """It cannot have been signed."""
    answer = await post(shop, b"\xff\xfe", signed(b"{}"))
    assert (400, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])


async def test_the_document_tells_of_a_wrong_signature(shop: Shop) -> None:
    """400, as it is refused with."""
    responses = shop.app.openapi()["paths"]["/api/payments/webhook"]["post"]["responses"]
    assert "application/problem+json" in responses["400"]["content"]
