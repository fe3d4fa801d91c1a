"""Who comes to the shop and what they find: made through its API before load begins, and kept up under it."""

from __future__ import annotations

import random
import secrets
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gevent.pool

from loadtests.errors import LoadError
from loadtests.generator.target import Target

if TYPE_CHECKING:
    # Importing Locust changes how all of Python waits; commands know scenarios without that.
    from locust.contrib.fasthttp import FastHttpSession

HOME = {
    "recipient": "L. Oad",
    "line1": "Dock 1",
    "city": "Rotterdam",
    "postal_code": "3011",
    "country": "NL",
}
CARD = {"provider_token": "pm_card_visa"}
# Tokens last a quarter of an hour; who comes back later signs in again.
_SIGNED_IN_S = 10 * 60
_AT_ONCE = 4
_PAGES, _PAGE = 5, 100


@dataclass
class Account:
    """Somebody who can sign in, and has from time to time."""

    email: str
    password: str
    token: str = ""
    until: float = 0.0
    address_id: str = ""
    method_id: str = ""

    def sign_in(self, tokens: Mapping[str, Any], now: float) -> None:
        """Remember what signing in brought."""
        self.token, self.until = tokens["access_token"], now + _SIGNED_IN_S


def new_account() -> Account:
    """Somebody new. Mails to them end at Amazon SES' simulator: bounces would spoil the sender's name."""
    return Account(f"success+load-{secrets.token_hex(8)}@simulator.amazonses.com", secrets.token_urlsafe(16))


def registration(account: Account) -> dict[str, str]:
    """What somebody new says of themself."""
    return {"email": account.email, "password": account.password, "display_name": "Load Test"}


class Market:
    """Customers who can order, the catalogue, the admin, and what was sold and not yet made up for."""

    def __init__(self, session: FastHttpSession, target: Target) -> None:
        """`session` is used for preparations alone: load has its own, which is timed."""
        self._session = session
        self._headers = target.headers
        self.admin = Account(target.email, target.password)
        self.customers: Sequence[Account] = ()
        self.products: Sequence[Mapping[str, Any]] = ()
        self.sold: Counter[str] = Counter()

    def prepare(self, customers: int) -> None:
        """Register customers and read the catalogue. Raises LoadError where the shop does not let them in."""
        self.products = self._catalogue()
        if not self.products:
            raise LoadError("the shop has nothing in stock that customers could order.")
        made = gevent.pool.Pool(_AT_ONCE).map(lambda _: self._customer_or_error(), range(customers))
        self.customers = [each for each in made if isinstance(each, Account)]
        for each in made:
            if isinstance(each, LoadError):
                raise each

    def product(self, draw: random.Random) -> Mapping[str, Any]:
        """One of them."""
        return draw.choice(self.products)

    def customer(self, draw: random.Random) -> Account:
        """One of them. Somebody may well be here twice at once: on two screens."""
        return draw.choice(self.customers)

    def most_sold(self) -> tuple[str, int] | None:
        """What has been sold most since it came in last, and how much of it; it counts as made up for now."""
        if not self.sold:
            return None
        ((product, pieces),) = self.sold.most_common(1)
        del self.sold[product]
        return product, pieces

    def _catalogue(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        after = ""
        for _ in range(_PAGES):
            page = self._ask("GET", f"/api/products?in_stock=true&limit={_PAGE}{after}")
            found += page["items"]
            if page["next_cursor"] is None:
                break
            after = f"&cursor={page['next_cursor']}"
        return found

    def _customer_or_error(self) -> Account | LoadError:
        # What a greenlet raises is printed with its traceback, wherever else it is raised again.
        try:
            return self._customer()
        except LoadError as error:
            return error

    def _customer(self) -> Account:
        account = new_account()
        self._ask("POST", "/api/users", registration(account))
        sign_in = {"email": account.email, "password": account.password}
        token = self._ask("POST", "/api/users/login", sign_in)["access_token"]
        account.address_id = self._ask("POST", "/api/users/me/addresses", HOME, token)["id"]
        account.method_id = self._ask("POST", "/api/payments/methods", CARD, token)["id"]
        return account

    def _ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        headers = {**self._headers, "Idempotency-Key": uuid.uuid4().hex}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = self._session.request(method, path, json=body, headers=headers)
        if not 200 <= (answer.status_code or 0) < 300:
            why = answer.status_code or "nothing"
            raise LoadError(f"load cannot be prepared: {method} {path} was answered with {why}.")
        return answer.json()
