"""The page and the data that are left of a run."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from loadtests.generator import report
from loadtests.generator.plan import Plan, parsed
from loadtests.generator.record import FAILED, OK, ORDER, Record
from loadtests.generator.verdict import judge
from loadtests.objectives import Objectives, OrderToConfirmed, Route

ROUTES = ("GET /api/products", "POST /api/users/login")
OBJECTIVES = """
[[route]]
service = "product"
route = "GET /api/products"
percentile = 99
bound_ms = 300
availability = 99.9

[order_to_confirmed]
percentile = 99
bound_ms = 5000
availability = 99.9
stages = [["payment", "product"], ["order"]]
"""


def test_the_page_says_all_that_a_reader_must_know_to_believe_it() -> None:
    """Verdict, shape, machine, commit, the generator's limit and lag, and each objective."""
    page = _page(_record())

    for said in (
        "passed",
        "steady, 10 s, poisson arrivals, seed 3",
        "A machine, 2 cores",
        "0123abcd",
        "300 visits/s and 1300 requests/s on one core, measured 2026-01-01",
        "ms at the 99th percentile; 50 ms are allowed",
        "GET /api/products",
        "not tried",
    ):
        assert said in page


def test_the_page_needs_nothing_else() -> None:
    """It can be mailed, and tells nobody that it is read: no script, and no address to fetch."""
    found = _Elements()
    found.feed(_page(_record()))

    assert not found.tags & {"script", "link", "img", "iframe", "object", "embed"}
    assert all(value.startswith("#") for value in found.addresses)
    assert not re.search(r"url\((?!#)|@import", _page(_record()))


def test_the_page_has_a_plot_of_rates_and_of_times() -> None:
    """As text that can be searched, with the axes named."""
    page = _page(_record())

    assert 1 == page.count("<svg")
    for axis in ("visits/s", "requests/s", "requests, ms", "order to confirmed, ms"):
        assert axis in page


def test_what_a_shop_says_is_text_and_nothing_else() -> None:
    """A hostile answer is part of a reason, and a reason is part of the page."""
    record = _record()
    record.end(0.0, "GET /api/products", 5.0, FAILED, "<script>alert(1)</script>")
    record.puzzle("<img src=x>")

    page = _page(record)

    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_run_of_which_nothing_was_measured_has_a_page_all_the_same() -> None:
    """It says that it is invalid."""
    assert '<span class="invalid">' in _page(Record(1.0))


def test_the_data_are_json_that_any_reader_takes() -> None:
    """What was not measured is null, and not NaN, which JSON does not know."""
    record = _record()
    said = json.dumps(report.result(_plan(), record, judge(record, _objectives())))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(said, parse_constant=refuse)
    assert "passed" == found["verdict"]
    assert [200, 20] == [found["measured"]["requests"], found["measured"]["orders"]]
    assert {"product": 10.0} == found["measured"]["per_order"]


@pytest.mark.parametrize(("failed", "status"), [(0, 0), (5, 1)])
def test_the_exit_status_is_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], failed: int, status: int
) -> None:
    """So that a pipeline stops; the reports are there either way, and their place is said."""
    record = _record()
    for _ in range(failed):
        record.end(0.0, "GET /api/products", 5.0, FAILED, "GET /api/products: 503")
    (tmp_path / "objectives.toml").write_text(OBJECTIVES)

    plan = _plan(output=str(tmp_path), objectives=str(tmp_path / "objectives.toml"))
    assert status == report.conclude(plan, record, ())

    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "result.json").exists()
    said = capsys.readouterr().out
    assert ("failed" if failed else "passed") in said
    assert str(tmp_path / "report.html") in said


def test_a_plan_is_the_same_once_it_was_told() -> None:
    """To a worker, or by a file."""
    plan = _plan()

    assert plan == parsed(json.loads(json.dumps(vars(plan))))


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]


def _page(record: Record) -> str:
    return report.page(_plan(), record, judge(record, _objectives()))


def _record() -> Record:
    record = Record(1.0)
    for number in range(200):
        record.sent(number / 20, 1.0)
        record.end(number / 20, ROUTES[0], 10.0 + number, OK)
    for number in range(20):
        record.arrive(number / 2)
        record.end(number / 2, ORDER, 200.0, OK)
    return record


def _objectives() -> Objectives:
    return Objectives(
        route=tuple(
            Route(service="product", route=route, percentile=99, bound_ms=300, availability=99.9)
            for route in ROUTES
        ),
        order_to_confirmed=OrderToConfirmed(
            percentile=99, bound_ms=5000, availability=99.9, stages=(("payment", "product"), ("order",))
        ),
    )


def _plan(**changed: Any) -> Plan:
    plan: dict[str, Any] = {
        "shape": "steady",
        "rates": (2.0,) * 10,
        "spread": "poisson",
        "seed": 3,
        "think_s": 1.0,
        "customers": 4,
        "objectives": "objectives.toml",
        "output": "",
        "host": "http://127.0.0.1:8080",
        "commit": "0123abcd",
        "machine": "A machine, 2 cores",
        "ceiling": {"visits_per_s": 300.0, "requests_per_s": 1300.0, "at": "2026-01-01"},
    }
    return Plan(**plan | changed)
