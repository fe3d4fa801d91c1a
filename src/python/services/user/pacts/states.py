"""The states in which the others find the user service."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.auth import Caller
from chassis.pact_provider import Provider, migrated
from chassis.problems import Unauthenticated
from contracts.events.order import Address
from services.user import store
from services.user.app import MIGRATIONS
from services.user.conftest import HOME, Users, serving
from services.user.domain import SavedAddress


@asynccontextmanager
async def provider(database_url: str) -> AsyncIterator[Provider]:
    """The service on an empty database, as its consumers find it."""
    async with migrated(MIGRATIONS, database_url) as database, serving(database) as users:
        people = _People(users)
        yield Provider(
            database,
            store.OUTBOX,
            {
                "a customer has an address": people.with_address,
                "somebody has registered": people.registered,
                "somebody has another name": people.renamed,
            },
            users.app,
        )


class _Tokens:
    """In place of the verifier: the tokens that consumers made up are somebody's."""

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}

    def give(self, token: str, user_id: uuid.UUID) -> None:
        """Let `token` be a customer's."""
        self.callers[token] = Caller(user_id, frozenset({"customer"}), token)

    async def verify(self, token: str) -> Caller:
        if token not in self.callers:
            raise Unauthenticated("The token is nobody's.")
        return self.callers[token]


class _People:
    def __init__(self, users: Users) -> None:
        self._users = users
        self._tokens = users.app.state.verifier = _Tokens()

    async def with_address(self, token: str, address_id: str) -> None:
        if token in self._tokens.callers:
            return  # more than one interaction starts here
        user_id = uuid.UUID(await self._register())
        self._tokens.give(token, user_id)
        async with self._users.database.transaction() as tx:
            await store.insert_address(
                tx, SavedAddress(uuid.UUID(address_id), user_id, Address.model_validate(HOME))
            )

    async def registered(self) -> None:
        await self._register()

    async def renamed(self) -> None:
        user_id = await self._register()
        token = f"token of {user_id}"
        self._tokens.give(token, uuid.UUID(user_id))
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self._users.client.patch(
            "/api/users/me", json={"display_name": "Countess"}, headers=headers
        )
        assert answer.is_success, answer.text

    async def _register(self) -> str:
        return await self._users.user_id(f"{uuid.uuid4().hex}@example.com")
