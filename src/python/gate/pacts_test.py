from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from contracts.services import SERVICES
from contracts.topology import SUBSCRIPTIONS
from gate import (
    order_provider_test,
    pacts,
    payment_provider_test,
    product_provider_test,
    user_provider_test,
)

VERIFIED = {
    "order": order_provider_test,
    "payment": payment_provider_test,
    "product": product_provider_test,
    "user": user_provider_test,
}
FOLDER = Path(importlib.import_module("services").__path__[0])


def clients(module: ModuleType) -> Iterator[str]:
    for name, each in inspect.getmembers(module, inspect.isclass):
        if each.__module__ == module.__name__ and "HttpClient" in str(inspect.signature(each)):
            for method, function in inspect.getmembers(each, inspect.iscoroutinefunction):
                if not method.startswith("_"):
                    yield f"{name}.{function.__name__}"


def calls_made() -> set[tuple[str, str]]:
    found = set()
    for service in SERVICES:
        if (FOLDER / service / "clients.py").exists():
            module = importlib.import_module(f"services.{service}.clients")
            found |= {(service, call) for call in clients(module)}
        if "RemoteKeys(" in (FOLDER / service / "app.py").read_text():
            found.add((service, "RemoteKeys.fetch"))
    return found


def test_every_contract_is_found() -> None:
    """Each stands in a module of its consumer that has the name of its provider."""
    files = [path for path in FOLDER.glob("*/pacts/*.py") if not path.name.startswith(("__", "states."))]
    standing = {(path.parts[-3], path.stem) for path in files if not path.stem.endswith("_test")}
    assert standing == {(each.consumer, each.provider) for each in pacts.CONTRACTS}
    assert ("order", "product") in standing


def test_every_call_of_a_client_has_a_contract() -> None:
    """A new method of a client fails here until its service has written down what it relies on."""
    written = {(each.consumer, call) for each in pacts.CONTRACTS for call, some in each.calls.items() if some}
    assert calls_made() == written
    assert ("order", "ProductClient.quotes") in written


def test_other_services_are_called_by_clients_alone() -> None:
    """A call from elsewhere would be missed by the test above."""
    users = {path.name for path in FOLDER.glob("*/*.py") if "HttpClient" in path.read_text()}
    assert {name for name in users if not name.endswith("_test.py")} == {"app.py", "clients.py"}


def test_every_event_that_is_delivered_has_a_contract() -> None:
    """A new subscription fails here until its consumer has written down what it relies on."""
    delivered = {
        (subscription.queue.consumer, event)
        for subscription in SUBSCRIPTIONS
        for event in subscription.delivered
    }
    written = [(each.consumer, event) for each in pacts.CONTRACTS for event in each.events]
    assert delivered == set(written)
    assert len(written) == len(set(written))


def test_every_contract_is_verified_by_its_provider() -> None:
    """No consumer is left out of the test of the one it relies on."""
    for provider, test in VERIFIED.items():
        written = {each.consumer for each in pacts.CONTRACTS if each.provider == provider}
        assert written == {each.consumer for each in test.CONTRACTS}
    assert set(VERIFIED) == {each.provider for each in pacts.CONTRACTS}


def test_two_expectations_of_one_contract_are_two_interactions() -> None:
    """Pact keeps the last of those that have the same description and state."""
    for each in pacts.CONTRACTS:
        assert len(each.document()["interactions"]) == len(each.expectations)
