"""The way into a database: its URL and, where that has no password, the secret that does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import orjson
from botocore.exceptions import BotoCoreError, ClientError

# For one reading of the secret, whatever it takes: credentials, a connection, the answer.
READING_TIMEOUT_S = 5


class LoginFailed(ConnectionError):
    """The secret cannot be read, or the server refuses what it says. The message names no credentials."""


@dataclass(frozen=True)
class Account:
    """Who enters a database."""

    username: str
    password: str = field(repr=False)


class Secret:
    """An account in Secrets Manager: JSON with `username` and `password`, as RDS keeps it there.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
    """

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self._reading: asyncio.Task[Account] | None = None

    async def account(self, *, refused: Account | None = None) -> Account:
        """What the secret says. It is read at first, and again where what was read last is `refused`.

        Whoever asks while it is being read gets the same answer, or the same LoginFailed: were each to ask
        AWS in turn, the last would wait for all before it.
        """
        if self._reading is None or _is_spent(self._reading, refused):
            self._reading = asyncio.create_task(self._read())
        return await asyncio.shield(self._reading)

    async def _read(self) -> Account:
        # Imported here because it costs 22 MiB that a process without AWS need not pay.
        from chassis import aws

        try:
            async with asyncio.timeout(READING_TIMEOUT_S), aws.client("secretsmanager") as client:
                answer = await client.get_secret_value(SecretId=self.arn)
        except (BotoCoreError, ClientError, OSError) as error:
            why = str(error) or type(error).__name__
            raise LoginFailed(f"the secret {self.arn} cannot be read: {why}") from error
        try:
            return _account(orjson.loads(answer["SecretString"]))
        except (KeyError, TypeError, ValueError):
            # From none: what could not be understood may be the password.
            raise LoginFailed(f"the secret {self.arn} is no JSON with a username and a password") from None


class Login:
    """How to enter the database at `url`: as the URL says, or with the password in a secret.

    A password is kept until the server refuses it. Then it was changed, and is read anew, so that a process
    outlives the rotation of its password.
    """

    def __init__(self, url: str, secret_arn: str | None = None) -> None:
        self.url = url
        self._secret = Secret(secret_arn) if secret_arn else None
        self._names_user = _names_user(url)

    @classmethod
    def to(cls, database: Login | str) -> Login:
        """The login itself, or the one that a URL says all of."""
        return database if isinstance(database, Login) else cls(database)

    async def connect(self, **options: Any) -> asyncpg.Connection[asyncpg.Record]:
        """A connection; `options` and what is raised are those of `asyncpg.connect`, and LoginFailed."""
        if self._secret is None:
            return await asyncpg.connect(self.url, **options)
        account = await self._secret.account()
        try:
            return await self._enter(account, options)
        except asyncpg.InvalidAuthorizationSpecificationError:  # a wrong password is one kind of it
            account = await self._secret.account(refused=account)
        try:
            return await self._enter(account, options)
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            # Not for good: a rotation changes the password in the server a moment before the secret.
            # https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotation-strategy.html
            raise LoginFailed(f"what the secret {self._secret.arn} says is refused: {error}") from error

    async def _enter(self, account: Account, options: dict[str, Any]) -> asyncpg.Connection[asyncpg.Record]:
        user = {} if self._names_user else {"user": account.username}
        return await asyncpg.connect(self.url, password=account.password, **user, **options)


def _is_spent(reading: asyncio.Task[Account], refused: Account | None) -> bool:
    """Whether nothing good will come of `reading`: it has failed, or has brought what is refused."""
    if not reading.done():
        return False
    return reading.cancelled() or reading.exception() is not None or reading.result() is refused


def _account(held: Any) -> Account:
    username, password = held["username"], held["password"]
    if not (isinstance(username, str) and isinstance(password, str)):
        raise TypeError
    return Account(username, password)


def _names_user(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.username) or "user" in parse_qs(parts.query)
