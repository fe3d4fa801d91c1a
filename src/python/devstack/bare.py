"""What a simple authenticated read costs without the chassis: FastAPI and asyncpg, and nothing else.

Run as `python -m devstack.bare` with DATABASE_URL (of the user service), PORT, TOKEN and USER_ID in the
environment. It takes the one token for granted, which is less than any service may do: a bound from below.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from backing.ports import LOOPBACK

_QUERY = "SELECT id, email, display_name, roles, registered_at FROM users WHERE id = $1"


class UserView(BaseModel):
    """What GET /api/users/me answers."""

    id: uuid.UUID
    email: str
    display_name: str
    roles: list[str]
    registered_at: str


async def caller(
    request: Request, sent: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> uuid.UUID:
    """Dependency: the one who may read."""
    if sent.credentials != request.app.state.token:
        raise HTTPException(401)
    user_id: uuid.UUID = request.app.state.user_id
    return user_id


async def me(request: Request, identity: Annotated[uuid.UUID, Depends(caller)]) -> UserView:
    """The caller's own account."""
    row = await request.app.state.pool.fetchrow(_QUERY, identity)
    return UserView(**{**row, "registered_at": row["registered_at"].isoformat()})


def build(database_url: str, token: str, user_id: uuid.UUID) -> FastAPI:
    """The application; `token` speaks for `user_id`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(database_url, min_size=2, max_size=12) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)
    app.state.token, app.state.user_id = token, user_id
    app.add_api_route("/api/users/me", me)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    env = os.environ
    app = build(env["DATABASE_URL"], env["TOKEN"], uuid.UUID(env["USER_ID"]))
    uvicorn.run(app, host=LOOPBACK, port=int(env["PORT"]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
