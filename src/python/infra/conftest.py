"""The templates that `synth` wrote once for all tests: dev has no domain, staging and prod have one."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import template
from infra.template import Template

_FOLDER = Path("cdk.out")


@pytest.fixture(scope="session")
def dev() -> dict[str, Template]:
    """The templates of dev, by the names of their stacks without `mercato-dev-`."""
    return _read("dev")


@pytest.fixture(scope="session")
def staging() -> dict[str, Template]:
    """The templates of staging."""
    return _read("staging")


@pytest.fixture(scope="session")
def prod() -> dict[str, Template]:
    """The templates of prod."""
    return _read("prod")


def _read(environment: str) -> dict[str, Template]:
    found = template.read(_FOLDER / environment)
    assert found, (
        f"no templates in {_FOLDER / environment}: ./pants makes them, or ./pants synth {environment}"
    )
    prefix = f"mercato-{environment}-"
    return {name.removeprefix(prefix): made for name, made in found.items()}
