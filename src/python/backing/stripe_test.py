from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
from aiohttp import web
from aiohttp.test_utils import TestServer

from backing.process import ProcessError
from backing.stripe import Stripe

API_KEY = "sk_test_key"


class Api:
    """The provider's API, as a program speaks it that has no client of Stripe's."""

    def __init__(self, server: Stripe, client: httpx.AsyncClient) -> None:
        self.server = server
        self._client = client

    async def post(self, path: str, key: str | None = None, **form: Any) -> httpx.Response:
        """A write, with `key` as its Idempotency-Key."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self._client.post(f"/v1/{path}", data=form, headers=headers)

    async def get(self, path: str, **query: str) -> Any:
        """What a read is answered."""
        answer = await self._client.get(f"/v1/{path}", params=query)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    async def customers(self) -> list[str]:
        """The ids of all customers."""
        return [customer["id"] for customer in (await self.get("customers"))["data"]]

    async def hold(self, card: str = "pm_card_visa", key: str | None = None, **form: Any) -> httpx.Response:
        """Have 10.00 EUR held on a card."""
        asked: dict[str, Any] = {"amount": 1000, "currency": "eur", "payment_method": card, "confirm": "true"}
        return await self.post("payment_intents", key, **(asked | {"capture_method": "manual"} | form))


@asynccontextmanager
async def speaking(server: Stripe) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=server.url, auth=(API_KEY, ""), timeout=10) as client:
        yield Api(server, client)


@pytest.fixture
async def api(stripe_server: Stripe) -> AsyncIterator[Api]:
    """The API of a provider that knows nobody yet."""
    async with speaking(stripe_server) as made:
        yield made


async def test_a_key_gets_the_first_answer_again(api: Api) -> None:
    """What was asked for is done once; without a key, or with another, each time."""
    first, again = [await api.post("customers", "key", name="Ada") for _ in range(2)]
    assert (200, first.json()) == (again.status_code, again.json())
    assert ["true"] == [
        a.headers["Idempotent-Replayed"] for a in (first, again) if "Idempotent-Replayed" in a.headers
    ]
    assert [first.json()["id"]] == await api.customers()
    others = [(await api.post("customers", key, name="Ada")).json()["id"] for key in ("other", None, None)]
    assert sorted([first.json()["id"], *others]) == sorted(await api.customers())
    assert 4 == len(set(await api.customers()))


async def test_a_key_belongs_to_one_request(api: Api) -> None:
    """Another with the same key is a mistake of the one who sends it, and does nothing."""
    await api.post("customers", "key", name="Ada")
    for path, form in (("customers", {"name": "Grace"}), ("products", {"name": "Ada"})):
        refused = await api.post(path, "key", **form)
        assert (400, "idempotency_error") == (refused.status_code, refused.json()["error"]["type"])
    assert 1 == len(await api.customers())


async def test_a_key_in_use_waits_for_nobody(api: Api) -> None:
    """Of two requests at once one is told to come again, and then gets the other's answer."""
    api.server.control(latency_ms=1000)
    answers = await asyncio.gather(*(api.post("customers", "key", name="Ada") for _ in range(2)))
    taken, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert [200, 409] == [taken.status_code, refused.status_code]
    assert "idempotency_key_in_use" == refused.json()["error"]["code"]
    assert taken.json() == (await api.post("customers", "key", name="Ada")).json()


async def test_a_declined_card_is_declined_again_by_the_same_key(api: Api) -> None:
    """An answer that says no is an answer: the card is not charged behind it."""
    first, again = [await api.hold("pm_card_chargeDeclinedInsufficientFunds", key="key") for _ in range(2)]
    error = first.json()["error"]
    assert (402, "card_error", "card_declined", "insufficient_funds") == (
        first.status_code,
        error["type"],
        error["code"],
        error["decline_code"],
    )
    assert (402, first.json()) == (again.status_code, again.json())
    assert 1 == len((await api.get("payment_intents"))["data"])


async def test_an_answer_that_is_dropped_is_there_for_the_same_key(api: Api) -> None:
    """As when a connection breaks: what was asked for is done, and nobody knows."""
    api.server.control(drop_answers=1)
    with pytest.raises(httpx.TransportError):
        await api.post("customers", "key", name="Ada")
    (made,) = await api.customers()
    assert made == (await api.post("customers", "key", name="Ada")).json()["id"]
    assert [made] == await api.customers()


async def test_a_failure_on_demand_does_nothing(api: Api) -> None:
    """Below the path that was named, so many times; the key is then as good as new."""
    api.server.control(fail=1, path="/v1/customers")
    assert 200 == (await api.post("products", name="Tea")).status_code
    assert 500 == (await api.post("customers", "key", name="Ada")).status_code
    assert [] == await api.customers()
    assert 200 == (await api.post("customers", "key", name="Ada")).status_code
    assert 1 == api.server.control()["writes"]


@pytest.mark.parametrize("wrong", [{"fail": -1}, {"fail": "1"}, {"unknown": 1}, {"writes": 0}], ids=str)
def test_what_cannot_be_set_is_refused(stripe_server: Stripe, wrong: dict[str, Any]) -> None:
    """A misspelt setting would make a test pass that tests nothing."""
    before = stripe_server.control()
    with pytest.raises(ProcessError, match=next(iter(wrong))):
        stripe_server.control(**wrong)
    assert before == stripe_server.control()


async def test_what_is_held_is_taken_once_and_given_back_once(api: Api) -> None:
    """No more than was held, and not when it was let go of."""
    intent = (await api.hold()).json()
    assert ("requires_capture", 1000, 0) == _state(intent)
    where = f"payment_intents/{intent['id']}"
    assert ("succeeded", 0, 1000) == _state((await api.post(f"{where}/capture")).json())
    for late in ("capture", "cancel"):
        refused = await api.post(f"{where}/{late}")
        assert (400, "payment_intent_unexpected_state") == (
            refused.status_code,
            refused.json()["error"]["code"],
        )
    refunds = [
        (await api.post("refunds", payment_intent=intent["id"], amount=amount)).status_code
        for amount in (600, 600, 400, 1)
    ]
    assert [200, 400, 200, 400] == refunds


async def test_what_was_let_go_of_cannot_be_taken(api: Api) -> None:
    """Nor given back."""
    intent = (await api.hold()).json()
    where = f"payment_intents/{intent['id']}"
    assert ("canceled", 0, 0) == _state((await api.post(f"{where}/cancel")).json())
    assert 400 == (await api.post(f"{where}/capture")).status_code
    assert 400 == (await api.post("refunds", payment_intent=intent["id"])).status_code


async def test_intents_are_found_by_what_was_noted_on_them(api: Api) -> None:
    """So that somebody whose answer was lost can look for what became of it."""
    one, other = [(await api.hold(**{"metadata[order_id]": order})).json()["id"] for order in ("1", "2")]
    found = await api.get("payment_intents/search", query="metadata['order_id']:'2'")
    assert [other] == [intent["id"] for intent in found["data"]]
    assert one != other


def _state(intent: dict[str, Any]) -> tuple[str, int, int]:
    return intent["status"], intent["amount_capturable"], intent["amount_received"]


class Receiver:
    """The shop's webhook: it answers with one status after the other, the last one for ever."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.url = ""
        self._posted: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        self._posted.put_nowait((await request.read(), request.headers["Stripe-Signature"]))
        return web.Response(status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])

    async def posted(self) -> tuple[bytes, str]:
        """The next event's body and its signature."""
        async with asyncio.timeout(15):
            return await self._posted.get()

    async def event(self) -> dict[str, Any]:
        """The next event."""
        event: dict[str, Any] = json.loads((await self.posted())[0])
        return event

    @property
    def nothing_else(self) -> bool:
        return self._posted.empty()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A webhook that listens."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/webhook", made.take)
    async with TestServer(app) as server:
        made.url = str(server.make_url("/webhook"))
        yield made


@asynccontextmanager
async def posting(
    to: Receiver, log: Path, *, events: Sequence[str] = (), state: Path | None = None
) -> AsyncIterator[Api]:
    """The API of a provider that posts to `to`."""
    server = Stripe(log=log, webhook_url=to.url, webhook_events=events, state=state)
    server.start()
    try:
        await asyncio.to_thread(server.wait_ready)
        async with speaking(server) as made:
            yield made
    finally:
        await asyncio.to_thread(server.stop)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the provider writes what went wrong."""
    return tmp_path / "stripe.log"


async def test_an_event_is_posted_with_a_signature_that_stripes_own_library_takes(
    receiver: Receiver, log: Path
) -> None:
    """And that nobody makes who does not know the secret, or changes the body."""
    async with posting(receiver, log) as api:
        intent = (await api.hold()).json()
        body, signature = await receiver.posted()
        event = json.loads(body)
        assert "payment_intent.amount_capturable_updated" == event["type"]
        assert intent["id"] == event["data"]["object"]["id"]
        secret = api.server.webhook_secret
        stripe.WebhookSignature.verify_header(body.decode(), signature, secret, 300)
        for forged in (
            (body.decode() + " ", signature, secret),
            (body.decode(), signature, f"whsec_{uuid.uuid4().hex}"),
        ):
            with pytest.raises(stripe.SignatureVerificationError):
                stripe.WebhookSignature.verify_header(*forged, 300)


async def test_an_endpoint_gets_the_events_it_names(receiver: Receiver, log: Path) -> None:
    """Each outcome of an intent, and nothing that it did not ask for."""
    outcomes = (
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "charge.refunded",
    )
    async with posting(receiver, log, events=outcomes) as api:
        taken, freed = [(await api.hold()).json()["id"] for _ in range(2)]
        await api.post(f"payment_intents/{taken}/capture")
        await api.post("refunds", payment_intent=taken)
        await api.post(f"payment_intents/{freed}/cancel")
        await api.hold("pm_card_chargeDeclined")
        heard = [(await receiver.event())["type"] for _ in range(6)]
    assert sorted([*outcomes, outcomes[0]]) == sorted(heard)
    assert receiver.nothing_else


async def test_an_event_is_posted_until_it_is_taken(receiver: Receiver, log: Path) -> None:
    """The same each time; once it was taken it does not come again."""
    receiver.statuses = [500, 404, 200]
    async with posting(receiver, log, events=["payment_intent.succeeded"]) as api:
        for _ in range(2):
            await api.post(f"payment_intents/{(await api.hold()).json()['id']}/capture")
        heard = [(await receiver.event())["id"] for _ in range(4)]
    assert 2 == len(set(heard))
    assert receiver.nothing_else


async def test_everything_is_kept_over_a_stop(receiver: Receiver, log: Path, tmp_path: Path) -> None:
    """Intents, the answers that keys get, and the events that nobody has taken."""
    receiver.statuses = [503]
    events, state = ["payment_intent.amount_capturable_updated"], tmp_path / "state"
    async with posting(receiver, log, events=events, state=state) as api:
        before = (await api.hold(key="key")).json()
        event = await receiver.event()
    receiver.statuses = [200]
    while not receiver.nothing_else:
        await receiver.event()
    async with posting(receiver, log, events=events, state=state) as api:
        assert event == await receiver.event()
        assert before == (await api.hold(key="key")).json()
        assert before["id"] == (await api.get(f"payment_intents/{before['id']}"))["id"]
        assert 1 == len((await api.get("payment_intents"))["data"])
