from __future__ import annotations

import pytest

from chassis.pacts import Contract
from gate.provider import problems
from services.notification.pacts import user as notification
from services.order.pacts import user as order
from services.payment.pacts import user as payment
from services.product.pacts import user as product
from services.user.pacts import states

CONTRACTS = [notification.CONTRACT, order.CONTRACT, payment.CONTRACT, product.CONTRACT]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.consumer)
@pytest.mark.usefixtures("aws_nowhere")
async def test_the_user_service_keeps_what_others_rely_on(contract: Contract, database_url: str) -> None:
    """Its routes and its events are as its consumers wrote them down."""
    async with states.provider(database_url) as provider:
        assert await problems(provider, contract) == []
