"""What the shop promises, and what of it each service owes."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests import objectives
from loadtests.errors import LoadError
from loadtests.objectives import Objective, OrderToConfirmed, split

WHOLE = """\
[[route]]
service = "order"
route = "GET /api/orders"
percentile = 99
bound_ms = 500
availability = 99.9

[order_to_confirmed]
percentile = 99
bound_ms = 5000
availability = 99.9
stages = [["payment", "product"], ["order"]]
"""


def order(*stages: tuple[str, ...]) -> OrderToConfirmed:
    return OrderToConfirmed(percentile=99, bound_ms=4000, availability=99.9, stages=stages)


def test_objectives_are_by_route(tmp_path: Path) -> None:
    """Of the service that is asked for."""
    path = tmp_path / "objectives.toml"
    path.write_text(WHOLE)
    found = objectives.load(path)
    assert {"GET /api/orders": Objective(percentile=99, bound_ms=500)} == found.of("order")
    assert {} == found.of("product")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "percentile = 99\nbound_ms = 500",
            "percentile = 100\nbound_ms = 500",
            "route.0.percentile: Input should be less",
        ),
        ("bound_ms = 500\n", "", "route.0.bound_ms: Field required"),
        ('route = "GET /api/orders"', 'route = "orders"', "route.0.route: String should match pattern"),
        ("bound_ms = 500\n", 'bound_ms = "500"\n', "route.0.bound_ms: Input should be a valid number"),
        (
            "[order_to_confirmed]",
            "colour = 1\n[order_to_confirmed]",
            "route.0.colour: Extra inputs are not permitted",
        ),
        (
            "[order_to_confirmed]",
            WHOLE.split("\n\n")[0] + "\n\n[order_to_confirmed]",
            "GET /api/orders has two objectives",
        ),
        ("[[route]]", "[[route", "is no TOML: "),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    """With the file, and where in it."""
    path = tmp_path / "objectives.toml"
    assert old in WHOLE
    path.write_text(WHOLE.replace(old, new, 1))
    with pytest.raises(LoadError) as caught:
        objectives.load(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert message in said
    assert said.endswith(".")
    assert "\n" not in said


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """And not where it was looked for in code."""
    with pytest.raises(LoadError, match=r"/nothing\.toml is missing\.$"):
        objectives.load(tmp_path / "nothing.toml")


def test_the_time_of_an_order_is_divided_as_its_stages_take_it() -> None:
    """A stage takes as long as its slowest; all of it has the stage's time."""
    owed = split(order(("payment", "product"), ("order",)), {"payment": 30, "product": 10, "order": 10})
    assert {"payment": 3000, "product": 3000, "order": 1000} == {
        name: each.bound_ms for name, each in owed.items()
    }


def test_the_shares_that_may_be_slow_add_up_to_that_of_the_order() -> None:
    """One slow visit makes an order slow: each of three may be slow for a third of the orders."""
    owed = split(order(("payment", "product"), ("order",)), {"payment": 30, "product": 10, "order": 10})
    assert 0.01 == pytest.approx(sum(each.allowed for each in owed.values()))


def test_a_service_that_is_visited_twice_owes_the_tighter() -> None:
    """Its messages are not told apart."""
    owed = split(order(("order",), ("payment",), ("order",)), {"payment": 20, "order": 10})
    assert {"payment": 2000, "order": 1000} == {name: each.bound_ms for name, each in owed.items()}


def test_a_service_of_which_nothing_was_measured_is_named() -> None:
    """The time cannot be divided without it."""
    with pytest.raises(
        LoadError, match=r"passes product, of which no profile tells .* ./pants load capacity\.$"
    ):
        split(order(("payment", "product")), {"payment": 30})
