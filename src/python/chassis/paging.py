"""Pages by key: a cursor says where the last page ended, so that new rows neither shift nor repeat any."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel, Field

from chassis.problems import Invalid

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before; absent for the first.")
]


class CursorUnknown(Invalid):
    """It fits the document, and is none that was given out for this listing."""

    slug, title = "cursor-unknown", "Cursor unknown"


class Page(BaseModel, Generic[T]):
    """Some of the things asked for, and where the rest begins."""

    items: list[T]
    next_cursor: Annotated[str | None, Field(description="Absent (null) on the last page.")] = None


def encode(*key: object) -> str:
    """A cursor that stands behind the row with this sort key."""
    return base64.urlsafe_b64encode(orjson.dumps(key, default=str)).decode().rstrip("=")


def decode(cursor: str, *makers: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The sort key in `cursor`, each part made by what is given for it. Raises CursorUnknown."""
    try:
        parts = orjson.loads(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        if not isinstance(parts, list) or len(parts) != len(makers):
            raise ValueError
        return tuple(make(part) for make, part in zip(makers, parts, strict=True))
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
        raise CursorUnknown("cursor: use next_cursor of the page before, unchanged.") from None
