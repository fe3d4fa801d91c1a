"""Who comes to the shop and what they find: made through its API before load begins, and kept up under it."""

from __future__ import annotations

import json
import os
import random
import secrets
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gevent.pool

from loadtests.errors import LoadError
from loadtests.generator.plan import Plan
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
# More than a run that is judged by one service can sell of anything.
_PLENTY = 1_000_000
# Of services that are asked of orders, how many each customer has placed before.
_PLACED_BEFORE: Mapping[str, int] = {"order": 1, "payment": 2, "notification": 2}
_CONFIRMED_WITHIN_S = 60.0

T = TypeVar("T")
R = TypeVar("R")


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


def order_of(account: Account, pieces: Mapping[str, int]) -> dict[str, Any]:
    """What a customer says who orders so many pieces of each product."""
    return {
        "items": [{"product_id": each, "quantity": count} for each, count in pieces.items()],
        "payment_method_id": account.method_id,
        "address_id": account.address_id,
    }


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
        # Who placed an order, and which: those that were there before, and those of now.
        self.orders: deque[tuple[Account, str]] = deque(maxlen=10_000)
        # Of payments: the provider's id, and ours.
        self.intents: Sequence[tuple[str, str]] = ()

    def open(self, plan: Plan) -> None:
        """Make what a run needs, or take what an earlier one has kept. Raises LoadError where that fails."""
        kept = Path(plan.market) if plan.market else None
        if kept is not None and kept.exists():
            self._restore(json.loads(kept.read_text("utf-8")))
            return
        self.prepare(plan.customers)
        if plan.only:
            self._prepare_for(plan.only)
        if kept is not None:
            # It has passwords in it.
            with open(kept, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                json.dump(self._kept(), file)

    def prepare(self, customers: int) -> None:
        """Register customers and read the catalogue. Raises LoadError where the shop does not let them in."""
        self.products = self._catalogue()
        if not self.products:
            raise LoadError("the shop has nothing in stock that customers could order.")
        self.customers = self._together(lambda _: self._customer(), range(customers))

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

    def _prepare_for(self, service: str) -> None:
        """So much in stock that nothing is refused, and orders that are confirmed."""
        token = self._ask("POST", "/api/users/login", self._credentials(self.admin))["access_token"]
        self.admin.token = token
        plenty = {"quantity": _PLENTY}
        stock = (f"/api/products/{each['id']}/stock" for each in self.products)
        self._together(lambda path: self._ask("POST", path, plenty, token), list(stock))
        buyers = [each for each in self.customers for _ in range(_PLACED_BEFORE.get(service, 0))]
        self.orders.extend(self._together(lambda buyer: (buyer, self._placed(buyer)), buyers))
        if service == "payment":
            self._together(self._confirmed, list(self.orders))

    def _placed(self, buyer: Account) -> str:
        body = order_of(buyer, {self.products[0]["id"]: 1})
        return str(self._ask("POST", "/api/orders", body, buyer.token)["id"])

    def _confirmed(self, placed: tuple[Account, str]) -> None:
        buyer, order_id = placed
        until = time.monotonic() + _CONFIRMED_WITHIN_S
        while self._ask("GET", f"/api/orders/{order_id}", token=buyer.token)["status"] != "CONFIRMED":
            if time.monotonic() > until:
                raise LoadError(
                    f"load cannot be prepared: an order is not confirmed after {_CONFIRMED_WITHIN_S:.0f} s."
                )
            gevent.sleep(0.2)

    def _kept(self) -> Mapping[str, Any]:
        number = {each.email: index for index, each in enumerate(self.customers)}
        return {
            "admin_token": self.admin.token,
            "customers": [asdict(each) for each in self.customers],
            "products": self.products,
            "orders": [(number[buyer.email], order_id) for buyer, order_id in self.orders],
        }

    def _restore(self, kept: Mapping[str, Any]) -> None:
        self.admin.token = kept["admin_token"]
        self.customers = [Account(**each) for each in kept["customers"]]
        self.products = kept["products"]
        self.orders.extend((self.customers[buyer], order_id) for buyer, order_id in kept["orders"])
        self.intents = kept.get("intents", ())

    def _together(self, make: Callable[[T], R], of: Sequence[T]) -> list[R]:
        """A few at a time. Raises the first LoadError, once all have ended."""

        def made_or_error(each: T) -> R | LoadError:
            # What a greenlet raises is printed with its traceback, wherever else it is raised again.
            try:
                return make(each)
            except LoadError as error:
                return error

        made = gevent.pool.Pool(_AT_ONCE).map(made_or_error, of)
        for each in made:
            if isinstance(each, LoadError):
                raise each
        return [each for each in made if not isinstance(each, LoadError)]

    def _customer(self) -> Account:
        account = new_account()
        self._ask("POST", "/api/users", registration(account))
        token = self._ask("POST", "/api/users/login", self._credentials(account))["access_token"]
        account.token = token
        account.address_id = self._ask("POST", "/api/users/me/addresses", HOME, token)["id"]
        account.method_id = self._ask("POST", "/api/payments/methods", CARD, token)["id"]
        return account

    @staticmethod
    def _credentials(account: Account) -> dict[str, str]:
        return {"email": account.email, "password": account.password}

    def _ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        headers = {**self._headers, "Idempotency-Key": uuid.uuid4().hex}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = self._session.request(method, path, json=body, headers=headers)
        if not 200 <= (answer.status_code or 0) < 300:
            why = answer.status_code or "nothing"
            raise LoadError(f"load cannot be prepared: {method} {path} was answered with {why}.")
        return answer.json()
