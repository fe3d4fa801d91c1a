"""For the tests of a consumer's contracts: its real clients and handlers, against Pact's examples."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

from joserfc.jwk import OKPKey

from chassis import http_client
from chassis.auth import RemoteKeys, Verifier
from chassis.consumer import Delivery, Poison, read
from chassis.http_client import Answer, HttpClient
from chassis.pacts import Contract, Expectation
from chassis.problems import Problem
from chassis.testing import TokenIssuer
from contracts.events.envelope import Event

Call = Callable[[HttpClient], Awaitable[object]]
"""Makes the consumer's call with a client of the provider, and asserts what is made of the answer."""


@asynccontextmanager
async def mocked(contract: Contract, expectation: Expectation) -> AsyncIterator[HttpClient]:
    """A client of the provider as `expectation` has it; raises at the end if it was not asked just so."""
    async with http_client.session() as session:
        with contract.pact(expectation).serve("127.0.0.1") as server:
            yield HttpClient(contract.provider, str(server.url), session)


async def unread_fields(contract: Contract, expectation: Expectation, call: Call) -> list[str]:
    """Which fields of the expected answer `call` can do without: the contract should not ask for them."""
    (interaction,) = contract.document(expectation)["interactions"]
    answer = interaction["response"]
    body = answer.get("body", {}).get("content")
    return [path for path, rest in _without_each(body) if await _suffices(call, answer["status"], rest)]


async def _suffices(call: Call, status: int, body: Any) -> bool:
    try:
        await call(cast("HttpClient", _Replay(Answer(status, json.dumps(body).encode()))))
    except (Problem, AssertionError):
        return False
    return True


class _Replay:
    """In place of the client: whatever is asked, the answer is the same."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def get(self, *_: Any, **__: Any) -> Answer:
        return self._answer


def delivery(contract: Contract, kind: type[Event]) -> Delivery:
    """The example of `kind` as the consumer reads it off its queue."""
    return read(_message(_example(contract, kind)))


def unread_parts(contract: Contract, kind: type[Event]) -> list[str]:
    """Which parts of the expected message can be missing: the contract should not ask for them."""
    return [path for path, rest in _without_each(_example(contract, kind)) if _is_readable(rest)]


def _is_readable(envelope: Any) -> bool:
    try:
        read(_message(envelope))
    except Poison:
        return False
    return True


def _example(contract: Contract, kind: type[Event]) -> Any:
    (interaction,) = contract.document(contract.events[kind])["interactions"]
    return interaction["contents"]["content"]


def _message(envelope: Any) -> dict[str, str]:
    return {"Body": json.dumps(envelope), "ReceiptHandle": "receipt"}


def _without_each(example: Any) -> Iterator[tuple[str, Any]]:
    """`example` once without each of its fields, with the field's path."""
    if isinstance(example, dict):
        for name, value in example.items():
            yield name, {other: kept for other, kept in example.items() if other != name}
            for path, changed in _without_each(value):
                yield f"{name}.{path}", example | {name: changed}
    elif isinstance(example, list):
        for number, value in enumerate(example):
            for path, changed in _without_each(value):
                yield f"{number}.{path}", [*example[:number], changed, *example[number + 1 :]]


# The private half of the key that `signing_keys` has as its example: RFC 8037, appendix A.1.
_EXAMPLE_KEY = OKPKey.import_key(
    {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "2026-01",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
)


async def sign_in(http: HttpClient) -> None:
    """The call behind `signing_keys`: somebody with a token of the example's key is who it says."""
    somebody = uuid.uuid4()
    token = TokenIssuer(_EXAMPLE_KEY).token(somebody)
    caller = await Verifier(RemoteKeys(http)).verify(token)
    assert somebody == caller.id


def calls_of(*contracts: Contract) -> list[tuple[Contract, Expectation]]:
    """Each HTTP interaction of `contracts`, for `pytest.mark.parametrize`."""
    return [(contract, each) for contract in contracts for some in contract.calls.values() for each in some]


def events_of(*contracts: Contract) -> list[tuple[Contract, type[Event]]]:
    """Each message of `contracts`, for `pytest.mark.parametrize`."""
    return [(contract, kind) for contract in contracts for kind in contract.events]
