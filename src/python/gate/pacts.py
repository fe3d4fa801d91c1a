"""The pacts: what each consumer wrote down of each provider, as documents of the registry."""

from __future__ import annotations

from gate.registry import Documents, Kind
from services.notification.pacts import order as notification_order
from services.notification.pacts import payment as notification_payment
from services.notification.pacts import user as notification_user
from services.order.pacts import payment as order_payment
from services.order.pacts import product as order_product
from services.order.pacts import user as order_user
from services.payment.pacts import order as payment_order
from services.payment.pacts import user as payment_user
from services.product.pacts import order as product_order
from services.product.pacts import user as product_user

CONTRACTS = tuple(
    module.CONTRACT
    for module in (
        notification_order,
        notification_payment,
        notification_user,
        order_payment,
        order_product,
        order_user,
        payment_order,
        payment_user,
        product_order,
        product_user,
    )
)
"""What every consumer relies on."""


def documents() -> Documents:
    """Every pact, by the names of its consumer and its provider."""
    return {f"{each.consumer}-{each.provider}": each.document() for each in CONTRACTS}


# A consumer may rely on more or on less from one day to the next: whether the providers keep it is verified.
KIND = Kind("pacts", documents, breaches=None)
