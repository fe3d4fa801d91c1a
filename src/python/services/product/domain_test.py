from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.inventory import Shortage, StockRejected, StockReserved
from contracts.events.order import OrderLine
from contracts.money import Money
from services.product import domain
from services.product.domain import (
    COMMIT,
    RELEASE,
    RESERVE,
    RESTOCK,
    Details,
    Image,
    Line,
    Outcome,
    Product,
    Reservation,
    State,
)

ORDER, TEA, CUP = uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=1)
EUR_5 = Money(amount=500, currency="EUR")
LINES = (Line(TEA, 2), Line(CUP, 1))
PRODUCT = Product(TEA, "T-1", "Tea", "Green.", "Tea", EUR_5, NOW, NOW, on_hand=3)
SAID = Details(None, "Black tea", "Black.", "Drinks", Money(amount=700, currency="USD"))


def ordered(product_id: uuid.UUID, quantity: int) -> OrderLine:
    return OrderLine(product_id=product_id, name="x", quantity=quantity, unit_price=EUR_5)


def test_what_is_there_is_reserved() -> None:
    """All lines, to the last piece."""
    outcome = domain.reserve(ORDER, LINES, {TEA: 2, CUP: 1})
    reserved = Reservation(ORDER, State.RESERVED, LINES)
    assert outcome == Outcome(reserved, RESERVE, (StockReserved(order_id=ORDER),))


def test_one_short_line_rejects_all_lines() -> None:
    """Nothing is held, and each shortage is told; of a product that is not known there is none."""
    outcome = domain.reserve(ORDER, (*LINES, Line(ORDER, 9)), {TEA: 1, CUP: 5})
    shortages = (
        Shortage(product_id=TEA, requested=2, available=1),
        Shortage(product_id=ORDER, requested=9, available=0),
    )
    assert outcome.events == (StockRejected(order_id=ORDER, shortages=shortages),)
    assert (outcome.reservation, outcome.shift) == (Reservation(ORDER, State.REJECTED), None)


def test_lines_of_one_product_are_one_wish() -> None:
    """Two of three there and two of three there again is one too many."""
    lines = domain.wanted([ordered(TEA, 2), ordered(CUP, 1), ordered(TEA, 2)])
    assert lines == (Line(TEA, 4), Line(CUP, 1))


def test_a_confirmed_order_has_bought_what_it_held() -> None:
    """And a second confirmation finds nothing to do."""
    held = Reservation(ORDER, State.RESERVED, LINES)
    bought = replace(held, state=State.COMMITTED)
    assert domain.commit(held) == Outcome(bought, COMMIT)
    assert domain.commit(bought) == Outcome(bought)


@pytest.mark.parametrize("state", [State.REJECTED, State.CANCELLED])
def test_a_confirmation_comes_too_late_for_what_has_ended(state: State) -> None:
    """News may overtake each other: cancelled is cancelled."""
    ended = Reservation(ORDER, state)
    assert domain.commit(ended) == Outcome(ended)


@pytest.mark.parametrize(("state", "shift"), [(State.RESERVED, RELEASE), (State.COMMITTED, RESTOCK)])
def test_a_cancelled_order_gives_back_what_it_held_or_bought(state: State, shift: domain.Shift) -> None:
    """Once."""
    outcome = domain.cancel(Reservation(ORDER, state, LINES))
    assert outcome == Outcome(Reservation(ORDER, State.CANCELLED, LINES), shift)
    assert domain.cancel(outcome.reservation) == Outcome(outcome.reservation)


def test_a_rejected_order_has_nothing_to_give_back() -> None:
    """Its cancellation is the answer to the rejection."""
    rejected = Reservation(ORDER, State.REJECTED)
    assert domain.cancel(rejected) == Outcome(rejected)


@given(
    st.dictionaries(st.uuids(), st.integers(0, 50)),
    st.lists(st.tuples(st.uuids(), st.integers(1, 60)), min_size=1),
)
def test_a_reservation_never_takes_what_is_not_there(
    available: dict[uuid.UUID, int], asked: list[tuple[uuid.UUID, int]]
) -> None:
    """Whatever is asked for: reserved is covered by what is there, rejected is short of something."""
    lines = domain.wanted([ordered(each, quantity) for each, quantity in asked])
    outcome = domain.reserve(ORDER, lines, available)
    covered = all(available.get(line.product_id, 0) >= line.quantity for line in lines)
    assert (outcome.shift is RESERVE) == covered
    assert (outcome.reservation.state is State.RESERVED) == covered


@pytest.mark.parametrize("shift", [RESERVE, COMMIT, RELEASE, RESTOCK])
def test_a_shift_loses_no_piece(shift: domain.Shift) -> None:
    """What leaves one place arrives at another."""
    assert shift.on_hand + shift.reserved + shift.sold == 0


def test_a_change_replaces_what_was_said() -> None:
    """And leaves id, birth and stock as they are."""
    changed = domain.change(PRODUCT, SAID, LATER)
    assert changed == Product(TEA, None, "Black tea", "Black.", "Drinks", SAID.price, NOW, LATER, on_hand=3)


def test_a_retired_product_is_past_changing_and_has_nothing_for_sale() -> None:
    """Retiring twice is retiring once."""
    retired = domain.retire(PRODUCT, LATER)
    assert (retired.available, PRODUCT.available) == (0, 3)
    assert domain.retire(retired, LATER + dt.timedelta(days=1)) == retired
    with pytest.raises(domain.AlreadyRetired):
        domain.change(retired, SAID, LATER)


def test_a_product_has_room_for_so_many_images() -> None:
    """Those awaited included."""
    image = Image(CUP, TEA, "image/png", 10, NOW)
    assert domain.add_image(domain.MAX_IMAGES - 1, image) == image
    with pytest.raises(domain.TooManyImages):
        domain.add_image(domain.MAX_IMAGES, image)
