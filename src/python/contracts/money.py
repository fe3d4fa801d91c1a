"""Money as it crosses a border: integer minor units and an ISO 4217 currency."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# The largest integer every JSON reader keeps exactly (RFC 8259, section 6).
MAX_SAFE_INTEGER = 2**53 - 1

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]


class Money(BaseModel):
    """An amount in the currency's minor unit: 1999 EUR is €19.99."""

    model_config = ConfigDict(frozen=True)

    amount: Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE_INTEGER, examples=[1999])]
    currency: Currency
