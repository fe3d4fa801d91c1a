"""`create-admin`: makes the first admin, whom no admin could make."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from chassis.clock import Clock, Ids, new_id, utc_now
from chassis.database import Database
from chassis.outbox import Outbox
from chassis.settings import EX_CONFIG
from services.user import domain, store
from services.user.bodies import Email
from services.user.domain import Role, User
from services.user.passwords import Passwords
from services.user.settings import Settings

_EMAIL = TypeAdapter[str](Email)


def create_admin(settings: Settings, argv: Sequence[str]) -> int:
    """The command `create-admin --email E`; returns the process's exit status."""
    parser = argparse.ArgumentParser(
        prog="user create-admin",
        description="Make an admin, or make one of an account that is there. The password is ADMIN_PASSWORD.",
    )
    parser.add_argument("--email", required=True)
    email = parser.parse_args(argv).email
    try:
        email = _EMAIL.validate_python(email)
    except ValidationError as error:
        parser.error(f"--email {error.errors()[0]['msg']}")
    if settings.admin_password is None:
        message = "ADMIN_PASSWORD is not set (password of the account that create-admin makes)."
        print(message, file=sys.stderr)  # noqa: T201 - a command speaks by printing
        return EX_CONFIG
    asyncio.run(_create(settings, email, settings.admin_password.get_secret_value()))
    print(f"{email} is an admin and signs in with ADMIN_PASSWORD.")  # noqa: T201
    return 0


async def _create(settings: Settings, email: str, password: str) -> None:
    database = Database(settings.login(), pool_size=2)
    passwords = Passwords(time_cost=settings.argon2_time_cost, memory_kib=settings.argon2_memory_kib)
    try:
        await make_admin(database, Outbox("user", store.OUTBOX), passwords, email, password)
    finally:
        passwords.close()
        await database.close()


async def make_admin(
    database: Database,
    outbox: Outbox,
    passwords: Passwords,
    email: str,
    password: str,
    *,
    clock: Clock = utc_now,
    ids: Ids = new_id,
) -> None:
    """See to it that `email` with `password` signs in as an admin; a repetition changes nothing.

    An account that is there gets this password, and whoever is signed in to it is signed out: anybody can
    have registered it, and whoever did must not become an admin.
    """
    async with database.reading() as connection:
        account = await store.account_of(connection, email)
    keeps_password = account is not None and await passwords.matches(password, account.password_hash)
    password_hash = None if keeps_password else await passwords.hash(password)
    async with database.transaction() as tx:
        if account is None:
            assert password_hash is not None
            roles = (Role.ADMIN, Role.CUSTOMER)
            outcome = domain.register(User(ids(), email, email.partition("@")[0], clock(), roles))
            await store.insert_user(tx, outcome.user, password_hash)
            await outbox.add(tx, *outcome.events)
            return
        user = (await store.locked(tx, account.user.id)).user
        await store.save_user(tx, domain.promote(user))
        if password_hash is not None:
            await store.set_password(tx, user.id, password_hash)
            await store.end_sessions(tx, user.id)
