"""A customer's or an admin's client of the shop: what the demo, the seeding and the load speak through."""

from __future__ import annotations

import uuid
from typing import Any

import aiohttp
import orjson


class Refused(Exception):
    """The shop answered with a problem document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        where = "".join(f"; {e.get('pointer')}: {e.get('detail')}" for e in problem.get("errors") or ())
        super().__init__(f"{status} {problem.get('title', '')}: {problem.get('detail', '')}{where}")
        self.status = status
        self.slug = str(problem.get("type", "")).rpartition("/")[2]


class Client:
    """Speaks to the shop over `session`, signed in or not."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.token = ""
        self._headers: dict[str, str] = {}

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in; everything after this is done as that user."""
        tokens = await self.request("POST", "/api/users/login", {"email": email, "password": password})
        self.token = str(tokens["access_token"])
        self._headers = {"Authorization": f"Bearer {self.token}"}

    async def get(self, path: str, **params: str) -> Any:
        """What the shop has at `path`. Raises Refused."""
        return await self.request("GET", path, params=params)

    async def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Any:
        """Write once, however often it has to be sent. Raises Refused."""
        return await self.request(
            "POST", path, body, headers={"Idempotency-Key": key or uuid.uuid4().hex, **headers}
        )

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The JSON that the shop answers, None where it answers nothing. Raises Refused for a problem."""
        sent = self._headers | (headers or {})
        data = None
        if body is not None:
            data = orjson.dumps(body)
            sent["Content-Type"] = "application/json"
        async with self._session.request(method, path, data=data, params=params, headers=sent) as response:
            content = await response.read()
        if response.status >= 400:
            raise Refused(response.status, _document(content))
        return orjson.loads(content) if content else None


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"detail": content[:200].decode(errors="replace")}
