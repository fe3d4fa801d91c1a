"""A visitor's requests: when they leave, what they are called, and from when on they are timed."""

from __future__ import annotations

import pytest

from loadtests.generator.record import FAILED, OK, REFUSED, Record, quantile_ms
from loadtests.generator.shop import Refused
from loadtests.generator.testing import Session, Time, says, visitor

ROUTE = "/api/products/{product_id}"
NAME = f"GET {ROUTE}"


def test_a_request_is_named_by_its_route() -> None:
    """Ids and queries would make a name of each request; they are in the path that is asked for."""
    time, record = Time(), Record(1.0)
    session = Session(time, says(200, {"id": "7"}))

    found = visitor(session, time, record).get(ROUTE, product_id="7", query={"q": "a b"})

    assert {"id": "7"} == found
    assert [(NAME, "/api/products/7?q=a+b")] == [(name, path) for name, path, _, _ in session.asked]
    assert [NAME] == record.names


def test_a_request_leaves_when_it_is_due() -> None:
    """Not before, however early its visitor is there."""
    time = Time()
    session = Session(time, says(200))
    began = time.now

    visitor(session, time, Record(1.0), due_s=3.0).get("/api/orders")

    assert began + 3 == time.now


def test_a_time_counts_from_when_the_request_was_due() -> None:
    """A generator that comes two seconds late must not hide them, and says that they are its own."""
    time, record = Time(), Record(1.0)
    session = Session(time, says(200), takes_s=0.1)
    late = visitor(session, time, record, due_s=1.0)
    time.sleep(3.0)

    late.get("/api/orders")

    assert 2100 == pytest.approx(quantile_ms(record.times("GET /api/orders"), 50), rel=0.01)
    assert 2000 == pytest.approx(quantile_ms(record.lags(), 50), rel=0.01)
    assert 2100 == pytest.approx(session.reported[0]["response_time"])
    assert {(1, "GET /api/orders", OK): 1} == record.ended


def test_the_next_request_is_due_when_the_last_was_answered_and_looked_at() -> None:
    """A visitor cannot ask for what they have not seen; only who comes next does not wait."""
    time, record = Time(), Record(1.0)
    somebody = visitor(Session(time, says(200), takes_s=2.0), time, record)

    somebody.get("/api/orders")
    somebody.wait(1.0)
    somebody.get("/api/orders")

    assert {(0, "GET /api/orders", OK): 1, (3, "GET /api/orders", OK): 1} == record.ended


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (302, REFUSED, "GET /api/orders: 302"),
        (401, REFUSED, "GET /api/orders: 401"),
        (429, REFUSED, "GET /api/orders: 429"),
        (503, FAILED, "GET /api/orders: 503"),
        (0, FAILED, "GET /api/orders: connection refused"),
    ],
)
def test_what_is_not_answered_well_ends_the_visit_and_is_taken_down(
    status: int, outcome: str, reason: str
) -> None:
    """A refusal is an answer; a failure, or none at all, is not."""
    time, record = Time(), Record(1.0)

    with pytest.raises(Refused):
        visitor(Session(time, says(status)), time, record).get("/api/orders")

    assert {(0, "GET /api/orders", outcome): 1} == record.ended
    assert {(reason,): 1} == record.reasons


def test_a_write_has_a_key_of_its_own_and_every_request_the_gateways() -> None:
    """Two runs of one seed must not be taken for repetitions of each other."""
    time = Time()
    session = Session(time, says(201))
    somebody = visitor(session, time, Record(1.0))

    somebody.post("/api/orders", {"items": []}, token="token")
    somebody.post("/api/orders", {"items": []})

    (first, second) = (headers for _, _, _, headers in session.asked)
    assert first["Idempotency-Key"] != second["Idempotency-Key"]
    assert ("Bearer token", "key") == (first["Authorization"], first["X-Api-Key"])
    assert "Authorization" not in second
