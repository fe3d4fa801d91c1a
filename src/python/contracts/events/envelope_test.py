from __future__ import annotations

import datetime as dt
import json
import uuid

import pytest
from pydantic import ValidationError

from contracts.events.envelope import Envelope, qualified_type
from contracts.events.inventory import StockReserved

ORDER = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
EVENT = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8058")
NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


def wrapped() -> Envelope:
    return Envelope.wrap(StockReserved(order_id=ORDER), id=EVENT, source="product", time=NOON)


def test_an_envelope_on_the_wire_is_a_cloud_event() -> None:
    """The names and values are those of CloudEvents 1.0, and what is unset is left out."""
    assert json.loads(wrapped().to_json()) == {
        "specversion": "1.0",
        "id": str(EVENT),
        "source": "/services/product",
        "type": "mercato.STOCK_RESERVED.v1",
        "subject": str(ORDER),
        "time": "2026-01-02T12:00:00Z",
        "datacontenttype": "application/json",
        "data": {"order_id": str(ORDER)},
    }


def test_an_envelope_survives_the_wire() -> None:
    """What was written is what is read."""
    assert Envelope.model_validate_json(wrapped().to_json()) == wrapped()


def test_a_reader_ignores_fields_it_does_not_know() -> None:
    """A producer may add a field to an event, or an extension to an envelope, without asking its readers."""
    wire = json.loads(wrapped().to_json()) | {"extension": "new", "data": {"order_id": str(ORDER), "new": 1}}
    read = Envelope.model_validate(wire)
    assert StockReserved.model_validate(read.data) == StockReserved(order_id=ORDER)


@pytest.mark.parametrize(
    "wrong",
    [
        {"specversion": "0.3"},
        {"id": "not-a-uuid"},
        {"type": "STOCK_RESERVED"},
        {"source": "product"},
        {"time": "2026-01-02T12:00:00"},
        {"data": "text"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_envelope_that_is_no_cloud_event_of_ours_is_refused(wrong: dict[str, object]) -> None:
    """A foreign version, id, type, source, time without zone or payload does not parse."""
    with pytest.raises(ValidationError):
        Envelope.model_validate(json.loads(wrapped().to_json()) | wrong)


def test_a_qualified_type_names_the_event_and_its_major_version() -> None:
    """Two majors of one event are two types, so that both can be published side by side."""
    assert qualified_type(StockReserved) == "mercato.STOCK_RESERVED.v1"
