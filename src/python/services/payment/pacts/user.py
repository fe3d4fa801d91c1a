"""What the payment service relies on of the user service."""

from __future__ import annotations

from chassis.pacts import SIGNING_KEYS, Contract

CONTRACT = Contract("payment", "user", calls=SIGNING_KEYS)
