from __future__ import annotations

import base64
import datetime as dt
import uuid

import pytest

from chassis import paging
from chassis.paging import CursorUnknown

SOME = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


def raw(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_a_cursor_brings_back_the_key_it_was_made_of() -> None:
    """Each part made by the type that is given for it."""
    cursor = paging.encode(SOME, 1999, NOON, "Tea")
    key = paging.decode(cursor, uuid.UUID, int, dt.datetime.fromisoformat, str)
    assert key == (SOME, 1999, NOON, "Tea")


def test_a_cursor_can_stand_in_a_url_as_it_is() -> None:
    """No character that would have to be escaped."""
    assert all(c.isalnum() or c in "-_" for c in paging.encode(SOME, "ÿ?>~" * 5))


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "ä",
        "a b",
        "A",
        raw("not json"),
        raw("{}"),
        raw("[]"),
        raw("[1, 2]"),
        raw("[null]"),
        raw("[true]"),
        raw('["not a uuid"]'),
        raw("[1e999]"),
        raw("[" * 2000),
        "\x00",
    ],
)
def test_a_cursor_that_was_not_made_here_is_refused(cursor: str) -> None:
    """As a 422 that says what to send."""
    with pytest.raises(CursorUnknown, match="next_cursor"):
        paging.decode(cursor, uuid.UUID)


def test_a_number_that_is_none_is_refused() -> None:
    """Infinity is no integer."""
    with pytest.raises(CursorUnknown):
        paging.decode(raw("[1e999]"), int)
