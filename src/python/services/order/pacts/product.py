"""What the order service relies on of the product service."""

from __future__ import annotations

from pact import Pact, match

from chassis.pacts import Contract, event, money_like, uuid_like
from contracts.events.inventory import StockRejected, StockReserved

ORDER = "01900000-0000-7000-8000-00000000000a"
TEA = "01900000-0000-7000-8000-000000000001"
GONE = "01900000-0000-7000-8000-000000000002"


def quotes(pact: Pact) -> None:
    """Name and price of what is for sale; what is not is left out."""
    request = pact.upon_receiving("prices of two products of which one is for sale")
    request.given("a product is for sale", product_id=TEA)
    request.with_request("GET", "/api/products/quotes").with_query_parameter("ids", f"{TEA},{GONE}")
    item = {"product_id": TEA, "name": match.str("Tea"), "unit_price": money_like(500)}
    request.will_respond_with(200).with_body({"items": [item]}, "application/json")


CONTRACT = Contract(
    "order",
    "product",
    calls={"ProductClient.quotes": (quotes,)},
    events={
        StockReserved: event(
            StockReserved, "the stock for an order is there", ORDER, {"order_id": uuid_like(ORDER)}
        ),
        StockRejected: event(
            StockRejected,
            "an order asks for more than there is",
            ORDER,
            {
                "order_id": uuid_like(ORDER),
                "shortages": match.each_like(
                    {"product_id": uuid_like(TEA), "requested": match.int(2), "available": match.int(1)},
                    min=1,
                ),
            },
        ),
    },
)
