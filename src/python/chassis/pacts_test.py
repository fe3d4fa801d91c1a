from __future__ import annotations

from chassis.pact_testing import mocked, sign_in, unread_fields
from chassis.pacts import SIGNING_KEYS, Contract, signing_keys

KEYS = Contract("test", "user", calls=SIGNING_KEYS)


async def test_people_are_known_by_the_keys_of_the_contract() -> None:
    """Of every service: it is one call, and Pact's mock answers only what the contract has."""
    async with mocked(KEYS, signing_keys) as http:
        await sign_in(http)


async def test_the_contract_asks_for_nothing_of_the_keys_that_is_not_needed() -> None:
    """Without any of it nobody could sign in."""
    assert await unread_fields(KEYS, signing_keys, sign_in) == []


def test_a_contract_is_published_the_same_each_time() -> None:
    """Whatever order the interactions were added in, and whoever wrote it."""
    document = KEYS.document()
    assert document == KEYS.document()
    assert document["metadata"] == {"pactSpecification": {"version": "4.0"}}
