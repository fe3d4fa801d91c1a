"""The OpenAPI document of a service: every operation lists the problems it can answer with."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from chassis.idempotency import KeyReused
from chassis.paging import CursorUnknown
from chassis.problems import MEDIA_TYPE, Problem, ProblemDocument

# At a refusal: the types of those problems by which a request is refused that fits.
PROBLEMS = "x-problems"
_METHODS = {"get", "put", "post", "delete", "patch"}
_REF = "#/components/schemas/Problem"
_COMMON = {
    "500": "Something went wrong in the service.",
    "503": "Something the service needs does not answer.",
}


def named(*problems: type[Problem]) -> dict[str, Any]:
    """A part of a route's `responses`: a request that fits may be refused by these, for what the shop knows.

    Any other refusal of one that fits is a finding of fuzzing.
    """
    return {PROBLEMS: [problem.uri() for problem in problems]}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` tell of problem documents, required keys and security."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    made: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for path, item in made["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                _complete(path, operation)
    return made


def _complete(path: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "Idempotency-Key":
            parameter["required"] = True
    responses = operation.setdefault("responses", {})
    # What else is said of it is FastAPI's own, in a shape that is never sent.
    refusals = responses.pop("422", {}).get(PROBLEMS, []) + _refusals_of_parameters(operation)
    for status, description in _problems(path, operation).items():
        responses.setdefault(status, {"description": description})
    if refusals:
        responses["422"]["description"] += f" One that fits may be refused as {', '.join(refusals)}."
        responses["422"][PROBLEMS] = refusals
    for status, response in responses.items():
        if status.startswith(("4", "5")):
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": _REF}}}


def _refusals_of_parameters(operation: dict[str, Any]) -> list[str]:
    taken = {parameter["name"] for parameter in operation.get("parameters", [])}
    by_parameter: dict[str, type[Problem]] = {"Idempotency-Key": KeyReused, "cursor": CursorUnknown}
    return [problem.uri() for name, problem in by_parameter.items() if name in taken]


def _problems(path: str, operation: dict[str, Any]) -> dict[str, str]:
    parameters = operation.get("parameters", [])
    expected = dict(_COMMON)
    if operation.get("security"):
        expected["401"] = "No valid access token was sent."
        expected["403"] = "The caller may not do this."
    if "{" in path:
        expected["404"] = "There is no such thing, or it is not the caller's."
    if any(parameter["name"] == "Idempotency-Key" for parameter in parameters):
        expected["400"] = "The Idempotency-Key header is missing."
        expected["409"] = "A request with this key is under way, or the state does not allow it."
    if parameters or "requestBody" in operation:
        expected["422"] = "The request does not fit: `errors` says where."
    if "requestBody" in operation:
        expected["413"] = "The body is too large."
    return expected
