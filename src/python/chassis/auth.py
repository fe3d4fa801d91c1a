"""Who is calling: JSON Web Tokens, verified by the user service's published keys (RFC 7519, RFC 7517)."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from chassis import logs
from chassis.http_client import HttpClient
from chassis.problems import Forbidden, Unauthenticated, Unavailable

log = logs.get(__name__)

ISSUER = "mercato-user"
AUDIENCE = "mercato"
ALGORITHM = "Ed25519"  # RFC 9864: fully specified, unlike "EdDSA"
JWKS_PATH = "/api/users/.well-known/jwks.json"
KEYS_LAST_S = 300  # how long fetched keys are trusted, and with them one that was withdrawn meanwhile

Role = Literal["customer", "admin", "service"]

_LEEWAY_S = 5
_REFRESH_AT_MOST_EVERY_S = 10.0
_REMEMBERED_TOKENS = 4096


@dataclass(frozen=True)
class Caller:
    """Who sent the request. `token` is theirs, for calls to other services on their behalf."""

    id: uuid.UUID
    roles: frozenset[str]
    token: str = field(repr=False)

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see and change what is not theirs."""
        return "admin" in self.roles


class Keys(Protocol):
    """Where the public keys come from."""

    async def fetch(self) -> dict[str, Any]:
        """The JWK Set. Raises Unavailable where it cannot be had."""
        ...


class RemoteKeys:
    """The keys that the user service publishes."""

    def __init__(self, client: HttpClient, path: str = JWKS_PATH) -> None:
        self._client = client
        self._path = path

    async def fetch(self) -> dict[str, Any]:
        answer = await self._client.get(self._path)
        if answer.status != 200:
            raise Unavailable(f"The user service answered {answer.status} when asked for its keys.")
        try:
            keys: dict[str, Any] = answer.json()
        except ValueError:
            raise Unavailable("The user service answered no JSON when asked for its keys.") from None
        return keys


class Verifier:
    """Verifies tokens.

    Keys are fetched at first need, when they are old, and when a token names one that is not known. While the
    user service is away the old ones are trusted: those who are signed in stay so.
    """

    def __init__(self, keys: Keys, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._key_set: KeySet | None = None
        self._asked_at = self._fetched_at = float("-inf")
        self._verified: dict[str, tuple[float, Caller]] = {}
        self._claims = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            sub={"essential": True},
            exp={"essential": True},
        )

    async def verify(self, token: str) -> Caller:
        """The caller that `token` speaks for. Raises Unauthenticated if it is forged, expired or not ours."""
        if self._key_set is not None and self._since(self._fetched_at) > KEYS_LAST_S:
            await self._renew_keys()
        remembered = self._verified.get(token)
        if remembered is not None and time.time() < remembered[0]:
            return remembered[1]
        claims = await self._decode(token)
        try:
            caller = Caller(uuid.UUID(claims["sub"]), frozenset(claims["roles"]), token)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unauthenticated("The token lacks a subject or roles; sign in again.") from None
        self._remember(token, float(claims["exp"]), caller)
        return caller

    async def _decode(self, token: str) -> dict[str, Any]:
        try:
            try:
                decoded = jwt.decode(token, await self._known_keys(), algorithms=[ALGORITHM])
            except InvalidKeyIdError:  # of a key that is new, or of none of ours
                decoded = jwt.decode(token, await self._newest_keys(), algorithms=[ALGORITHM])
            self._claims.validate(decoded.claims)
            return dict(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Unauthenticated("The token is not valid or has expired; sign in again.") from error

    async def _known_keys(self) -> KeySet:
        return await self._newest_keys() if self._key_set is None else self._key_set

    async def _renew_keys(self) -> None:
        try:
            await self._newest_keys()
        except Unavailable as away:
            log.warning("keys are old and cannot be renewed, keeping them", reason=away.detail)

    async def _newest_keys(self) -> KeySet:
        """The keys as asked for a moment ago at most: not each made-up id may make us ask."""
        async with self._fetching:
            if self._key_set is None or self._since(self._asked_at) > _REFRESH_AT_MOST_EVERY_S:
                self._asked_at = self._clock()
                newest = _key_set(await self._keys.fetch())
                self._fetched_at = self._clock()
                if self._key_set is None or newest.as_dict() != self._key_set.as_dict():
                    self._verified.clear()  # it may have been by a key that was withdrawn
                self._key_set = newest
            return self._key_set

    def _since(self, moment: float) -> float:
        return self._clock() - moment

    def _remember(self, token: str, expires_at: float, caller: Caller) -> None:
        # A signature once verified stays verified: checking it anew costs a quarter of a simple read.
        while len(self._verified) >= _REMEMBERED_TOKENS:
            self._verified.pop(next(iter(self._verified)))
        self._verified[token] = (expires_at, caller)


def _key_set(published: dict[str, Any]) -> KeySet:
    try:
        return KeySet.import_key_set(published)  # type: ignore[arg-type]
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Unavailable("The user service's keys cannot be read.") from error


_bearer = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="Access token of POST /api/users/login"
)


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """Dependency: the signed-in caller, whoever it is."""
    if credentials is None:
        raise Unauthenticated("Send an access token: Authorization: Bearer <token>.")
    verifier: Verifier = request.app.state.verifier
    return await verifier.verify(credentials.credentials)


async def administrator(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
    """Dependency: the signed-in caller, who is an admin."""
    if not caller.is_admin:
        raise Forbidden("This needs the role admin.")
    return caller


SignedIn = Annotated[Caller, Depends(authenticated)]
Admin = Annotated[Caller, Depends(administrator)]
