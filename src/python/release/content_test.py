"""The hash of what is shipped: it changes where a release would be planned, and only there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from contracts import services
from release import content
from release.building import CHASSIS, EVENTS, LOCK, RECIPE, REGISTRY, SERVICES, Shop, source
from release.graph import Graph
from release.thing import named
from release.version import ReleaseError

TOPOLOGY = "src/python/contracts/topology.py"
ORDER_LOST = "mercato.ORDER_LOST.v1"


def hashes(shop: Shop) -> dict[str, str]:
    """Of all services, as they lie there."""
    graph = Graph(shop.targets)
    return {name: content.digest(named(name), graph, shop.root) for name in services.SERVICES}


def changed_by(shop: Shop, change: Callable[[Shop], object]) -> set[str]:
    """The services whose hash is another afterwards, which are those that have to be released."""
    before = hashes(shop)
    change(shop)
    after = hashes(shop)
    found = {name for name in before if before[name] != after[name]}
    assert found == shop.due().keys() & set(services.SERVICES)
    return found


def edit(path: str, old: str, new: str) -> Callable[[Shop], object]:
    """Another text in a file."""
    return lambda shop: shop.edit(path, old, new)


def add_field(shop: Shop) -> None:
    """A field of an event that may be absent."""
    old = "    reason: CancelReason\n"
    shop.edit(f"{EVENTS}/order.py", old, f'{old}    note: str = ""\n')

    def add_note(document: dict[str, Any]) -> None:
        document["properties"]["note"] = {"type": "string", "default": ""}

    shop.edit_document("events/mercato.ORDER_CANCELLED.v1.json", add_note)


def add_event(shop: Shop) -> None:
    """An event that one service publishes and nobody hears."""

    def add(document: dict[str, Any]) -> None:
        document["channels"]["order-events"]["messages"][ORDER_LOST] = {}

    lost = '\n\nclass OrderLost(_OrderEvent, type="ORDER_LOST"):\n    """Nobody knows where it is."""\n'
    shop.write(f"{EVENTS}/order.py", shop.read(f"{EVENTS}/order.py") + lost)
    shop.write(f"{REGISTRY}/events/{ORDER_LOST}.json", '{"type": "object", "properties": {}}\n')
    shop.edit_document("asyncapi/mercato.json", add)


def deliver_more(shop: Shop) -> None:
    """A queue is given an event more."""

    def deliver(document: dict[str, Any]) -> None:
        document["operations"]["inventory-update-queue-from-order-events"]["messages"].append(
            {"$ref": "#/channels/order-events/messages/mercato.ORDER_UPDATED.v1"}
        )

    shop.edit(TOPOLOGY, "INVENTORY_QUEUE, (OrderCreated,", "INVENTORY_QUEUE, (OrderCreated, OrderUpdated,")
    shop.edit_document("asyncapi/mercato.json", deliver)


def add_module(shop: Shop) -> None:
    """A file that is imported from now on."""
    new = f"{SERVICES}/order/clients.py"
    shop.write(new, "URL = ''\n")
    depend(shop, "order").append(new)
    shop.targets.append(source(new))


def remove_migration(shop: Shop) -> None:
    """A file that is gone, and that nobody had imported."""
    gone = f"{SERVICES}/user/migrations/0002_second.py"
    (shop.root / gone).unlink()
    depend(shop, "user").remove(gone)


def depend(shop: Shop, service: str) -> list[str]:
    """What the program of a service depends on."""
    app = f"{SERVICES}/{service}/app.py"
    found: list[str] = next(each for each in shop.targets if each["address"] == app)["dependencies"]
    return found


ALL = frozenset(services.SERVICES)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(edit(f"{SERVICES}/order/app.py", "NAME", "CALLED"), {"order"}, id="module"),
        pytest.param(edit(f"{CHASSIS}/body_limit.py", "1", "2"), {"order", "payment"}, id="chassis"),
        pytest.param(edit(RECIPE, "()", '("tests",)'), ALL, id="recipe"),
        pytest.param(edit(LOCK, "markupsafe==2.1.5", "markupsafe==3.0.0"), {"notification"}, id="library"),
        pytest.param(add_field, {"order"}, id="field of an event"),
        pytest.param(add_event, {"order"}, id="event"),
        pytest.param(deliver_more, {"product"}, id="subscription"),
        pytest.param(
            edit(f"{EVENTS}/order.py", "return self.order_id", "return self.customer_id"), ALL, id="method"
        ),
        pytest.param(add_module, {"order"}, id="new file"),
        pytest.param(remove_migration, {"user"}, id="file that is gone"),
    ],
)
def test_what_is_shipped_changes_the_hash(
    change: Callable[[Shop], object], expected: set[str], shop: Shop
) -> None:
    """Of those who ship it, and whom it concerns."""
    assert expected == changed_by(shop, change)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (f"{SERVICES}/order/app_test.py", "test_it", "test_that"),
        (f"{SERVICES}/order/CHANGELOG.md", "All", "Most"),
        (f"{SERVICES}/order/VERSION", "1.0.0", "1.2.0"),
        ("src/python/infra/app.py", "()", "(1,)"),
        (f"{EVENTS}/order.py", "# the customer asked", "# the customer wants it so"),
        (LOCK, "sha256:04", "sha256:40"),
        (LOCK, "pytest==8.3.3", "pytest==8.3.4"),
    ],
    ids=["test", "changelog", "version", "deployment", "remark in data", "hash", "tests' library"],
)
def test_what_is_not_shipped_does_not(path: str, old: str, new: str, shop: Shop) -> None:
    """Users would get what they have; but for the version, which a person wrote."""
    before = hashes(shop)
    shop.edit(path, old, new)
    assert before == hashes(shop)


def test_the_same_content_has_the_same_hash(shop: Shop) -> None:
    """Committed or not, and in whatever order the graph lists it; each service has one of its own."""
    before = hashes(shop)
    assert len(ALL) == len(set(before.values()))
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in before.values())
    shop.targets.reverse()
    assert before == hashes(shop)
    edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")(shop)
    edited = hashes(shop)
    shop.commit("refactor(order): another name")
    assert edited == hashes(shop)
    edit(f"{SERVICES}/order/app.py", "CALLED", "NAME")(shop)
    assert before == hashes(shop)


def test_a_file_of_the_graph_that_is_gone_is_named(shop: Shop) -> None:
    """With what to do: the graph is older than the checkout."""
    (shop.root / SERVICES / "order/settings.py").unlink()
    with pytest.raises(ReleaseError, match=r"order/settings\.py is in .* ask Pants for the graph anew"):
        hashes(shop)
