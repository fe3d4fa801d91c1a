"""The fixtures of tests that release something."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from release import building
from release.building import Docker, Shop


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """One for all tests: to copy it takes less than to make it."""
    return building.shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def unreleased(_made: Shop, tmp_path: Path) -> Shop:
    """A shop of which nothing was released."""
    return Shop(shutil.copytree(_made.root, tmp_path, dirs_exist_ok=True))


@pytest.fixture
def shop(unreleased: Shop) -> Shop:
    """A shop of which everything was released as 1.0.0."""
    unreleased.tag()
    return unreleased


@pytest.fixture
def docker(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """A Docker that is not the real one, first in PATH."""
    made = Docker(tmp_path_factory.mktemp("docker") / "of")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made
