from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

import pytest

from chassis.pact_testing import delivery, events_of, unread_parts
from chassis.pacts import Contract
from contracts.events.envelope import Event
from contracts.events.order import OrderCancelled, OrderConfirmed, OrderCreated, OrderUpdated
from services.payment import store
from services.payment.conftest import ELSEWHERE, HOME, Desk, saved_method
from services.payment.domain import Payment, Status
from services.payment.pacts import order

CONTRACTS = (order.CONTRACT,)
EFFECTS: Mapping[type[Event], Callable[[Payment], bool]] = {
    OrderCreated: lambda after: (after.status, after.amount.amount) == (Status.AUTHORIZING, 1000),
    OrderUpdated: lambda after: after.shipping_address == HOME,
    OrderConfirmed: lambda after: after.status is Status.CAPTURING,
    OrderCancelled: lambda after: after.status is Status.VOIDING,
}


@pytest.mark.parametrize(("contract", "kind"), events_of(*CONTRACTS))
async def test_the_handler_understands_what_the_contract_says(
    contract: Contract, kind: type[Event], desk: Desk
) -> None:
    """The example of the contract moves the payment of an order on."""
    event = delivery(contract, kind).event
    customer, card = uuid.UUID(order.CUSTOMER), uuid.UUID(order.CARD)
    async with desk.database.transaction() as tx:
        await store.add_provider_customer(tx, customer, "cus_1")
        await store.add_method(tx, saved_method(customer, id=card))
    if kind is not OrderCreated:
        known = {"order_id": event.subject, "customer_id": customer, "payment_method_id": card}
        await desk.hear(desk.created(**known, shipping_address=ELSEWHERE))
        await desk.work()
    await desk.hear(event)
    assert EFFECTS[kind](await desk.payment(event.subject))


@pytest.mark.parametrize(("contract", "kind"), events_of(*CONTRACTS))
def test_a_contract_asks_for_no_part_of_an_event_that_can_be_missing(
    contract: Contract, kind: type[Event]
) -> None:
    """What is not needed, a producer may leave out."""
    assert unread_parts(contract, kind) == []
