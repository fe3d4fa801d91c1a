"""What nobody thought of, sent to the payment service: it answers as its document says."""

from __future__ import annotations

import json
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chassis import boundaries
from chassis.access import contents
from chassis.fuzzed import fuzzed
from chassis.fuzzing import NOBODY, Caller
from chassis.operations import Operation, operations
from services.payment.conftest import Shop, event, intent, signed, unanswered

# What the provider tells, and the call whose answer was lost, without which it would be no news.
NEWS = {
    "payment_intent.amount_capturable_updated": "authorize",
    "payment_intent.payment_failed": "authorize",
    "payment_intent.succeeded": "capture",
    "payment_intent.canceled": "void",
    "charge.refunded": None,
}


def caller(shop: Shop, role: str) -> Caller:
    """Somebody who is signed in, and for a customer another one."""
    other = shop.issuer.token(uuid.uuid4()) if role == "customer" else None
    return Caller(role, shop.issuer.token(shop.desk.customer, role), other)


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_requests_of_somebody_break_no_promise(shop: Shop, tmp_path: Path, role: str) -> None:
    """Every operation was tried, and every check of schemathesis passed."""
    await shop.desk.captured()
    await shop.desk.authorized()
    verdict = await fuzzed(shop.app, caller(shop, role), tmp_path)
    assert () == verdict.failures, verdict.output


async def test_requests_of_nobody_break_no_promise(shop: Shop, tmp_path: Path) -> None:
    """Nor is anything shown that needs a sign-in."""
    verdict = await fuzzed(shop.app, NOBODY, tmp_path)
    assert () == verdict.failures, verdict.output


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_a_value_at_a_bound_breaks_no_operation(shop: Shop, role: str) -> None:
    """NUL, too many bits, half a character, deep nesting: wherever it stands, it is taken or refused."""
    order = await shop.desk.captured()
    payment = await shop.desk.payment(order.order_id)
    known = {
        "payment_id": str(payment.id),
        "order_id": str(order.order_id),
        "method_id": str(shop.desk.method),
    }
    document = shop.app.openapi()
    assert [] == await boundaries.broken(
        shop.client, document, known, lambda: shop.issuer.headers(shop.desk.customer, role)
    )


def operation(shop: Shop) -> Operation:
    """The route of the provider's events, of whose body the document says nothing."""
    return next(each for each in operations(shop.app.openapi()) if each.id == "receive_provider_event")


async def news(shop: Shop, kind: str) -> dict[str, Any]:
    """An event of this kind that the service has to take, about a payment of its own."""
    lost = NEWS[kind]
    if lost is None:
        payment = await shop.desk.payment((await shop.desk.captured()).order_id)
        return event(kind, {"payment_intent": payment.intent_id, "amount_refunded": 1})
    error = {"code": "card_declined", "message": "Declined."}
    more = {"last_payment_error": error} if kind == "payment_intent.payment_failed" else {}
    return event(kind, intent(await unanswered(shop, lost), **more))


@pytest.mark.parametrize("kind", NEWS)
async def test_a_signed_event_at_a_bound_breaks_nothing(shop: Shop, kind: str) -> None:
    """What the provider signs is read: whatever it is, it is taken or refused."""
    webhook = operation(shop)
    body = json.dumps(await news(shop, kind)).encode()
    answer = await shop.client.post(webhook.path, content=body, headers=signed(body))
    assert {"applied": True} == answer.json()
    assert [] == await boundaries.broken_by_a_body(shop.client, webhook, partial(news, shop, kind), signed)


async def test_an_event_at_a_bound_that_is_not_signed_is_refused(shop: Shop) -> None:
    """All of them, before they are read."""
    before = await contents(shop.desk.database)
    told = event("charge.refunded", {"payment_intent": "pi_1", "amount_refunded": 1})

    async def example() -> dict[str, Any]:
        return told

    assert [] == await boundaries.broken_by_a_body(
        shop.client, operation(shop), example, lambda _: {}, refused=True
    )
    assert before == await contents(shop.desk.database)
