"""`./pants fuzz`: sends a running shop what nobody thought of, as a customer, as an admin and as nobody."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
from rich.console import Console

from chassis.fuzzing import HTML, JUNIT, NOBODY, Caller, FuzzingError, Plan, Verdict, fuzz
from contracts.routes import path_of
from contracts.services import SERVICES
from devstack.client import Client, Refused
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
    arguments = parser().parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    console.print(f"seed {seed} (say --seed {seed} to send the same again)")
    try:
        play = partial(_play, target(arguments, os.environ), seed, arguments.rate_limit)
        some = rounds(arguments.services or SERVICES, arguments.max_examples)
        clean = run(console, some, play, arguments.report)
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


def run(
    console: Console, some: Iterable[Round], play: Callable[[Round, Path], Verdict], report: Path
) -> bool:
    """Play each round, with a folder of its own below `report`, and tell of it; whether nothing was found."""
    begun, cases, failed = time.monotonic(), 0, 0
    for each in some:
        directory = report / f"{each.service}-{each.caller}-{each.number}"
        verdict = play(each, directory)
        cases += verdict.cases
        failed += not _is_clean(verdict)
        _tell(console, each, verdict, directory)
    console.print(f"{cases} cases in {time.monotonic() - begun:.0f} s; reports: {report}", markup=False)
    return not failed


def target(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Target:
    """The shop that runs here, or the one at --host, of which `environment` has the admin.

    Raises StateError where the one does not run, or nobody is said for the other.
    """
    key = environment.get("MERCATO_API_KEY")
    headers = {"X-Api-Key": key} if key else {}
    if arguments.host is None:
        running = State(arguments.state).running()
        return Target(running.url, running.admin, headers)
    email, password = (environment.get(f"MERCATO_ADMIN_{what}") for what in ("EMAIL", "PASSWORD"))
    if not email or not password:
        raise StateError("set MERCATO_ADMIN_EMAIL and MERCATO_ADMIN_PASSWORD: who may make admins there")
    return Target(arguments.host.rstrip("/"), Account(email, password), headers)


def _play(where: Target, seed: int, rate_limit: str | None, each: Round, directory: Path) -> Verdict:
    begun = time.monotonic()
    who = asyncio.run(_sign_in(where, each.caller))
    plan = Plan(
        url=where.url,
        openapi_path=f"{path_of(each.service)}/openapi.json",
        caller=who.caller,
        seed=seed + each.number,
        max_examples=each.examples,
        # Of those alone that this service asks for: any other is said to fit nowhere.
        known=who.known if each.service == "order" else {},
        headers=where.headers,
        exclude=NOT_BEHIND_THE_GATEWAY,
        rate_limit=rate_limit,
    )
    verdict = fuzz(plan, directory.absolute())
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


async def _sign_in(where: Target, caller: str) -> SignedIn:
    """A caller that is new, so that nothing which earlier requests did to theirs matters."""
    if caller == "nobody":
        return SignedIn(NOBODY, {})
    async with aiohttp.ClientSession(where.url, headers=where.headers) as session:
        client, account = await _registered(session)
        if caller == "admin":
            await _make_admin(session, where.admin, client)
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


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    made = argparse.ArgumentParser(prog="./pants fuzz", description=__doc__)
    reports = Path(os.environ.get(ROOT_VARIABLE, ".")) / "dist" / "fuzz"
    made.add_argument("services", nargs="*", type=_service, metavar="service", help="which (all)")
    made.add_argument("--host", help="URL of another gateway than that of the shop that runs here")
    made.add_argument(
        "--max-examples",
        type=_positive,
        default=EXAMPLES_OF_A_ROUND,
        help="of each operation, for each caller (%(default)s)",
    )
    made.add_argument("--seed", type=int, help="what is drawn follows from it (a new one)")
    made.add_argument("--rate-limit", metavar="N/s", help="send no more than this")
    made.add_argument("--report", type=Path, default=reports, help="folder of the reports (%(default)s)")
    made.add_argument("--state", type=Path, default=default_directory(), help="as of ./pants up")
    return made


def _service(text: str) -> str:
    # Not by `choices`, which does not know that none is all.
    if text not in SERVICES:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(SERVICES)}")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("of none, nothing is tried and nothing found")
    return number


if __name__ == "__main__":
    sys.exit(main())
