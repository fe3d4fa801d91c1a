"""The templates that `synth` wrote once for all tests: dev has no domain, staging and prod have one."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import template, testing
from infra.environment import NAMES
from infra.template import Template
from infra.testing import Deployment

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


@pytest.fixture(scope="session")
def in_dev(dev: dict[str, Template]) -> Deployment:
    """What is deployed as dev."""
    return testing.plain("dev", dev)


@pytest.fixture(scope="session")
def in_staging(staging: dict[str, Template]) -> Deployment:
    """What is deployed as staging."""
    return testing.plain("staging", staging)


@pytest.fixture(scope="session")
def in_prod(prod: dict[str, Template]) -> Deployment:
    """What is deployed as prod."""
    return testing.plain("prod", prod)


@pytest.fixture(scope="session", params=NAMES)
def anywhere(request: pytest.FixtureRequest) -> Deployment:
    """What is deployed as each of the environments: the test runs for every one."""
    deployment: Deployment = request.getfixturevalue(f"in_{request.param}")
    return deployment


@pytest.fixture(scope="session", params=["staging", "prod"])
def with_domain(request: pytest.FixtureRequest) -> Deployment:
    """What is deployed where there is a domain, and the gateway is the one way in."""
    deployment: Deployment = request.getfixturevalue(f"in_{request.param}")
    return deployment


def _read(environment: str) -> dict[str, Template]:
    found = template.read(_FOLDER / environment)
    assert found, (
        f"no templates in {_FOLDER / environment}: ./pants makes them, or ./pants synth {environment}"
    )
    prefix = f"mercato-{environment}-"
    return {name.removeprefix(prefix): made for name, made in found.items()}
