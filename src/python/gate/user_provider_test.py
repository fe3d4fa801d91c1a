from __future__ import annotations

from importlib import import_module

import pytest

from chassis.pacts import Contract
from contracts.services import SERVICES
from gate.provider import problems
from services.user.pacts import states

# All others verify tokens by its keys.
CONTRACTS: list[Contract] = [
    import_module(f"services.{name}.pacts.user").CONTRACT for name in SERVICES if name != "user"
]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.consumer)
@pytest.mark.usefixtures("aws_nowhere")
async def test_the_user_service_keeps_what_others_rely_on(contract: Contract, database_url: str) -> None:
    """Its routes and its events are as its consumers wrote them down."""
    async with states.provider(database_url) as provider:
        assert await problems(provider, contract) == []
