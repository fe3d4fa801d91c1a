"""Which profiles are of what is packaged now."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from contracts.services import SERVICES
from loadtests import profile, staleness, testing
from loadtests.checkout import Checkout
from loadtests.errors import LoadError

MEASURED = testing.profile().measured
OTHER = "sha256:" + "2" * 64
OF_ORDER = "measured at 2026-11-25 12:00+00:00, of commit 0123456789ab"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout with profiles of order and user, not at GitHub."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    made = Checkout(tmp_path)
    made.profiles.mkdir(parents=True)
    for service in ("order", "user"):
        profile.save(testing.profile(service), made.profiles)
    return made


def packaged(**others: str) -> staleness.Packaged:
    """What was measured is what is packaged, but of `others`."""
    return lambda _, services: {service: others.get(service, MEASURED.content) for service in services}


def said(
    capsys: pytest.CaptureFixture[str],
    checkout: Checkout,
    *services: str,
    check: bool = False,
    now: staleness.Packaged | None = None,
) -> tuple[int, Mapping[str, str]]:
    """The exit status, and what is said of each service."""
    arguments = argparse.Namespace(root=checkout.root, services=services, check=check)
    status = staleness.run(arguments, now or packaged())
    lines = [line.partition(" ") for line in capsys.readouterr().out.splitlines()]
    return status, {service: words.strip() for service, _, words in lines}


def test_each_service_is_told_of(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    """When it was measured, of what commit, and whether that is so still. It never fails."""
    status, lines = said(capsys, checkout, now=packaged(user=OTHER))
    assert (0, list(SERVICES)) == (status, list(lines))
    assert f"{OF_ORDER}; what is packaged is the same" == lines["order"]
    assert f"stale: {OF_ORDER}; something else is packaged now" == lines["user"]
    assert "is missing: ./pants load capacity --service payment measures it" == lines["payment"]


def test_a_check_fails_where_one_is_stale_or_missing(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of those that were asked for."""
    assert 0 == said(capsys, checkout, "order", "user", check=True)[0]
    assert 1 == said(capsys, checkout, "order", "user", check=True, now=packaged(user=OTHER))[0]
    assert 0 == said(capsys, checkout, "order", check=True, now=packaged(user=OTHER))[0]
    assert 1 == said(capsys, checkout, "payment", check=True)[0]
    assert 1 == said(capsys, checkout, check=True)[0]


def test_at_github_what_is_stale_is_marked_beside_its_file(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only what is stale."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    status = staleness.run(
        argparse.Namespace(root=checkout.root, services=[], check=False), packaged(user=OTHER)
    )
    marked = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]
    assert 0 == status
    (mark,) = marked
    assert (
        f"::warning file=loadtests/profiles/user.toml::user is stale: {OF_ORDER}; something else is packaged "
        "now: ./pants load capacity --service user measures it anew"
    ) == mark


def test_what_nobody_measured_is_not_looked_at(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """It takes seconds, and packages a command."""
    asked: list[Sequence[str]] = []

    def note(_: Path, services: Sequence[str]) -> Mapping[str, str]:
        asked.append(services)
        return packaged()(_, services)

    said(capsys, checkout, "payment", now=note)
    assert [] == asked
    said(capsys, checkout, now=note)
    assert [["user", "order"]] == asked


def test_a_service_that_there_is_not_is_named(checkout: Checkout) -> None:
    """With those that there are."""
    with pytest.raises(LoadError, match=r"there is no service sales: there are user, product, order"):
        staleness.standings(checkout, ["sales"], packaged())
