"""How the services are run from their images."""

from __future__ import annotations

from pathlib import Path

import pytest

from backing.process import ProcessError
from devstack import images


def test_no_value_of_the_environment_is_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody on the machine can read those."""
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_secret")
    argv = images.run("payment", "c", {"DATABASE_URL": "postgresql://u:password@h/d"}, "serve")
    assert not [each for each in argv if "password" in each or "sk_test_secret" in each]
    assert {"--env=DATABASE_URL", "--env=STRIPE_API_KEY"} <= set(argv)


def test_a_container_finds_nothing_that_its_service_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else is in the environment of this process is no business of it."""
    monkeypatch.setenv("SOMEBODYS_TOKEN", "x")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_secret")
    argv = images.run("order", "c", {"PORT": "1"}, "serve")
    assert "--env=SOMEBODYS_TOKEN" not in argv
    assert "--env=STRIPE_API_KEY" not in argv


def test_the_command_of_a_service_comes_after_its_image() -> None:
    """So that the service reads it, and not Docker."""
    argv = images.run("user", "c", {}, "create-admin", "--email", "a@example.com")
    assert ["create-admin", "--email", "a@example.com"] == list(argv[-3:])
    assert images.image_of("user") == argv[-4]


def test_where_no_engine_is_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that a program was not found somewhere."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProcessError, match="no Docker Engine"):
        images.ensure_built(["user"])


def test_an_image_that_is_not_built_is_named_with_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Docker says it, and then what to type."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'Error: No such image' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ProcessError, match=r"mercato/user:.*\./pants package src/python/services::"):
        images.ensure_built(["user"])
