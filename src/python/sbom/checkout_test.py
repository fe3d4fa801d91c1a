from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sbom import building
from sbom.checkout import LOCK, Checkout, address
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


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("https://git.example.com/mercato.git", "https://git.example.com/mercato.git"),
        ("https://token@git.example.com/mercato.git", "https://git.example.com/mercato.git"),
        ("git@git.example.com:shop/mercato.git", "ssh://git.example.com/shop/mercato.git"),
        ("ssh://git@git.example.com:22/mercato.git", "ssh://git.example.com:22/mercato.git"),
        ("/srv/git/mercato.git", None),
        ("../mercato", None),
        ("https://git.example.com/a b", None),
        ("https://git.example.com/\x1b[31m", None),
        ("", None),
    ],
)
def test_where_a_repository_is_is_a_url(remote: str, expected: str | None) -> None:
    """As it stands in a document: a folder of this machine is nowhere for others."""
    assert expected == address(remote)


def test_a_folder_that_is_no_checkout_is_told(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(SbomError, match="has no services: run the command in a checkout"):
        Checkout(tmp_path).services()
    with pytest.raises(SbomError, match="build-support/lock writes it"):
        Checkout(tmp_path).lock_as_it_stands()
