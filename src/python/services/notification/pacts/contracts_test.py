from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from chassis.pact_testing import delivery, events_of, unread_parts
from chassis.pacts import Contract
from contracts.events.envelope import Event
from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice, WelcomeNotice
from contracts.events.payment import PaymentCompleted, PaymentFailed
from contracts.events.user import UserRegistered, UserUpdated
from services.notification import store
from services.notification.conftest import Desk, registered
from services.notification.domain import Kind
from services.notification.pacts import order, payment, user

CONTRACTS = (order.CONTRACT, payment.CONTRACT, user.CONTRACT)
TOLD = {
    WelcomeNotice: Kind.WELCOME,
    OrderConfirmedNotice: Kind.ORDER_CONFIRMED,
    OrderCancelledNotice: Kind.ORDER_CANCELLED,
    PaymentCompleted: Kind.PAYMENT_COMPLETED,
    PaymentFailed: Kind.PAYMENT_FAILED,
}
PERSON = {UserRegistered, UserUpdated}


@pytest.mark.parametrize(("contract", "kind"), [each for each in events_of(*CONTRACTS) if each[1] in TOLD])
async def test_the_customer_is_told_what_the_contract_says(
    contract: Contract, kind: type[Event], desk: Desk
) -> None:
    """The example of the contract is a notification."""
    customer = uuid.UUID(user.CUSTOMER)
    await desk.hear(delivery(contract, kind).event)
    assert [TOLD[kind]] == await replace(desk, customer=customer).kinds_told()


@pytest.mark.parametrize(("contract", "kind"), [each for each in events_of(*CONTRACTS) if each[1] in PERSON])
async def test_the_address_of_a_mail_is_what_the_contract_says(
    contract: Contract, kind: type[Event], desk: Desk
) -> None:
    """The example of the contract is somebody new, or somebody known by another name so far."""
    customer = uuid.UUID(user.CUSTOMER)
    if kind is UserUpdated:
        await desk.hear(registered(customer, email="other@example.com", display_name="Other"))
    await desk.hear(delivery(contract, kind).event)
    async with desk.database.reading() as connection:
        known = await store.recipient(connection, customer)
    assert known is not None
    assert ("ada@example.com", "Ada") == (known.email, known.display_name)


def test_every_event_has_an_effect_that_is_tested() -> None:
    """The two tests above leave none out."""
    assert {kind for _, kind in events_of(*CONTRACTS)} == PERSON | set(TOLD)


@pytest.mark.parametrize(("contract", "kind"), events_of(*CONTRACTS))
def test_a_contract_asks_for_no_part_of_an_event_that_can_be_missing(
    contract: Contract, kind: type[Event]
) -> None:
    """What is not needed, a producer may leave out."""
    assert unread_parts(contract, kind) == []
