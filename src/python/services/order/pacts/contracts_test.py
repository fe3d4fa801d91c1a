from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from chassis.database import Database
from chassis.http_client import HttpClient
from chassis.outbox import Outbox
from chassis.pact_testing import (
    Call,
    calls_of,
    delivery,
    events_of,
    mocked,
    sign_in,
    unread_fields,
    unread_parts,
)
from chassis.pacts import Contract, Expectation, signing_keys
from contracts.events.envelope import Event
from contracts.events.inventory import StockRejected, StockReserved
from contracts.events.payment import (
    PaymentAuthorized,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)
from contracts.money import Money
from services.order import store
from services.order.clients import ProductClient, Quote, UserClient
from services.order.conftest import HOME, order
from services.order.consumers import Consumers
from services.order.domain import Order, Payment, Stock
from services.order.pacts import payment, product, user

CONTRACTS = (product.CONTRACT, payment.CONTRACT, user.CONTRACT)


async def prices(http: HttpClient) -> None:
    tea, gone = uuid.UUID(product.TEA), uuid.UUID(product.GONE)
    price = Quote(product_id=tea, name="Tea", unit_price=Money(amount=500, currency="EUR"))
    assert await ProductClient(http).quotes([tea, gone]) == {tea: price}


async def address(http: HttpClient) -> None:
    assert await UserClient(http).address(uuid.UUID(user.HOME), user.TOKEN) == HOME


async def no_address(http: HttpClient) -> None:
    assert await UserClient(http).address(uuid.UUID(user.UNKNOWN), user.TOKEN) is None


CALLS: Mapping[Expectation, Call] = {
    product.quotes: prices,
    user.address: address,
    user.no_address: no_address,
    signing_keys: sign_in,
}
EFFECTS: Mapping[type[Event], Callable[[Order], bool]] = {
    StockReserved: lambda after: after.stock is Stock.RESERVED,
    StockRejected: lambda after: after.stock is Stock.REJECTED,
    PaymentAuthorized: lambda after: after.payment is Payment.AUTHORIZED,
    PaymentFailed: lambda after: after.payment is Payment.FAILED,
    PaymentCompleted: lambda after: after.payment is Payment.COMPLETED,
    PaymentVoided: lambda after: after.payment is Payment.VOIDED,
    PaymentRefunded: lambda after: (after.payment, after.refunded) == (Payment.REFUNDED, 1000),
}


@pytest.mark.parametrize(("contract", "expectation"), calls_of(*CONTRACTS))
async def test_the_client_asks_and_reads_as_the_contract_says(
    contract: Contract, expectation: Expectation
) -> None:
    """Pact's mock answers only what the contract has, and complains of what was not asked."""
    async with mocked(contract, expectation) as http:
        await CALLS[expectation](http)


@pytest.mark.parametrize(("contract", "expectation"), calls_of(*CONTRACTS))
async def test_a_contract_asks_for_no_field_that_the_client_does_not_read(
    contract: Contract, expectation: Expectation
) -> None:
    """What is not needed, a provider may change."""
    assert await unread_fields(contract, expectation, CALLS[expectation]) == []


@pytest.mark.parametrize(("contract", "kind"), events_of(*CONTRACTS))
async def test_the_handler_understands_what_the_contract_says(
    contract: Contract, kind: type[Event], database: Database
) -> None:
    """The example of the contract moves an order on."""
    event = delivery(contract, kind).event
    async with database.transaction() as tx:
        await store.insert(tx, replace(order(), id=event.subject))
        await Consumers(Outbox("order", store.OUTBOX)).handlers[kind](tx, event)
        assert EFFECTS[kind](await store.find(tx, event.subject))


@pytest.mark.parametrize(("contract", "kind"), events_of(*CONTRACTS))
def test_a_contract_asks_for_no_part_of_an_event_that_can_be_missing(
    contract: Contract, kind: type[Event]
) -> None:
    """What is not needed, a producer may leave out."""
    assert unread_parts(contract, kind) == []
