"""`./pants fuzz`: sends a running shop what nobody thought of, as a customer, as an admin and as nobody."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from rich.console import Console

from chassis.fuzzing import HTML, JUNIT, NOBODY, Caller, FuzzingError, Plan, Verdict, fuzz
from devstack.client import Client, Refused
from devstack.environment import SERVICES
from devstack.state import ROOT_VARIABLE, Account, State, StateError, default_directory

EX_UNAVAILABLE = 69  # sysexits.h
CALLERS = ("customer", "admin", "nobody")
# In a round nobody signs in again, so that it must be over before their access tokens are.
EXAMPLES_OF_A_ROUND = 100
ROUND_AT_MOST_S = 14 * 60
# Each replica's own, which are not behind a gateway.
NOT_BEHIND_THE_GATEWAY = "^/(health|livez|readyz)$"
# More than any shop takes by itself would only make it slower.
_PRODUCTS = "20"
_HOME = {
    "recipient": "Grace Hopper",
    "line1": "1 Harbour Road",
    "city": "New York",
    "postal_code": "10004",
    "country": "US",
}


@dataclass(frozen=True)
class Target:
    """Where the shop is, who may make admins there, and what its gateway wants to see."""

    url: str
    admin: Account
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Round:
    """A part of the run: one service, one caller."""

    service: str
    caller: str
    number: int
    examples: int


@dataclass(frozen=True)
class SignedIn:
    """A caller, and the ids of what is theirs or anybody's."""

    caller: Caller
    known: dict[str, list[str]]


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz the shop; returns the exit status of the process."""
    arguments = _parser().parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    console.print(f"seed {seed} (say --seed {seed} to send the same again)")
    try:
        target = _target(arguments)
        clean = _run(console, target, arguments, seed)
    except (StateError, FuzzingError, Refused, aiohttp.ClientError) as error:
        sys.stderr.write(f"The shop cannot be fuzzed: {error}\n")
        return EX_UNAVAILABLE
    return 0 if clean else 1


def rounds(services: Sequence[str], max_examples: int) -> Iterator[Round]:
    """What is to be done, so that each operation gets `max_examples` of each caller."""
    for number, begun in enumerate(range(0, max_examples, EXAMPLES_OF_A_ROUND)):
        examples = min(EXAMPLES_OF_A_ROUND, max_examples - begun)
        for service in services:
            for caller in CALLERS:
                yield Round(service, caller, number, examples)


def _run(console: Console, target: Target, arguments: argparse.Namespace, seed: int) -> bool:
    begun, cases, failed = time.monotonic(), 0, 0
    for each in rounds(arguments.services or SERVICES, arguments.max_examples):
        directory = arguments.report / f"{each.service}-{each.caller}-{each.number}"
        verdict = _play(target, each, directory.absolute(), seed + each.number, arguments.rate_limit)
        cases += verdict.cases
        failed += not _is_clean(verdict)
        _tell(console, each, verdict, directory)
    console.print(f"{cases} cases in {time.monotonic() - begun:.0f} s; reports: {arguments.report}")
    return not failed


def _play(target: Target, each: Round, directory: Path, seed: int, rate_limit: str | None) -> Verdict:
    begun = time.monotonic()
    who = asyncio.run(_sign_in(target, each.caller))
    plan = Plan(
        url=target.url,
        openapi_path=f"/api/{each.service}s/openapi.json",
        caller=who.caller,
        seed=seed,
        max_examples=each.examples,
        # Of those alone that this service asks for: any other is said to fit nowhere.
        known=who.known if each.service == "order" else {},
        headers=target.headers,
        exclude=NOT_BEHIND_THE_GATEWAY,
        rate_limit=rate_limit,
    )
    verdict = fuzz(plan, directory)
    if time.monotonic() - begun > ROUND_AT_MOST_S:
        raise FuzzingError("a round outlived its access tokens: say a smaller --max-examples")
    return verdict


def _is_clean(verdict: Verdict) -> bool:
    return not verdict.failures and not verdict.untested


def _tell(console: Console, each: Round, verdict: Verdict, directory: Path) -> None:
    mark = "[green]✓[/]" if _is_clean(verdict) else "[red]✗[/]"
    console.print(f"{mark} {each.service} as {each.caller}: {verdict.cases} cases")
    if not _is_clean(verdict):
        for failure in verdict.failures:
            console.print(f"  {failure}", markup=False)
        if verdict.untested:
            console.print(f"  {verdict.untested} operations were not tried")
        console.print(f"  in full: {directory / HTML / 'index.html'}, {directory / JUNIT}", markup=False)


async def _sign_in(target: Target, caller: str) -> SignedIn:
    """A caller that is new, so that nothing which earlier requests did to theirs matters."""
    if caller == "nobody":
        return SignedIn(NOBODY, {})
    async with aiohttp.ClientSession(target.url, headers=target.headers) as session:
        client, account = await _registered(session)
        if caller == "admin":
            await _make_admin(session, target.admin, client)
            await client.sign_in(account.email, account.password)
            return SignedIn(Caller(caller, client.token), await _known(client))
        other, _ = await _registered(session)
        return SignedIn(Caller(caller, client.token, other.token), await _known(client))


async def _registered(session: aiohttp.ClientSession) -> tuple[Client, Account]:
    account = Account(f"fuzz-{secrets.token_hex(8)}@example.com", secrets.token_urlsafe(12))
    client = Client(session)
    body = {"email": account.email, "password": account.password, "display_name": "Grace Hopper"}
    await client.post("/api/users", body)
    await client.sign_in(account.email, account.password)
    return client, account


async def _make_admin(session: aiohttp.ClientSession, admin: Account, client: Client) -> None:
    chief = Client(session)
    await chief.sign_in(admin.email, admin.password)
    user = await client.get("/api/users/me")
    await chief.request("PUT", f"/api/users/{user['id']}/roles", {"roles": ["customer", "admin"]})


async def _known(client: Client) -> dict[str, list[str]]:
    """What an order can be made of."""
    home = await client.post("/api/users/me/addresses", _HOME)
    card = await client.post("/api/payments/methods", {"provider_token": "pm_card_visa"})
    sold = (await client.get("/api/products", limit=_PRODUCTS))["items"]
    known = {
        "body.address_id": [home["id"]],
        "body.payment_method_id": [card["id"]],
        "body.items[*].product_id": [product["id"] for product in sold],
    }
    return {parameter: ids for parameter, ids in known.items() if ids}


def _target(arguments: argparse.Namespace) -> Target:
    key = os.environ.get("MERCATO_API_KEY")
    headers = {"X-Api-Key": key} if key else {}
    email, password = (os.environ.get(f"MERCATO_ADMIN_{what}") for what in ("EMAIL", "PASSWORD"))
    if arguments.host is None:
        running = State(arguments.state).running()
        return Target(running.url, running.admin, headers)
    if not email or not password:
        raise StateError("set MERCATO_ADMIN_EMAIL and MERCATO_ADMIN_PASSWORD: who may make admins there")
    return Target(arguments.host.rstrip("/"), Account(email, password), headers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pants fuzz", description=__doc__)
    reports = Path(os.environ.get(ROOT_VARIABLE, ".")) / "dist" / "fuzz"
    parser.add_argument("services", nargs="*", metavar="service", help="which (all)")
    parser.add_argument("--host", help="URL of another gateway than that of the shop that runs here")
    parser.add_argument(
        "--max-examples",
        type=int,
        default=EXAMPLES_OF_A_ROUND,
        help="of each operation, for each caller (%(default)s)",
    )
    parser.add_argument("--seed", type=int, help="what is drawn follows from it (a new one)")
    parser.add_argument("--rate-limit", metavar="N/s", help="send no more than this")
    parser.add_argument("--report", type=Path, default=reports, help="folder of the reports (%(default)s)")
    parser.add_argument("--state", type=Path, default=default_directory(), help="as of ./pants up")
    return parser


if __name__ == "__main__":
    sys.exit(main())
