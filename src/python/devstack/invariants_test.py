"""The checks of the invariants: each finds its breach, and nothing where all is well."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from devstack.invariants import _money_breaches, _provider_breaches, _stock_breaches

ORDER, TEA = (uuid.UUID(int=number) for number in (1, 2))


def order(status: str = "CONFIRMED", total: int = 1000, quantity: int = 2) -> dict[str, Any]:
    lines = [{"product_id": str(TEA), "quantity": quantity}]
    return {"id": ORDER, "status": status, "total": total, "lines": json.dumps(lines)}


def stock(on_hand: int, reserved: int, sold: int, received: int = 10) -> dict[str, Any]:
    return {
        "product_id": TEA,
        "on_hand": on_hand,
        "reserved": reserved,
        "sold": sold,
        "received": received,
    }


def payment(status: str = "CAPTURED", amount: int = 1000) -> dict[str, Any]:
    return {"order_id": ORDER, "status": status, "amount": amount, "refunded": 0}


def intent(status: str = "succeeded", received: int = 1000, refunded: int = 0) -> dict[str, Any]:
    return {
        "status": status,
        "metadata": {"order_id": str(ORDER)},
        "amount_received": received,
        "amount_refunded": refunded,
    }


@pytest.mark.parametrize(
    ("row", "status"),
    [(stock(8, 0, 2), "CONFIRMED"), (stock(10, 0, 0), "CANCELLED"), (stock(8, 2, 0), "PENDING")],
)
def test_stock_that_adds_up_is_no_breach(row: dict[str, Any], status: str) -> None:
    """What is sold was confirmed; what is reserved need not be."""
    assert [] == _stock_breaches([row], [order(status)])


@pytest.mark.parametrize("row", [stock(9, 0, 2), stock(7, 0, 2), stock(-1, 9, 2)])
def test_stock_that_does_not_add_up_is_found(row: dict[str, Any]) -> None:
    """Pieces that came from nowhere, that are lost, and that are fewer than none."""
    amounts = (row["on_hand"], row["reserved"], row["sold"])
    assert [f"2: product {TEA} has {amounts} of 10 received"] == _stock_breaches([row], [order()])


def test_a_sale_without_a_confirmed_order_is_found() -> None:
    """And a confirmed order whose pieces were not sold."""
    expected = [f"2: product {TEA} sold 2, but 0 are in confirmed orders"]
    assert expected == _stock_breaches([stock(8, 0, 2)], [order("CANCELLED")])
    expected = [f"2: product {TEA} sold 0, but 2 are in confirmed orders"]
    assert expected == _stock_breaches([stock(10, 0, 0)], [order()])


@pytest.mark.parametrize(
    ("status", "paid"),
    [
        ("CONFIRMED", payment()),
        ("CONFIRMED", payment("PARTLY_REFUNDED")),
        ("CONFIRMED", payment("REFUNDED")),
        *(("CANCELLED", payment(status)) for status in ("VOIDED", "FAILED", "REFUNDED", "EXPECTED")),
    ],
)
def test_orders_and_payments_that_agree_are_no_breach(status: str, paid: dict[str, Any]) -> None:
    """A cancelled order may have no payment at all."""
    assert [] == _money_breaches([order(status)], [paid])
    assert [] == _money_breaches([order("CANCELLED")], [])


@pytest.mark.parametrize(
    ("status", "paid", "said"),
    [
        ("CONFIRMED", [], "missing"),
        ("CONFIRMED", [payment("VOIDED")], "VOIDED of 1000"),
        ("CONFIRMED", [payment(amount=999)], "CAPTURED of 999"),
        ("CANCELLED", [payment()], "CAPTURED of 1000"),
        ("CANCELLED", [payment("AUTHORIZED")], "AUTHORIZED of 1000"),
        ("CANCELLED", [payment("PARTLY_REFUNDED")], "PARTLY_REFUNDED of 1000"),
    ],
)
def test_an_order_whose_payment_does_not_fit_is_found(status: str, paid: list[Any], said: str) -> None:
    """With what is wrong with the payment."""
    assert [f"3: order {ORDER} is {status}, its payment is {said}"] == _money_breaches([order(status)], paid)


def test_books_of_the_provider_that_agree_are_no_breach() -> None:
    """What it took and gave back comes to the order's total; a try that was refused takes nothing."""
    refused = intent("requires_payment_method", 0)
    assert [] == _provider_breaches([order()], [refused, intent()])
    assert [] == _provider_breaches([order("CANCELLED")], [intent(refunded=1000)])
    assert [] == _provider_breaches([order("CANCELLED")], [intent("canceled", 0)])


def test_an_order_that_is_charged_twice_is_found() -> None:
    """Even where the second was given back."""
    intents = [intent(), intent(refunded=1000)]
    assert [f"3: the provider charged order {ORDER} 2 times"] == _provider_breaches([order()], intents)


@pytest.mark.parametrize(
    ("status", "intents", "taken", "total"),
    [
        ("CONFIRMED", [], 0, 1000),
        ("CONFIRMED", [intent(received=900)], 900, 1000),
        ("CANCELLED", [intent()], 1000, 0),
        ("CANCELLED", [intent(refunded=400)], 600, 0),
    ],
)
def test_money_that_the_provider_has_and_should_not_is_found(
    status: str, intents: list[Any], taken: int, total: int
) -> None:
    """Or has not and should."""
    expected = [f"3: the provider has {taken} of order {ORDER}, which comes to {total}"]
    assert expected == _provider_breaches([order(status)], intents)


def test_money_that_is_held_for_nothing_is_found() -> None:
    """An authorisation that nobody let go of."""
    held = intent("requires_capture", 0)
    expected = [f"3: the provider still holds money of order {ORDER}"]
    assert expected == _provider_breaches([order("CANCELLED")], [held])
