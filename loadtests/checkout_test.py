"""The files of this checkout, and what follows from those of others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts.events.inventory import StockReserved
from contracts.events.notification import OrderConfirmedNotice
from contracts.events.order import OrderConfirmed, OrderCreated
from contracts.events.payment import PaymentAuthorized, PaymentCompleted
from contracts.topology import SUBSCRIPTIONS
from loadtests import profile, testing
from loadtests.checkout import Checkout
from loadtests.errors import LoadError

SERVICES = ("notification", "order", "payment", "product", "user")
HERE = Checkout()
# An order that goes well, as infra reckons what it costs.
EVENTS = (
    OrderCreated,
    StockReserved,
    PaymentAuthorized,
    OrderConfirmed,
    PaymentCompleted,
    OrderConfirmedNotice,
)


@pytest.fixture
def other(tmp_path: Path) -> Checkout:
    """A checkout with a profile of order."""
    return testing.checkout(tmp_path)


# --- those of this checkout


def test_objectives_and_forecast_can_be_used() -> None:
    """Every service has an objective, and is asked for something by an order."""
    assert set(SERVICES) == {each.service for each in HERE.objectives.route} == HERE.forecast.an_order.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_an_order_makes_as_many_messages_as_the_topology_delivers(service: str) -> None:
    """The forecast says them, since it says everything that an order asks."""
    delivered = sum(
        event in subscription.delivered
        for event in EVENTS
        for subscription in SUBSCRIPTIONS
        if subscription.queue.consumer == service
    )
    assert delivered == HERE.forecast.an_order[service].messages


@pytest.mark.parametrize("service", SERVICES)
def test_a_scaling_file_is_what_follows_from_its_profile(service: str) -> None:
    """One that is older than its profile, its objectives or the forecast fails here: ./pants load derive."""
    assert not HERE.stale(service)


@pytest.mark.parametrize("service", SERVICES)
def test_the_policies_of_before_there_were_measurements_are_kept(service: str) -> None:
    """To be compared with: they are those that are deployed, until derived ones are."""
    kept, deployed = HERE.by_hand(service), HERE.deployed(service)
    assert "by hand" == kept.provenance.kind
    if deployed.provenance.kind == "by hand":
        assert kept == deployed


# --- others


def test_a_scaling_file_that_was_derived_is_stale_when_its_profile_has_changed(other: Checkout) -> None:
    """By as much as a byte; one that was set by hand is of no profile."""
    shutil.copy(other.root / "loadtests/hand_set/order.toml", other.scaling)
    assert not other.stale("order")
    (other.scaling / "order.toml").write_text(other.scaling_text("order"))
    assert not other.stale("order")
    profile.save(testing.profile(messages_per_s=61), other.profiles)
    assert other.stale("order")


def test_a_scaling_file_that_was_derived_is_stale_when_it_was_changed_by_hand(other: Checkout) -> None:
    """What follows from nothing is not kept."""
    text = other.scaling_text("order")
    (other.scaling / "order.toml").write_text(text.replace("minimum = 2", "minimum = 1", 1))
    assert other.stale("order")


def test_without_a_profile_it_is_said_how_to_get_one(other: Checkout) -> None:
    """Of all, or of the one that was asked for."""
    with pytest.raises(LoadError, match=r"user\.toml is missing: measure it by ./pants load capacity"):
        other.scaling_text("user")
    (other.profiles / "order.toml").unlink()
    with pytest.raises(LoadError, match=r"there is no profile in .*: measure one by ./pants load capacity"):
        other.chosen([])


def test_a_service_owes_its_part_of_an_order_else_what_is_promised_of_it(other: Checkout) -> None:
    """All of it where it is alone on the way."""
    owed = other.derivation("order").message
    assert owed is not None
    assert (99, 2000) == (owed.percentile, owed.bound_ms)
