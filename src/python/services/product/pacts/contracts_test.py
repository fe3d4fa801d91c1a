from __future__ import annotations

import uuid

import pytest

from chassis.database import Database
from chassis.outbox import Outbox
from chassis.pact_testing import delivery, events_of, unread_parts
from chassis.pacts import Contract
from contracts.events.envelope import Event
from contracts.events.order import OrderCancelled, OrderConfirmed, OrderCreated
from services.product import stock, store
from services.product.conftest import add_product, created
from services.product.consumers import Consumers
from services.product.domain import State
from services.product.pacts import order

CONTRACTS = (order.CONTRACT,)
EFFECTS = {
    OrderCreated: State.RESERVED,
    OrderConfirmed: State.COMMITTED,
    OrderCancelled: State.CANCELLED,
}


@pytest.mark.parametrize(("contract", "kind"), events_of(*CONTRACTS))
async def test_the_handler_understands_what_the_contract_says(
    contract: Contract, kind: type[Event], database: Database
) -> None:
    """The example of the contract moves the stock of an order of two teas."""
    tea, event = uuid.UUID(order.TEA), delivery(contract, kind).event
    await add_product(database, product_id=tea, on_hand=5)
    handlers = Consumers(Outbox("product", store.OUTBOX)).handlers
    async with database.transaction() as tx:
        if kind is not OrderCreated:
            await handlers[OrderCreated](tx, created(event.subject, (tea, 2)))
        await handlers[kind](tx, event)
        held = await stock.reservation(tx, event.subject)
    assert held is not None
    assert (EFFECTS[kind], [(tea, 2)]) == (
        held.state,
        [(line.product_id, line.quantity) for line in held.lines],
    )


@pytest.mark.parametrize(("contract", "kind"), events_of(*CONTRACTS))
def test_a_contract_asks_for_no_part_of_an_event_that_can_be_missing(
    contract: Contract, kind: type[Event]
) -> None:
    """What is not needed, a producer may leave out."""
    assert unread_parts(contract, kind) == []
