"""What the product service tells of its stock."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.events.envelope import Event


class Shortage(BaseModel):
    """A product of which there is less than was asked for."""

    model_config = ConfigDict(frozen=True)

    product_id: uuid.UUID
    requested: Annotated[int, Field(ge=1)]
    available: Annotated[int, Field(ge=0)]


class _InventoryEvent(Event):
    order_id: uuid.UUID

    @property
    def subject(self) -> uuid.UUID:
        return self.order_id


class StockReserved(_InventoryEvent, type="STOCK_RESERVED"):
    """All lines of the order are held for it."""


class StockRejected(_InventoryEvent, type="STOCK_REJECTED"):
    """Nothing is held for the order, because some of it is not there."""

    shortages: Annotated[tuple[Shortage, ...], Field(min_length=1)]
