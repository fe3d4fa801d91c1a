"""Consumer-driven contracts: what a consumer writes down of another service, in Pact's own words.

A consumer says in `services/<consumer>/pacts/<provider>.py` what it relies on. Its test runs the real client
and the real handlers against it, and the gate verifies the provider.
https://docs.pact.io/ and https://github.com/pact-foundation/pact-specification/tree/version-4
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("PACT_DO_NOT_TRACK", "true")  # before it is loaded: it calls home otherwise

from pact import Pact, match

from contracts.events.envelope import EVENT_TYPE_ATTRIBUTE, Event, qualified_type, routing_type

Expectation = Callable[[Pact], None]
"""Adds one interaction to a pact."""

_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"
_CURRENCY = r"^[A-Z]{3}$"


@dataclass(frozen=True)
class Contract:
    """All that `consumer` relies on of `provider`.

    `calls` are by the method that makes them, such as "ProductClient.quotes"; `events` by what the topology
    delivers.
    """

    consumer: str
    provider: str
    calls: Mapping[str, Sequence[Expectation]] = field(default_factory=dict)
    events: Mapping[type[Event], Expectation] = field(default_factory=dict)

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """Each interaction."""
        return (*(each for some in self.calls.values() for each in some), *self.events.values())

    def pact(self, *some: Expectation) -> Pact:
        """The pact of `some` expectations, or of all."""
        pact = Pact(self.consumer, self.provider)
        for expectation in some or self.expectations:
            expectation(pact)
        return pact

    def document(self, *some: Expectation) -> dict[str, Any]:
        """The same as it is published: a pact file of version 4, in an order that does not change."""
        with tempfile.TemporaryDirectory() as folder:
            self.pact(*some).write_file(folder)
            (written,) = Path(folder).iterdir()
            document: dict[str, Any] = json.loads(written.read_text())
        document["interactions"].sort(key=lambda each: (each["type"], each["description"], str(each)))
        # Not the versions of the libraries that wrote it; and last, wherever those put it.
        document.pop("metadata", None)
        document["metadata"] = {"pactSpecification": {"version": "4.0"}}
        return document


def uuid_like(example: object) -> match.AbstractMatcher[Any]:
    """Any UUID, as it is written in lower case (RFC 9562)."""
    return match.uuid(str(example), format="lowercase")


def instant_like(example: str = "2026-01-31T12:00:00Z") -> match.AbstractMatcher[Any]:
    """Any instant with its offset (RFC 3339). `match.datetime` knows neither `Z` nor offsets."""
    return match.regex(example, regex=_INSTANT)


def money_like(amount: int = 1000, currency: str = "EUR") -> dict[str, Any]:
    """Any amount of any currency."""
    return {"amount": match.int(amount), "currency": match.regex(currency, regex=_CURRENCY)}


def address_like() -> dict[str, Any]:
    """Any address. There may be a second line."""
    return {
        "recipient": match.str("Ada"),
        "line1": match.str("Allee 1"),
        "city": match.str("Berlin"),
        "postal_code": match.str("10115"),
        "country": match.regex("DE", regex="^[A-Z]{2}$"),
    }


def one_of(*values: str) -> match.AbstractMatcher[Any]:
    """One of the words that the consumer can tell apart; the first is the example."""
    return match.regex(values[0], regex=f"^({'|'.join(map(re.escape, values))})$")


def event(kind: type[Event], state: str, subject: object, data: Mapping[str, Any]) -> Expectation:
    """A message that tells of `kind`, once the provider has come to `state`.

    What stands around `data` is what `chassis.consumer` cannot read an event without.
    """
    envelope = {
        "id": uuid_like("01900000-0000-7000-8000-000000000000"),
        "source": match.regex("/services/somebody", regex="^/services/[a-z]+$"),
        "type": qualified_type(kind),
        "subject": uuid_like(subject),
        "time": instant_like(),
        "data": data,
    }

    def expectation(pact: Pact) -> None:
        message = pact.upon_receiving(qualified_type(kind), "Async").given(state)
        message.with_body(envelope, "application/json")
        message.with_metadata({EVENT_TYPE_ATTRIBUTE: routing_type(kind)})

    return expectation


def signing_keys(pact: Pact) -> None:
    """What every service but the user service knows people by (RFC 7517)."""
    keys = match.each_like(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": match.str("2026-01"),
            "x": match.regex("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", regex="^[A-Za-z0-9_-]{43}$"),
        },
        min=1,
    )
    request = pact.upon_receiving("the keys that tokens are signed with").with_request(
        "GET", "/api/users/.well-known/jwks.json"
    )
    request.will_respond_with(200).with_body({"keys": keys}, "application/jwk-set+json")


SIGNING_KEYS: Mapping[str, Sequence[Expectation]] = {"RemoteKeys.fetch": (signing_keys,)}
