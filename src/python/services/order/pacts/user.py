"""What the order service relies on of the user service."""

from __future__ import annotations

from pact import Pact

from chassis.pacts import SIGNING_KEYS, Contract, address_like

TOKEN = "a.customers.token"  # noqa: S105 - of nobody
HOME = "01900000-0000-7000-8000-000000000011"
UNKNOWN = "01900000-0000-7000-8000-000000000012"


def address(pact: Pact) -> None:
    """Where an order goes."""
    request = pact.upon_receiving("an address of the customer")
    request.given("a customer has an address", token=TOKEN, address_id=HOME)
    request.with_request("GET", f"/api/users/me/addresses/{HOME}")
    request.with_header("Authorization", f"Bearer {TOKEN}")
    request.will_respond_with(200).with_body(
        address_like(),
        "application/json",
    )


def no_address(pact: Pact) -> None:
    """What the customer does not have is 404, whoever else has it: nothing else of the answer is read."""
    request = pact.upon_receiving("an address that the customer does not have")
    request.given("a customer has an address", token=TOKEN, address_id=HOME)
    request.with_request("GET", f"/api/users/me/addresses/{UNKNOWN}")
    request.with_header("Authorization", f"Bearer {TOKEN}")
    request.will_respond_with(404)


CONTRACT = Contract("order", "user", calls={"UserClient.address": (address, no_address)} | dict(SIGNING_KEYS))
