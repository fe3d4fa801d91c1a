"""Verifies a provider: what its consumers wrote down, against the running service and against its outbox."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pact import Verifier

from chassis.pact_provider import Provider
from chassis.pacts import Contract

_STATE_WITHIN_S = 20
# Longer than a state may take: Pact's own 5 s would call a slow machine a broken contract.
_REQUEST_WITHIN_S = 30


class PactError(Exception):
    """A pact that says nothing which could be verified; the message says what is wrong with it."""


@dataclass(frozen=True)
class Result:
    """What became of one interaction; it was kept where there are no `problems`."""

    description: str
    states: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def interaction(self) -> str:
        """The interaction as people speak of it."""
        given = " and ".join(self.states)
        return f"{self.description!r}" + (f" given {given!r}" if given else "")


async def verify(name: str, provider: Provider, pact: Mapping[str, Any]) -> list[Result]:
    """Replay every interaction of `pact` against the provider `name`. Raises PactError for one without any.

    A state that the provider does not know, or cannot come to, is a problem of the interactions that need it.
    """
    expected = len(pact.get("interactions") or [])
    if not expected:
        raise PactError(f"the pact of {_consumer(pact)} with {name} has no interactions")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pact.json"
        path.write_text(json.dumps(pact))
        results = await replay(name, provider, lambda verifier: verifier.add_source(path))
    if len(results) != expected:
        raise PactError(
            f"of {expected} interactions of {_consumer(pact)} with {name} only {len(results)} were verified"
        )
    return results


async def replay(name: str, provider: Provider, prepare: Callable[[Verifier], object]) -> list[Result]:
    """Replay the interactions of the sources that `prepare` gives the verifier."""
    stage = _Stage(provider, asyncio.get_running_loop())
    verifier = (
        Verifier(name, host="127.0.0.1").state_handler(stage.set, teardown=False).message_handler(stage.tell)
    )
    verifier.set_request_timeout(_REQUEST_WITHIN_S * 1000)
    prepare(verifier)
    async with provider.served() as url:
        if url is not None:
            verifier.add_transport(url=url)
        await asyncio.to_thread(_run, verifier)
    return [_result(each, stage.failures) for each in verifier.results["interactionResults"]]


async def problems(provider: Provider, contract: Contract) -> list[str]:
    """What `provider` does not keep of `contract`, by interaction; nothing where all is kept."""
    return problems_of(await verify(contract.provider, provider, contract.document()))


def problems_of(results: Sequence[Result]) -> list[str]:
    """Each problem, with the interaction it is one of."""
    return [f"{each.interaction}: {problem}" for each in results for problem in each.problems]


def _consumer(pact: Mapping[str, Any]) -> str:
    return str(pact.get("consumer", {}).get("name"))


def _run(verifier: Verifier) -> None:
    try:
        verifier.verify()
    except RuntimeError:
        if "interactionResults" not in verifier.results:
            raise
        # The results say which interactions failed, and why.


def _result(found: Mapping[str, Any], failures: Mapping[str, str]) -> Result:
    states = tuple(found["providerStates"])
    problems = [failures[state] for state in states if state in failures]
    if found["result"] != "OK":
        problems += _mismatches(found)
    return Result(found["description"], states, tuple(problems))


def _mismatches(found: Mapping[str, Any]) -> list[str]:
    mismatch = found.get("mismatch", {})
    details = mismatch.get("mismatches", [])
    return [_line(each) for each in details] or [json.dumps(mismatch) if mismatch else "it failed"]


def _line(mismatch: Mapping[str, Any]) -> str:
    where = mismatch.get("path") or mismatch.get("key") or mismatch["type"]
    return f"{where}: {mismatch.get('mismatch', mismatch)}"


@dataclass
class _Stage:
    """What Pact asks for from a thread of its own: to set a state, and to tell an event."""

    provider: Provider
    loop: asyncio.AbstractEventLoop
    failures: dict[str, str] = field(default_factory=dict)

    def set(self, state: str, action: str, parameters: dict[str, Any] | None) -> None:
        """Bring the provider to `state`. A failure is noted: Pact would try for minutes what raises."""
        del action  # there is no teardown
        if not state:
            return
        try:
            self._await(self._set(state, parameters or {}))
        except Exception as error:
            self.failures[state] = f"the provider cannot come to this state: {error!r}"

    async def _set(self, state: str, parameters: Mapping[str, Any]) -> None:
        if state not in self.provider.states:
            known = ", ".join(map(repr, self.provider.states))
            raise PactError(f"it is not known; known are {known}")
        await self.provider.forget()
        await self.provider.states[state](**parameters)

    def tell(self, name: str, metadata: dict[str, Any] | None) -> Any:
        """The newest event of the type `name` in the outbox, as it goes to SNS; empty where there is none."""
        del metadata  # what the consumer expects
        entry = self._await(self.provider.told(name))
        if entry is None:
            return {"contents": b"null", "metadata": {}, "content_type": "application/json"}
        attributes = {name: each["StringValue"] for name, each in entry["MessageAttributes"].items()}
        return {
            "contents": entry["Message"].encode(),
            "metadata": attributes,
            "content_type": "application/json",
        }

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(_STATE_WITHIN_S)
