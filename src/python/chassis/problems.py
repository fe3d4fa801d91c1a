"""Errors as RFC 9457 problem documents: the one way in which a service says no.

    Problem
    ├── BadRequest 400          ├── NotFound 404       ├── TooLarge 413
    ├── Unauthenticated 401     ├── Conflict 409       ├── Invalid 422
    ├── Forbidden 403           ├── Gone 410           └── Unavailable 503

A service derives its own from these and names them: `class OutOfStock(Conflict): slug = "out-of-stock"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticSerializationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from chassis import logs, telemetry
from chassis.database import DatabaseUnavailable, is_busy, is_unavailable, sqlstate

log = logs.get(__name__)

MEDIA_TYPE = "application/problem+json"

_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class ProblemDetail(BaseModel):
    """One thing that is wrong with the request, and where (a JSON pointer or a parameter's name)."""

    pointer: str
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(title="Problem", extra="allow")

    type: str = Field(examples=["/problems/not-found"])
    title: str
    status: int
    detail: str = Field(description="What is wrong, and what to change.")
    instance: str
    trace_id: str | None = None
    errors: list[ProblemDetail] | None = None


class Problem(Exception):
    """An answer that says no. `detail` is for the one who sent the request: what is wrong, what to change."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    @classmethod
    def uri(cls) -> str:
        """Its `type` in a problem document."""
        return f"/problems/{cls.slug}"

    def document(self, instance: str) -> dict[str, Any]:
        """The problem document of this error for the request path `instance`."""
        return {
            "type": self.uri(),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "trace_id": telemetry.trace_id(),
            **self.members,
        }


class BadRequest(Problem):
    status, slug, title = 400, "bad-request", "Bad request"


class Unauthenticated(Problem):
    status, slug, title = 401, "unauthenticated", "Not signed in"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Problem):
    status, slug, title = 403, "forbidden", "Not allowed"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "Not found"


class Conflict(Problem):
    status, slug, title = 409, "conflict", "Conflict"


class Gone(Problem):
    status, slug, title = 410, "gone", "Gone"


class TooLarge(Problem):
    status, slug, title = 413, "too-large", "Body too large"


class Invalid(Problem):
    status, slug, title = 422, "invalid", "Invalid request"


class Unavailable(Problem):
    """Something this service needs does not answer now."""

    status, slug, title = 503, "unavailable", "Unavailable"

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


def response(request: Request, problem: Problem) -> Response:
    """`problem` as a response to `request`."""
    return Response(body(request, problem), problem.status, problem.headers, MEDIA_TYPE)


def body(request: Request, problem: Problem) -> bytes:
    """`problem`, as an answer to `request`, in JSON; whatever the request held, it can be written."""
    document = problem.document(request.url.path)
    try:
        return orjson.dumps(document, default=str)
    except TypeError:  # such as a lone surrogate or a number beyond 64 bits
        return json.dumps(document, default=str).encode()


def install(app: FastAPI) -> None:
    """Make every 4xx and 5xx of `app` a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(DBAPIError, _on_database_error)
    app.add_exception_handler(PoolTimeoutError, _on_database_error)
    app.add_exception_handler(DatabaseUnavailable, _on_database_error)
    app.add_exception_handler(TimeoutError, _on_database_error)
    app.add_exception_handler(UnicodeEncodeError, _on_text_that_is_none)
    app.add_exception_handler(PydanticSerializationError, _on_text_that_is_none)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    if error.status >= 500:
        log.error("answered with an error", status=error.status, path=request.url.path, detail=error.detail)
    return response(request, error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    if status == HTTPStatus.NOT_FOUND:
        return response(request, NotFound(f"There is nothing at {request.url.path}."))
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return response(request, _method_not_allowed(request))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return response(request, TooLarge(str(error.detail)))
    if status == HTTPStatus.BAD_REQUEST:
        # FastAPI's answer to a body that is not UTF-8; every other unreadable body is a 422 there.
        return response(request, Invalid("The body cannot be read: send JSON in UTF-8."))
    slug = re.sub(r"[^a-z]+", "-", status.phrase.lower())
    other = type("HttpProblem", (Problem,), {"status": int(status), "slug": slug, "title": status.phrase})
    return response(request, other(str(error.detail), headers=error.headers))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [{"pointer": _pointer(item["loc"]), "detail": _reason(item)} for item in error.errors()[:20]]
    first = errors[0]
    return response(request, Invalid(f"{first['pointer']}: {first['detail']}", errors=errors))


async def _on_database_error(request: Request, error: Exception) -> Response:
    if is_unavailable(error):
        log.error("the database does not answer", path=request.url.path, error=type(error).__name__)
        return response(request, Unavailable("The database does not answer now; try again shortly."))
    if is_busy(error):
        log.warning("a statement made way for others", path=request.url.path, error=str(error))
        return response(request, Unavailable("Others are changing the same thing; try again shortly."))
    # 22: data exception, such as a NUL in a string or a number beyond its column.
    if isinstance(error, DBAPIError) and (
        (sqlstate(error) or "").startswith("22") or _refused_by_driver(error)
    ):
        return response(request, Invalid("A value cannot be stored: it holds a NUL or is out of range."))
    return await _on_unexpected(request, error)


async def _on_text_that_is_none(request: Request, error: Exception) -> Response:
    # JSON can name half a character (RFC 8259, section 8.2), and pydantic's lax strings let it in.
    if "surrogates not allowed" in str(error):
        return response(request, Invalid("A text cannot be read: it holds half of a surrogate pair."))
    return await _on_unexpected(request, error)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    log.error("a request failed", method=request.method, path=request.url.path, exc_info=error)
    return response(request, Problem("Something went wrong here. It was logged under this trace id."))


def _refused_by_driver(error: DBAPIError) -> bool:
    return "DataError" in {
        type(cause).__name__ for cause in (error.orig, getattr(error.orig, "__cause__", None))
    }


def _method_not_allowed(request: Request) -> Problem:
    """405 with the methods of every route at this path (RFC 9110, 15.5.6), not only of the first."""
    allowed = sorted(_allowed_methods(request))
    problem = type(
        "MethodNotAllowed",
        (Problem,),
        {"status": 405, "slug": "method-not-allowed", "title": "Method not allowed"},
    )
    made: Problem = problem(
        f"{request.method} is not possible here; use {', '.join(allowed)}.",
        headers={"Allow": ", ".join(allowed)},
    )
    return made


def _allowed_methods(request: Request) -> set[str]:
    return {
        method
        for method in _METHODS
        for route in request.app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }


def _pointer(location: tuple[int | str, ...]) -> str:
    where, *path = location
    if where == "body" and path and isinstance(path[0], int):
        return "/"  # not JSON at all: what is given is an offset, not a place in a document
    if where == "body":
        # RFC 6901, section 3
        return "/" + "/".join(_printable(str(each)).replace("~", "~0").replace("/", "~1") for each in path)
    return _printable(str(path[0] if path else where))


def _reason(item: Mapping[str, Any]) -> str:
    if item["type"] == "json_invalid":
        return f"this is not JSON: {item['ctx']['error']}."
    return _printable(item["msg"]).removeprefix("Value error, ") + "."


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
