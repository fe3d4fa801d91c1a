from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gate.broker import Broker
from gate.registry import RegistryError

PACT = {"consumer": {"name": "order"}, "provider": {"name": "user"}, "interactions": []}


@dataclass
class FakeBroker:
    """As much of a broker as the real client asks for; it notes what it was asked."""

    url: str = ""
    deployable: bool = True
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        text = await request.text()
        self.asked.append((request.method, request.path_qs, json.loads(text) if text else None))
        answer = {"_links": self._links(), **self._body(request.path)}
        return web.json_response(answer, content_type="application/hal+json")

    def _links(self) -> dict[str, Any]:
        deployments = f"{self.url}/deployed/staging"
        return {
            "self": {"href": self.url},
            "pb:publish-contracts": {"href": f"{self.url}/contracts/publish"},
            "pb:environments": {"href": f"{self.url}/environments"},
            "pb:pacticipant-version": {
                "href": f"{self.url}/pacticipants/{{pacticipant}}/versions/{{version}}",
                "templated": True,
            },
            "pb:record-deployment": [{"name": "staging", "href": deployments}],
        }

    def _body(self, path: str) -> dict[str, Any]:
        if path == "/matrix":
            return {
                "summary": {"deployable": self.deployable, "reason": "because"},
                "matrix": [],
                "notices": [],
            }
        staging = {"name": "staging", "uuid": "1", "_links": {"self": {"href": f"{self.url}/environments/1"}}}
        return {"_embedded": {"environments": [staging]}, "notices": []}


@pytest.fixture
async def fake() -> AsyncIterator[FakeBroker]:
    fake = FakeBroker()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        fake.url = str(server.make_url("")).rstrip("/")
        yield fake


async def broker(fake: FakeBroker) -> Broker:
    environment = {"PATH": os.environ["PATH"], "PACT_DO_NOT_TRACK": "true"}
    return await asyncio.to_thread(Broker, fake.url, environment)


async def test_a_consumer_publishes_its_pacts_under_its_version(fake: FakeBroker) -> None:
    """By the client of the Pact Foundation, to the link that the broker names."""
    client = await broker(fake)
    assert 0 == await asyncio.to_thread(client.publish, "order", "1.2.0", {"user": PACT})
    (said,) = [body for method, path, body in fake.asked if (method, path) == ("POST", "/contracts/publish")]
    assert ("order", "1.2.0", "main") == (
        said["pacticipantName"],
        said["pacticipantVersionNumber"],
        said["branch"],
    )
    assert [("order", "user")] == [(each["consumerName"], each["providerName"]) for each in said["contracts"]]


@pytest.mark.parametrize(("deployable", "status"), [(True, 0), (False, 1)])
async def test_the_brokers_answer_is_passed_on(fake: FakeBroker, deployable: bool, status: int) -> None:
    """As the exit code of the command; who is ignored is said to the broker."""
    fake.deployable = deployable
    client = await broker(fake)
    assert status == await asyncio.to_thread(client.can_i_deploy, "order", "1.2.0", "staging", ["user"])
    (asked,) = [path for _, path, _ in fake.asked if path.startswith("/matrix")]
    for part in ("pacticipant]=order", "version]=1.2.0", "environment=staging", "ignore[][pacticipant]=user"):
        assert part.replace("[", "%5B").replace("]", "%5D") in asked or part in asked


async def test_a_deployment_is_recorded_at_the_broker(fake: FakeBroker) -> None:
    """In the environment it was made in."""
    client = await broker(fake)
    assert 0 == await asyncio.to_thread(client.record_deployment, "order", "1.2.0", "staging")
    assert ("POST", "/deployed/staging") in [(method, path) for method, path, _ in fake.asked]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://", "no url", "ftp://127.0.0.1:9"])
def test_a_broker_that_does_not_answer_is_named(url: str) -> None:
    """In one sentence that says what to do."""
    with pytest.raises(RegistryError, match=f"the broker at {url} does not answer .*: start it, or mend"):
        Broker(url)
