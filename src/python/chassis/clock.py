"""Time and ids, passed to whoever needs them, so that a test can hold them still."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

from uuid_utils import compat

Clock = Callable[[], dt.datetime]
Ids = Callable[[], uuid.UUID]


def utc_now() -> dt.datetime:
    """The time now, aware and in UTC."""
    return dt.datetime.now(dt.UTC)


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): its order is that of its making, so that indexes grow at one end."""
    return compat.uuid7()
