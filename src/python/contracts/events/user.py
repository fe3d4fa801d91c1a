"""What the user service tells of people."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import Field

from contracts.events.envelope import Event


class _UserEvent(Event):
    user_id: uuid.UUID
    email: str
    display_name: str
    revision: Annotated[int, Field(ge=1, description="Grows with each change, so that late news is known.")]

    @property
    def subject(self) -> uuid.UUID:
        return self.user_id


class UserRegistered(_UserEvent, type="USER_REGISTERED"):
    """Someone has an account now."""


class UserUpdated(_UserEvent, type="USER_UPDATED"):
    """Someone's name or address for mail changed."""
