"""Stripe's objects as localstripe models them, put right where a shop relies on what Stripe documents."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from typing import Any

from localstripe import resources
from localstripe.errors import UserError
from localstripe.resources import (
    Charge,
    Event,
    List,
    PaymentIntent,
    PaymentMethod,
    Refund,
    Store,
    StripeObject,
)

# docs.stripe.com/testing: the card's number, and why it is declined when it is charged.
_DECLINES = {
    "4000000000000002": ("card_declined", "generic_decline", "Your card was declined."),
    "4000000000000341": ("card_declined", "generic_decline", "Your card was declined."),
    "4000000000009995": ("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "4000000000009987": ("card_declined", "lost_card", "Your card was declined."),
    "4000000000009979": ("card_declined", "stolen_card", "Your card was declined."),
    "4000000000000069": ("expired_card", "expired_card", "Your card has expired."),
    "4000000000000127": ("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."),
    "4000000000000119": (
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
}
_CARDS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_visa_debit": "4000056655665556",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_visa_chargeDeclinedLostCard": "4000000000009987",
    "pm_card_chargeDeclinedLostCard": "4000000000009987",
    "pm_card_visa_chargeDeclinedStolenCard": "4000000000009979",
    "pm_card_chargeDeclinedStolenCard": "4000000000009979",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_chargeDeclinedIncorrectCvc": "4000000000000127",
    "pm_card_chargeDeclinedProcessingError": "4000000000000119",
}

# Parameters of Stripe's that change nothing here, and are kept on the object.
_NOTED_ON_INTENTS = (
    "description",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
    "setup_future_usage",
    "shipping",
)
_IGNORED_ON_INTENTS = (
    "automatic_payment_methods",
    "return_url",
    "error_on_requires_action",
    "confirmation_method",
)

_METADATA_CLAUSE = re.compile(r"""metadata\[(['"])(?P<name>[^'"]+)\1\]\s*:\s*(['"])(?P<value>[^'"]*)\3""")

# localstripe's own, which ours call.
_create_intent = PaymentIntent._api_create.__func__
_capture_intent = PaymentIntent._api_capture.__func__
_export_intent = PaymentIntent._export
_list_intents = PaymentIntent._api_list_all.__func__
_list_methods = PaymentMethod._api_list_all.__func__
_make_method = PaymentMethod.__init__
_make_refund = Refund.__init__
_confirm_intent = PaymentIntent._confirm
_initialise_charge = Charge._initialize_charge

_by_type: dict[str, dict[str, Any]] = defaultdict(dict)


def install() -> None:
    """Put the functions of this module in the place of localstripe's."""
    Store.__setitem__, Store.__delitem__, Store.dump_to_disk = _store, _forget, _keep_in_memory
    StripeObject._api_list_all = classmethod(_list)
    PaymentMethod.__init__ = _method
    PaymentMethod._try_get_canonical_test_article = classmethod(_test_card)
    PaymentMethod._charging_is_declined = lambda method: _decline(method) is not None
    PaymentMethod._api_list_all = classmethod(_methods_of_customer)
    PaymentIntent._api_create = classmethod(_intent)
    PaymentIntent._api_capture = classmethod(_capture)
    PaymentIntent._api_cancel = classmethod(_cancel)
    PaymentIntent._api_list_all = classmethod(_intents)
    PaymentIntent._confirm = _confirm
    PaymentIntent._export = _export
    PaymentIntent._report_failure = _report_failure
    PaymentIntent.charges = None  # gone from Stripe's API since 2022, and dear to compute
    PaymentIntent.amount_capturable = property(_amount_capturable)
    PaymentIntent.amount_received = property(_amount_received)
    PaymentIntent.cancellation_reason = PaymentIntent.canceled_at = None
    Charge._initialize_charge = _authorise
    Charge.amount_captured = property(_amount_captured)
    Refund.__init__ = _refund
    # Bound when localstripe was imported: their routes are given anew in ROUTES.
    ROUTES[:] = [
        ("GET", "/v1/payment_intents/search", _search),
        ("POST", "/v1/payment_intents/{id}/capture", PaymentIntent._api_capture),
        ("POST", "/v1/payment_intents/{id}/cancel", PaymentIntent._api_cancel),
        ("GET", "/v1/customers/{id}/payment_methods", _methods_of),
    ]


ROUTES: list[tuple[str, str, Any]] = []
"""Routes that come before localstripe's own; filled by `install`."""


def _store(store: Any, key: str, value: Any) -> None:
    dict.__setitem__(store, key, value)
    _by_type[key.split(":", 1)[0]][key] = value


def _forget(store: Any, key: str) -> None:
    dict.__delitem__(store, key)
    _by_type[key.split(":", 1)[0]].pop(key, None)


def _keep_in_memory(_: Any) -> None:
    """In place of a dump of the whole store to a file that everyone shares."""


def _list(cls: Any, /, url: str, limit: Any = None, starting_after: Any = None, **unknown: Any) -> Any:
    if unknown:
        raise UserError(400, f"Received unknown parameters: {', '.join(unknown)}")
    found = List(url, limit=limit, starting_after=starting_after)
    found._list = list(_by_type[cls.object].values())
    return found


def _method(method: Any, **data: Any) -> None:
    data.pop("allow_redisplay", None)
    _make_method(method, **data)
    if method.type == "card" and method._card_number.startswith("5"):
        method.card["brand"] = "mastercard"


def _test_card(_: Any, /, identity: str) -> Any:
    number = _CARDS.get(identity)
    if number is None:
        return None
    card = {"number": number, "exp_month": "12", "exp_year": str(time.gmtime().tm_year + 4), "cvc": "123"}
    return PaymentMethod(type="card", card=card)


def _decline(method: Any) -> tuple[str, str, str] | None:
    return _DECLINES.get(getattr(method, "_card_number", ""))


def _methods_of_customer(cls: Any, /, url: str, type: str = "card", **filters: Any) -> Any:  # noqa: A002
    return _list_methods(cls, url, type=type, **filters)


def _methods_of(id: str, **filters: Any) -> Any:  # noqa: A002
    return _methods_of_customer(PaymentMethod, f"/v1/customers/{id}/payment_methods", customer=id, **filters)


def _intent(cls: Any, /, **data: Any) -> Any:
    noted = {name: data.pop(name, None) for name in _NOTED_ON_INTENTS}
    for name in _IGNORED_ON_INTENTS:
        data.pop(name, None)
    confirm = data.pop("confirm", None)
    off_session = data.pop("off_session", None)
    intent = _create_intent(cls, **data)
    vars(intent).update(noted)
    intent._off_session = resources.try_convert_to_bool(off_session)
    if resources.try_convert_to_bool(confirm):
        if not intent.payment_method:
            raise UserError(
                400, "You cannot confirm this PaymentIntent because it's missing a payment method."
            )
        intent._confirm(on_failure_now=intent._report_failure)
    return intent


def _confirm(intent: Any, on_failure_now: Any) -> None:
    # A test card stands for a new card at each mention: from here on the intent has one of its own.
    method = PaymentMethod._api_retrieve(intent.payment_method)
    intent.payment_method = method.id
    if getattr(intent, "_off_session", False) and method._requires_authentication():
        message = "Your card was declined. This transaction requires authentication."
        raise UserError(
            402, message, _card_error(intent, "authentication_required", "authentication_required")
        )
    _confirm_intent(intent, on_failure_now)
    if intent.status == "requires_capture":
        resources.schedule_webhook(Event("payment_intent.amount_capturable_updated", intent))


def _authorise(
    charge: Any, on_success: Any = None, on_failure_now: Any = None, on_failure_later: Any = None
) -> None:
    decline = _decline(PaymentMethod._api_retrieve(charge.payment_method))
    if decline is not None:
        charge._authorized = False
        charge._set_auth_failure = lambda: vars(charge).update(
            status="failed", failure_code=decline[0], failure_message=decline[2]
        )
    _initialise_charge(charge, on_success, on_failure_now, on_failure_later)
    vars(charge).pop("_set_auth_failure", None)  # a function of ours cannot be saved with the charge


def _report_failure(intent: Any) -> None:
    resources.schedule_webhook(Event("payment_intent.payment_failed", intent))
    charge = intent.latest_charge
    decline = _decline(PaymentMethod._api_retrieve(charge.payment_method))
    code, reason, message = decline or ("card_declined", "generic_decline", "Your card was declined.")
    raise UserError(402, message, _card_error(intent, code, reason) | {"charge": charge.id})


def _card_error(intent: Any, code: str, decline_code: str) -> dict[str, Any]:
    return _CardError(code=code, decline_code=decline_code, payment_intent=intent._export())


class _CardError(dict[str, Any]):
    """The contents of a `card_error`; localstripe calls every error an invalid request."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, "card_error" if key == "type" else value)

    def __or__(self, other: Any) -> Any:
        return _CardError({**self, **other})


def _export(intent: Any, expand: Any = None) -> Any:
    exported = _export_intent(intent, expand=expand)
    del exported["charges"]
    wanted = any(path.split(".")[0] == "latest_charge" for path in expand or [])
    if intent.latest_charge is not None and not wanted:
        exported["latest_charge"] = intent.latest_charge.id
    return exported


def _amount_capturable(intent: Any) -> int:
    return int(intent.amount) if intent.status == "requires_capture" else 0


def _amount_received(intent: Any) -> int:
    return int(intent.latest_charge.amount_captured) if intent.status == "succeeded" else 0


def _amount_captured(charge: Any) -> int:
    # localstripe books what was not captured as a refund made with the capture.
    return int(charge.amount - getattr(charge, "_released", 0)) if charge.captured and charge.paid else 0


def _require(intent: Any, verb: str, *states: str) -> None:
    if intent.status not in states:
        raise UserError(
            400,
            f"This PaymentIntent could not be {verb} because it has a status of {intent.status}. Only a "
            f"PaymentIntent with one of the following statuses may be {verb}: {', '.join(states)}.",
            {"code": "payment_intent_unexpected_state", "payment_intent": intent._export()},
        )


def _capture(cls: Any, /, id: str, amount_to_capture: Any = None, **_: Any) -> Any:  # noqa: A002
    intent = cls._api_retrieve(id)
    _require(intent, "captured", "requires_capture")
    amount = resources.try_convert_to_int(amount_to_capture)
    if amount is not None:
        if not isinstance(amount, int) or not 0 < amount <= intent.amount:
            raise UserError(400, "amount_to_capture must be positive and at most what was authorised")
        intent.latest_charge._released = intent.amount - amount
    return _capture_intent(cls, id, amount_to_capture=amount)


def _cancel(cls: Any, /, id: str, cancellation_reason: str | None = None, **_: Any) -> Any:  # noqa: A002
    intent = cls._api_retrieve(id)
    _require(
        intent,
        "canceled",
        "requires_payment_method",
        "requires_capture",
        "requires_confirmation",
        "requires_action",
    )
    intent._canceled = True
    intent.next_action = None
    intent.canceled_at = int(time.time())
    intent.cancellation_reason = cancellation_reason
    resources.schedule_webhook(Event("payment_intent.canceled", intent))
    return intent


def _intents(cls: Any, /, url: str, customer: str | None = None, **filters: Any) -> Any:
    found = _list_intents(cls, url, **filters)
    found._list = [intent for intent in found._list[::-1] if customer is None or intent.customer == customer]
    return found


def _search(query: str = "", limit: Any = None, **_: Any) -> Any:
    clauses = [(match["name"], match["value"]) for match in _METADATA_CLAUSE.finditer(query)]
    if not clauses:
        raise UserError(400, "Only searches by metadata are known here: metadata['name']:'value' AND …")
    found = _intents(PaymentIntent, "/v1/payment_intents/search", limit=limit)
    found._list = [
        intent for intent in found._list if all(intent.metadata.get(name) == value for name, value in clauses)
    ]
    found.object = "search_result"
    return found


def _refund(
    refund: Any, charge: Any = None, payment_intent: Any = None, amount: Any = None, **data: Any
) -> None:
    reason = data.pop("reason", None)
    paid = _charge_of(charge, payment_intent)
    if paid is not None:
        left = paid.amount - paid.amount_refunded
        amount = left if amount is None else resources.try_convert_to_int(amount)
        if left <= 0:
            message = f"Charge {paid.id} has already been refunded."
            raise UserError(400, message, {"code": "charge_already_refunded"})
        if isinstance(amount, int) and amount > left:
            raise UserError(
                400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            )
    _make_refund(refund, charge=charge, payment_intent=payment_intent, amount=amount, **data)
    refund.reason = reason
    if paid is not None:
        refund.payment_intent = paid.payment_intent
        resources.schedule_webhook(Event("charge.refunded", paid))


def _charge_of(charge: Any, payment_intent: Any) -> Any:
    if payment_intent is None:
        return None if charge is None else Charge._api_retrieve(charge)
    intent = PaymentIntent._api_retrieve(payment_intent)
    if intent.status == "requires_capture":
        raise UserError(400, "This PaymentIntent was authorised and not captured: cancel it instead.")
    if intent.status != "succeeded":
        raise UserError(400, "This PaymentIntent does not have a successful charge to refund.")
    return intent.latest_charge
