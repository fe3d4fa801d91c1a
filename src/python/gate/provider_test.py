from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from pact import Pact, match

from chassis.pact_provider import Provider
from chassis.pacts import Contract, Expectation, event
from contracts.events.user import UserUpdated
from gate.provider import PactError, problems, verify
from services.user.pacts import states

KEYS = "/api/users/.well-known/jwks.json"
SOMEBODY = "01900000-0000-7000-8000-00000000000c"


@pytest.fixture
async def provider(database_url: str, aws_nowhere: None) -> AsyncIterator[Provider]:
    async with states.provider(database_url) as provider:
        yield provider


def keys(
    status: int = 200, path: str = KEYS, body: Any = None, header: str = "", state: str = ""
) -> Contract:
    def expectation(pact: Pact) -> None:
        request = pact.upon_receiving("the keys").with_request("GET", path)
        if state:
            request.given(state)
        response = request.will_respond_with(status)
        if header:
            response.with_header(header, match.regex("public", regex=".+"))
        if body:
            response.with_body(body, "application/jwk-set+json")

    return Contract("test", "user", calls={"Client.keys": (expectation,)})


def updated(data: Mapping[str, Any], state: str = "somebody has another name") -> Contract:
    told = event(UserUpdated, state, SOMEBODY, data)
    return Contract("test", "user", events={UserUpdated: told})


KEPT: Mapping[str, Contract] = {
    "a route": keys(),
    "a body": keys(body={"keys": match.each_like({"kty": "OKP"}, min=1)}),
    "a header": keys(header="Cache-Control"),
    "an event": updated({"display_name": match.str("Ada")}),
}
BROKEN: Mapping[str, tuple[Contract, str]] = {
    "status": (keys(status=201), "expected 201 but was 200"),
    "path": (keys(path="/keys"), "expected 200 but was 404"),
    "header": (keys(header="X-Missing"), "X-Missing"),
    "field missing": (keys(body={"keys": [{"missing": "x"}]}), "missing"),
    "value": (keys(body={"keys": [{"kty": "RSA"}]}), "Expected 'OKP' "),
    "type": (updated({"display_name": match.int(1)}), r"\$.data.display_name"),
    "event field missing": (updated({"missing": match.int(1)}), "missing"),
    "event that is not told": (updated({}, "somebody has registered"), r"\$"),
    "state unknown": (keys(state="nobody knows"), "cannot come to this state.*not known.*has registered"),
    "event's state unknown": (updated({}, "nobody knows"), "cannot come to this state"),
}


@pytest.mark.parametrize("contract", KEPT.values(), ids=KEPT)
async def test_what_is_kept_is_no_problem(contract: Contract, provider: Provider) -> None:
    """Whatever of an answer or an event a consumer relies on."""
    assert await problems(provider, contract) == []


@pytest.mark.parametrize(("contract", "problem"), BROKEN.values(), ids=BROKEN)
async def test_what_is_not_kept_is_named(contract: Contract, problem: str, provider: Provider) -> None:
    """With the interaction, and what was found instead; also where it cannot be verified at all."""
    found = await problems(provider, contract)
    assert found
    assert all(each.startswith(("'the keys'", "'mercato.USER_UPDATED.v1'")) for each in found)
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError("\n".join(found))


@pytest.mark.parametrize("interactions", [[], None])
async def test_a_pact_without_interactions_is_refused(interactions: object, provider: Provider) -> None:
    """Pact itself would call it kept."""
    pact = keys().document() | {"interactions": interactions}
    with pytest.raises(PactError, match="the pact of test with user has no interactions"):
        await verify("user", provider, pact)


async def test_a_state_that_fails_is_a_problem_of_its_interactions_alone(provider: Provider) -> None:
    """The others are verified all the same."""
    both: Sequence[Expectation] = (
        *keys(state="nobody knows").calls["Client.keys"],
        updated({}).events[UserUpdated],
    )
    pact = Contract("test", "user", calls={"Client.keys": both}).document()
    results = await verify("user", provider, pact)
    assert {"the keys": 1, "mercato.USER_UPDATED.v1": 0} == {
        each.description: len(each.problems) for each in results
    }
