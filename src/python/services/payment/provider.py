"""The payment provider: Stripe, through its own client.

Nothing is tried again here: the job that calls is (services.payment.calls), with the same idempotency key, so
that a call whose answer was lost is asked for its answer and not made a second time.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import aiohttp
import stripe

from chassis import logs
from services.payment.domain import AuthorizeCall, DetachCall, RefundCall

log = logs.get(__name__)

T = TypeVar("T")

CALL_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 3.0
_REFUSED = "The payment provider did not accept the payment."


class ProviderUnavailable(Exception):
    """There is no answer, or none that decides anything: what was asked for may or may not have been done."""


class Refused(Exception):
    """The provider said no. `code` is for programs, `detail` for people.

    `open_intent` is the provider's id of a payment that is not refused for good and must be closed.
    """

    def __init__(self, code: str, detail: str, *, open_intent: str | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.open_intent = open_intent


@dataclass(frozen=True)
class Card:
    """A card that the provider keeps for a customer; `provider_id` is the provider's id of it."""

    provider_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


class Provider(Protocol):
    """What is asked of a payment provider.

    `key` makes a repetition safe: the same key gets the answer that the first call got. Every method raises
    Refused or ProviderUnavailable.
    """

    async def create_customer(self, customer_id: uuid.UUID, key: str) -> str:
        """Make the customer known; returns the provider's id."""
        ...

    async def attach(self, token: str, customer: str, key: str) -> Card:
        """Keep the card that `token` stands for, for the customer with the provider's id `customer`."""
        ...

    async def detach(self, call: DetachCall, key: str) -> None:
        """Forget a card. One that is forgotten already is no fault."""
        ...

    async def authorize(self, call: AuthorizeCall, key: str) -> str:
        """Hold an amount; returns the provider's id of the payment."""
        ...

    async def capture(self, intent_id: str, key: str) -> None:
        """Take what is held. What was taken already is no fault."""
        ...

    async def void(self, intent_id: str, key: str) -> bool:
        """Let go of what is held, if anything is; False where it had been taken already."""
        ...

    async def refund(self, call: RefundCall, key: str) -> None:
        """Give back some of what was taken."""
        ...


class StripeProvider:
    """Stripe. Close it at the end."""

    def __init__(self, api_key: str, api_base: str | None = None) -> None:
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S)
        self._http = stripe.AIOHTTPClient(timeout=timeout)
        client = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base.rstrip("/")} if api_base else {},
            max_network_retries=0,
            http_client=self._http,
        )
        self._customers = client.v1.customers
        self._intents = client.v1.payment_intents
        self._methods = client.v1.payment_methods
        self._refunds = client.v1.refunds

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def create_customer(self, customer_id: uuid.UUID, key: str) -> str:
        made = await _answer(
            self._customers.create_async(
                {"metadata": {"customer_id": str(customer_id)}}, {"idempotency_key": key}
            )
        )
        return made.id

    async def attach(self, token: str, customer: str, key: str) -> Card:
        method = await _answer(
            self._methods.attach_async(token, {"customer": customer}, {"idempotency_key": key})
        )
        card = method.card if method.type == "card" else None
        if card is None:
            raise Refused("payment_method_unsupported", "Only cards are taken.")
        return Card(method.id, card.brand, card.last4 or "", card.exp_month, card.exp_year)

    async def detach(self, call: DetachCall, key: str) -> None:
        await _answer(self._methods.detach_async(call.method, {}, {"idempotency_key": key}))

    async def authorize(self, call: AuthorizeCall, key: str) -> str:
        intent = await _answer(
            self._intents.create_async(
                {
                    "amount": call.amount.amount,
                    "currency": call.amount.currency.lower(),
                    "customer": call.method.customer,
                    "payment_method": call.method.method,
                    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                    "capture_method": "manual",
                    "confirm": True,
                    "off_session": True,
                    "metadata": {"order_id": str(call.order_id), "payment_id": str(call.payment_id)},
                },
                {"idempotency_key": key},
            )
        )
        if intent.status == "requires_capture":
            return intent.id
        # Nobody is there to be asked by the bank, and it may not be held behind our back later.
        code = "authentication_required" if intent.status == "requires_action" else intent.status
        raise Refused(code, "The card needs the customer's approval.", open_intent=intent.id)

    async def capture(self, intent_id: str, key: str) -> None:
        try:
            await _answer(self._intents.capture_async(intent_id, {}, {"idempotency_key": key}))
        except Refused:
            if await self._status(intent_id) != "succeeded":
                raise

    async def void(self, intent_id: str, key: str) -> bool:
        try:
            await _answer(self._intents.cancel_async(intent_id, {}, {"idempotency_key": key}))
        except Refused as refused:
            status = await self._status(intent_id)
            if status == "requires_capture":
                raise ProviderUnavailable(f"{intent_id} is still held: {refused}") from refused
            return status != "succeeded"
        return True

    async def refund(self, call: RefundCall, key: str) -> None:
        made = await _answer(
            self._refunds.create_async(
                {
                    "payment_intent": call.intent_id,
                    "amount": call.amount,
                    "metadata": {"refund_id": str(call.refund_id)},
                },
                {"idempotency_key": key},
            )
        )
        if made.status in {"failed", "canceled"}:
            raise Refused("refund_failed", "The card's bank did not take the money back.")

    async def _status(self, intent_id: str) -> str:
        try:
            return (await _answer(self._intents.retrieve_async(intent_id))).status
        except Refused:
            return "unknown"


async def _answer(call: Awaitable[T]) -> T:
    """What Stripe answers to `call`, its errors told apart by what they decide."""
    try:
        return await call
    except stripe.CardError as error:
        raise _declined(error) from error
    except stripe.InvalidRequestError as error:
        # Not the customer's fault, and nothing a repetition would mend.
        log.error("the payment provider refused a request", reason=str(error), code=error.code)  # noqa: TRY400
        code = error.code or "invalid_request"
        if error.param == "payment_method" and code == "resource_missing":
            code = "payment_method_unknown"
        raise Refused(code, _REFUSED) from error
    except (stripe.StripeError, aiohttp.ClientError, OSError, TimeoutError) as error:
        # A wrong key (401, 403) is among them: orders must not fail for what an operator can mend.
        raise ProviderUnavailable(f"{type(error).__name__}: {_line(error)}") from error


def _declined(error: stripe.CardError) -> Refused:
    why = getattr(error.error, "decline_code", None)
    detail = error.user_message or "The card was declined."
    return Refused(error.code or "card_declined", f"{detail} ({why})" if why else detail)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
