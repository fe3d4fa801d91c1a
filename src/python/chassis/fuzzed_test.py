from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Query

from chassis.fuzzed import fuzzed
from chassis.fuzzing import NOBODY
from chassis.openapi import named
from chassis.problems import Invalid
from chassis.service import Running, create_app
from chassis.testing import running


class Odd(Invalid):
    slug, title = "odd", "Odd"


@pytest.mark.parametrize(
    ("responses", "found"),
    [({422: named(Odd)}, []), ({}, ["Schema-valid request rejected: GET /api/numbers"])],
    ids=["explained", "unexplained"],
)
async def test_a_refusal_of_what_fits_is_found_unless_the_document_has_it(
    responses: dict[int | str, dict[str, Any]], found: list[str], tmp_path: Path
) -> None:
    """At that operation: a name of its own alone does not excuse it."""
    router = APIRouter(prefix="/api/numbers")

    @router.get("", responses=responses, operation_id="halve")
    async def halve(number: Annotated[int, Query(ge=0, le=9)]) -> int:
        """Half of it."""
        if number % 2:
            raise Odd("number: it has no half.")
        return number // 2

    async def compose(_: AsyncExitStack) -> Running:
        return Running(state={})

    app = create_app("number", "1", [router], compose)
    async with running(app):
        verdict = await fuzzed(app, NOBODY, tmp_path)
    assert found == list(verdict.failures), verdict.output
