"""A price list is data: every price says where it is from, and what is missing is named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from infra.prices import Price, PriceMissing, Tier, assumptions, price_list

PAGE = "https://aws.amazon.com/sqs/pricing/"


def a_price(**of: object) -> Price:
    return Price(**{"name": "x", "unit": "unit", "page": PAGE, "seen": "a guide", **of})  # type: ignore[arg-type]


def test_a_price_by_the_unit_is_multiplied() -> None:
    """One price for any amount."""
    assert 1.5 == a_price(usd=0.5).cost(3)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [(0, 0), (10, 20), (15, 25), (50, 60), (150, 160)],
    ids=["nothing", "the first tier", "into the second", "to its end", "beyond"],
)
def test_a_price_in_tiers_is_that_of_each_part(quantity: float, expected: float) -> None:
    """What is cheaper beyond an amount does not make cheaper what came before."""
    tiers = (Tier(upto=10, usd=2), Tier(upto=50, usd=1), Tier(usd=1))
    assert expected == a_price(tiers=tiers).cost(quantity)


@pytest.mark.parametrize(
    "of",
    [
        {},
        {"usd": 1, "tiers": (Tier(usd=1),)},
        {"tiers": (Tier(usd=1), Tier(upto=5, usd=2))},
        {"usd": 0},
        {"usd": 1, "page": "https://example.com/prices"},
    ],
    ids=["no price", "two prices", "the last tier ends", "for nothing", "not a page of AWS"],
)
def test_a_price_that_cannot_be_is_refused(of: dict[str, object]) -> None:
    """A mistake in the file is found when it is read, not in the total."""
    with pytest.raises(ValidationError):
        a_price(**of)


def test_what_has_no_price_is_named() -> None:
    """Who adds a class of instances is told where its price belongs."""
    with pytest.raises(PriceMissing, match=r"rds\.db\.t3\.large\.multi has no price: .*prices\.toml"):
        price_list().of("rds.db.t3.large.multi")
    with pytest.raises(PriceMissing, match=r"db\.t3\.large is not described: .*\[\[class\]\]"):
        price_list().database_class("db.t3.large")


def test_no_price_and_no_assumption_is_there_twice() -> None:
    """The second would never be read."""
    names = [price.name for price in price_list().price]
    assert sorted(set(names)) == sorted(names)
    assumed = [each.name for each in assumptions().assumption]
    assert sorted(set(assumed)) == sorted(assumed)
