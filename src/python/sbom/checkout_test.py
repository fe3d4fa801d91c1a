from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sbom import building
from sbom.checkout import LOCK, Checkout
from sbom.errors import SbomError


def test_a_checkout_tells_its_services_and_their_versions(tmp_path: Path) -> None:
    """A name that is none is answered with those that are."""
    building.checkout(tmp_path, "order", "user")
    checkout = Checkout(tmp_path)
    assert ("order", "user") == checkout.services()
    assert "1.2.3" == checkout.version("order")
    with pytest.raises(SbomError, match="there is no service 'moon'; there are order, user"):
        checkout.version("moon")


def test_a_commit_tells_its_time_and_the_lock_of_then(tmp_path: Path) -> None:
    """Whatever the working tree has by now."""
    commit = building.checkout(tmp_path, "order")
    (tmp_path / LOCK).write_text("changed")
    checkout = Checkout(tmp_path)
    assert commit == checkout.commit()
    assert datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) == checkout.made(commit)
    assert building.LOCK == checkout.lock(commit)
    assert "changed" == checkout.lock_as_it_stands()


@pytest.mark.parametrize("commit", [None, "0" * 40, "unknown", "--output=/tmp/x", "HEAD"])
def test_a_commit_that_is_not_known_tells_nothing(commit: str | None, tmp_path: Path) -> None:
    """An image may say anything of itself; what is no hash does not reach Git."""
    building.checkout(tmp_path, "order")
    assert Checkout(tmp_path).made(commit) is None
    assert Checkout(tmp_path).lock(commit) is None


def test_where_the_repository_is_from_is_said_without_credentials(tmp_path: Path) -> None:
    """A document is handed on."""
    building.checkout(tmp_path, "order")
    assert Checkout(tmp_path).source() is None
    building.git(tmp_path, "config", "remote.origin.url", "https://me:secret@git.example.com/mercato.git")
    assert "https://git.example.com/mercato.git" == Checkout(tmp_path).source()


def test_a_folder_that_is_no_checkout_is_told(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(SbomError, match="has no services: run the command in a checkout"):
        Checkout(tmp_path).services()
    with pytest.raises(SbomError, match="build-support/lock writes it"):
        Checkout(tmp_path).lock_as_it_stands()
