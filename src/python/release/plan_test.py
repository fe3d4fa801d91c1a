from __future__ import annotations

from typing import Any

import pytest

from contracts import services
from release.building import CHASSIS, EVENTS, LOCK, REGISTRY, SERVICES, Shop, source
from release.plan import bumps
from release.version import Bump, ReleaseError

CANCELLED = "mercato.ORDER_CANCELLED.v1"
ALL_SERVICES = set(services.SERVICES)
TOPOLOGY = "src/python/contracts/topology.py"


def add_note(document: dict[str, Any]) -> None:
    """A field of an event that may be absent."""
    document["properties"]["note"] = {"type": "string", "default": ""}


def without_total(document: dict[str, Any]) -> None:
    """A field of an answer goes."""
    schema = _order_of(document)
    schema["properties"].pop("total")
    schema["required"].remove("total")


def _order_of(document: dict[str, Any]) -> dict[str, Any]:
    answer = document["paths"]["/api/orders/{order_id}"]["get"]["responses"]["200"]
    name = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def test_what_was_released_as_it_is_needs_no_release(shop: Shop) -> None:
    """A plan of nothing is short."""
    assert {} == shop.due()
    assert "order 1.0.0: nothing to release" == str(shop.plan()["order"])


def test_a_line_of_a_service_plans_that_service_alone(shop: Shop) -> None:
    """The others ship none of it."""
    shop.edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")
    assert {"order": "1.0.1"} == shop.due()
    shop.commit("refactor(order): another name")
    assert {"order": "1.0.1"} == shop.due()
    assert "order 1.0.0 -> 1.0.1 (patch)\n  changed: src/python/services/order/app.py" == str(
        shop.plan()["order"]
    )


def test_a_new_optional_field_of_an_event_is_a_minor_for_its_producer_alone(shop: Shop) -> None:
    """All ship the module; its readers ignore what they do not know."""
    shop.edit(
        f"{EVENTS}/order.py", "    reason: CancelReason\n", '    reason: CancelReason\n    note: str = ""\n'
    )
    shop.edit_document(f"events/{CANCELLED}.json", add_note)
    assert {"order": "1.1.0", "contracts": "1.1.0"} == shop.due()
    assert (f"events/{CANCELLED}",) == shop.plan()["order"].judgement.additive


def test_the_code_of_a_module_of_events_counts_for_all_who_ship_it(shop: Shop) -> None:
    """No document says what a method does."""
    shop.edit(f"{EVENTS}/order.py", "return self.order_id", "return self.customer_id")
    assert ALL_SERVICES | {"contracts", "infra"} == shop.due().keys()


def test_a_remark_in_a_module_of_events_counts_for_the_contracts_alone(shop: Shop) -> None:
    """It is theirs, and nobody runs it."""
    shop.edit(f"{EVENTS}/order.py", "# the customer asked", "# the customer wants it so")
    assert {"contracts": "1.0.1"} == shop.due()


def test_another_subscription_counts_for_who_is_told_more_and_for_the_deployment(shop: Shop) -> None:
    """Its queue is given something else; whoever publishes that notices nothing."""

    def deliver_more(document: dict[str, Any]) -> None:
        document["operations"]["inventory-update-queue-from-order-events"]["messages"].append(
            {"$ref": "#/channels/order-events/messages/mercato.ORDER_UPDATED.v1"}
        )

    shop.edit(TOPOLOGY, "INVENTORY_QUEUE, (OrderCreated,", "INVENTORY_QUEUE, (OrderCreated, OrderUpdated,")
    shop.edit_document("asyncapi/mercato.json", deliver_more)
    assert {"product": "1.0.1", "contracts": "1.1.0", "infra": "1.1.0"} == shop.due()


def test_a_new_event_is_a_minor_for_all_that_may_publish_it(shop: Shop) -> None:
    """As long as nobody has a pact of it, its topic tells who that is."""
    name = "mercato.ORDER_LOST.v1"

    def add_event(document: dict[str, Any]) -> None:
        document["channels"]["order-events"]["messages"][name] = {}

    shop.write(f"{EVENTS}/order.py", shop.read(f"{EVENTS}/order.py") + LOST)
    shop.write(f"{REGISTRY}/events/{name}.json", '{"type": "object", "properties": {}}\n')
    shop.edit_document("asyncapi/mercato.json", add_event)
    shop.edit(
        TOPOLOGY, "(OrderCreated, OrderUpdated, OrderConfirmed, OrderCancelled))\nPAY", "(OrderLost,))\nPAY"
    )
    assert {"order": "1.1.0", "contracts": "1.1.0", "infra": "1.1.0"} == shop.due()


LOST = '''

class OrderLost(_OrderEvent, type="ORDER_LOST"):
    """Nobody knows where it is."""
'''


def test_a_route_that_is_added_is_a_minor(shop: Shop) -> None:
    """Its service has more to offer; a service that calls it ships none of it."""

    def add_route(document: dict[str, Any]) -> None:
        document["paths"]["/api/orders/lost"] = {"get": {"responses": {"200": {"description": "them"}}}}

    shop.edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")
    shop.edit_document("openapi/order.json", add_route)
    assert {"order": "1.1.0"} == shop.due()


def test_a_field_that_goes_from_an_answer_is_a_major_and_refused_as_less(shop: Shop) -> None:
    """The refusal names what breaks somebody."""
    shop.edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")
    shop.edit_document("openapi/order.json", without_total)
    planned = shop.plan()["order"]
    assert "2.0.0" == str(planned.version())
    for bump in (Bump.PATCH, Bump.MINOR):
        with pytest.raises(
            ReleaseError, match=f"order cannot be released as a {bump}, it is a major: .*total"
        ):
            planned.version(bump)


def test_a_bump_may_be_larger_than_needed(shop: Shop) -> None:
    """Who releases knows more than documents say."""
    shop.edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")
    assert "2.0.0" == str(shop.plan()["order"].version(Bump.MAJOR))


def test_a_module_of_the_chassis_plans_those_who_ship_it(shop: Shop) -> None:
    """And nobody else."""
    shop.edit(f"{CHASSIS}/body_limit.py", "1", "2")
    assert {"order": "1.0.1", "payment": "1.0.1"} == shop.due()


def test_a_library_plans_those_who_need_it(shop: Shop) -> None:
    """Also where it only comes with another."""
    shop.edit(LOCK, "markupsafe==2.1.5", "markupsafe==3.0.0")
    assert {"notification": "1.0.1"} == shop.due()
    assert ("markupsafe 2.1.5 -> 3.0.0",) == shop.plan()["notification"].content.libraries


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (f"{SERVICES}/order/app_test.py", "test_it", "test_that"),
        (f"{SERVICES}/order/CHANGELOG.md", "All", "Most"),
        (f"{SERVICES}/order/VERSION", "1.0.0", "1.2.0"),
        ("src/python/infra/nag.py", "()", "(1,)"),
        (LOCK, "sha256:04", "sha256:40"),
        (LOCK, "pytest==8.3.3", "pytest==8.3.4"),
    ],
    ids=["test", "changelog", "version", "command", "hash", "tests' library"],
)
def test_what_is_not_shipped_plans_nothing(path: str, old: str, new: str, shop: Shop) -> None:
    """Users would get what they have."""
    shop.edit(path, old, new)
    assert {} == shop.due()


def test_a_file_that_is_new_or_gone_counts(shop: Shop) -> None:
    """Git has not heard of the one; nobody imported the other."""
    new = f"{SERVICES}/order/clients.py"
    shop.write(new, "URL = ''\n")
    assert {} == shop.due()
    app = next(each for each in shop.targets if each["address"] == f"{SERVICES}/order/app.py")
    app["dependencies"].append(new)
    shop.targets.append(source(new))
    assert {"order": "1.0.1"} == shop.due()

    gone = f"{SERVICES}/user/migrations/0002_second.py"
    (shop.root / gone).unlink()
    app = next(each for each in shop.targets if each["address"] == f"{SERVICES}/user/app.py")
    app["dependencies"].remove(gone)
    assert {"order": "1.0.1", "user": "1.0.1"} == shop.due()


def test_the_deployment_changes_by_a_minor(shop: Shop) -> None:
    """A template is judged by infra-diff, with libraries of its own; a major is said by hand."""
    shop.edit("src/python/infra/environments/prod.toml", "2", "3")
    assert {"infra": "1.1.0"} == shop.due()
    assert "2.0.0" == str(shop.plan()["infra"].version(Bump.MAJOR))
    with pytest.raises(ReleaseError, match="a change of infra is minor at least"):
        shop.plan()["infra"].version(Bump.PATCH)


def test_the_first_release_is_the_version_as_it_stands(unreleased: Shop) -> None:
    """There is nothing to compare with, and nothing to bump."""
    assert set(unreleased.plan()) == unreleased.due().keys()
    assert "order: never released; its first release is 1.0.0" == str(unreleased.plan()["order"])
    with pytest.raises(ReleaseError, match="nothing to bump"):
        unreleased.plan()["order"].version(Bump.MAJOR)


def test_a_version_that_was_written_by_hand_stands_where_it_is_far_enough(shop: Shop) -> None:
    """It is a wish; what is needed is more than a wish."""
    shop.write(f"{SERVICES}/order/VERSION", "1.2.0\n")
    shop.edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")
    assert {"order": "1.2.0"} == shop.due()
    with pytest.raises(ReleaseError, match=r"backwards from 1\.2\.0, .* to 1\.0\.1"):
        shop.plan()["order"].version(Bump.PATCH)
    shop.edit_document("openapi/order.json", without_total)
    assert {"order": "2.0.0"} == shop.due()


def test_a_version_below_the_last_release_is_refused(shop: Shop) -> None:
    """By its name, and with what to write; the plan of the others is told."""
    shop.write(f"{SERVICES}/order/VERSION", "0.9.0\n")
    shop.edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")
    planned = shop.plan()["order"]
    with pytest.raises(ReleaseError, match=r"order/VERSION says 0\.9\.0, and 1\.0\.0 was released"):
        planned.version()
    assert str(planned).startswith("order 1.0.0 -> no version: ")


@pytest.mark.parametrize("text", ["1.4", "v1.4.0", "1.04.0", ""])
def test_a_version_that_is_none_is_named(text: str, shop: Shop) -> None:
    """With the file that it stands in."""
    shop.write(f"{SERVICES}/order/VERSION", text)
    with pytest.raises(ReleaseError, match="src/python/services/order/VERSION says"):
        shop.plan()


def test_a_release_of_another_branch_is_not_the_last_one(shop: Shop) -> None:
    """What is planned here comes after what was released here."""
    shop.git("switch", "--quiet", "--create", "other")
    shop.commit("chore(release): order 3.0.0")
    shop.git("tag", "order-v3.0.0")
    shop.git("switch", "--quiet", "main")
    shop.edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")
    assert {"order": "1.0.1"} == shop.due()


@pytest.mark.parametrize("pair", ["order", "order=huge", "moon=patch"])
def test_a_bump_that_is_none_is_told_how_to_be_one(pair: str) -> None:
    """A mistyped one must not be left out silently."""
    with pytest.raises(ReleaseError, match="NAME=patch, minor or major"):
        bumps([pair], {"order": None})
