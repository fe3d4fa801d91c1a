"""What the notification service relies on of the user service."""

from __future__ import annotations

from typing import Any

from pact import match

from chassis.pacts import SIGNING_KEYS, Contract, event, uuid_like
from contracts.events.notification import WelcomeNotice
from contracts.events.user import UserRegistered, UserUpdated

CUSTOMER = "01900000-0000-7000-8000-00000000000c"
_PERSON: dict[str, Any] = {
    "user_id": uuid_like(CUSTOMER),
    "email": match.str("ada@example.com"),
    "display_name": match.str("Ada"),
}

CONTRACT = Contract(
    "notification",
    "user",
    calls=SIGNING_KEYS,
    events={
        UserRegistered: event(
            UserRegistered, "somebody has registered", CUSTOMER, _PERSON | {"revision": match.int(1)}
        ),
        UserUpdated: event(
            UserUpdated, "somebody has another name", CUSTOMER, _PERSON | {"revision": match.int(2)}
        ),
        WelcomeNotice: event(
            WelcomeNotice, "somebody has registered", CUSTOMER, {"customer_id": uuid_like(CUSTOMER)}
        ),
    },
)
