"""What the product service relies on of the user service."""

from __future__ import annotations

from chassis.pacts import SIGNING_KEYS, Contract

CONTRACT = Contract("product", "user", calls=SIGNING_KEYS)
