from __future__ import annotations

from pathlib import Path

import pytest

from gate import pacts, verification
from gate.__main__ import main
from gate.deployments import Deployments


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty environment, and nothing published."""
    monkeypatch.delenv("PACT_BROKER_BASE_URL", raising=False)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "staging.json").write_text("{}")
    return tmp_path


def contracts(folder: Path, command: str) -> int:
    return main([*command.split(), "--deployments", str(folder)])


def test_a_service_goes_where_all_it_meets_was_verified(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From nothing: published, deployed first, then the one it relies on, once that was verified."""
    assert 0 == contracts(folder, "publish --version 1")
    assert 0 == contracts(folder, "can-i-deploy --service order --version 1 --to staging")
    assert 0 == contracts(folder, "record-deployment --service order --version 1 --to staging")
    assert 1 == contracts(folder, "can-i-deploy --service user --version 1 --to staging")
    assert "order 1 with user 1: not verified yet" in capsys.readouterr().out
    assert 0 == contracts(folder, "verify --service user --version 1")
    assert "user 1 for order: 3 of 3 interactions are kept." in capsys.readouterr().out
    assert 0 == contracts(folder, "can-i-deploy --service user --version 1 --to staging")
    assert "Computer says yes" in capsys.readouterr().out


def test_a_verification_prints_what_was_found_and_no_more(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A line for each pair, and where one is broken the interaction and the reason: nothing of Pact's own."""
    contracts(folder, "publish --service order --version 1")
    (relied_on,) = (each for each in pacts.CONTRACTS if (each.consumer, each.provider) == ("product", "user"))
    broken = relied_on.document()
    broken["interactions"][0]["response"]["status"] = 201
    Deployments(folder).publish("product", "1", {"user": broken})
    capfd.readouterr()
    assert 1 == contracts(folder, "verify --service user --version 1")
    out, err = capfd.readouterr()
    assert [
        "user 1 for order: 3 of 3 interactions are kept.",
        "user 1 for product: 0 of 1 interactions are kept.",
        "  'the keys that tokens are signed with': StatusMismatch: expected 201 but was 200",
    ] == out.splitlines()
    assert "" == err


def test_what_is_not_verified_can_be_ignored(folder: Path) -> None:
    """As at the broker: whoever ignores it answers for it."""
    contracts(folder, "publish --version 1")
    contracts(folder, "record-deployment --service order --version 1 --to staging")
    assert 0 == contracts(folder, "can-i-deploy --service user --version 1 --to staging --ignore order")


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("can-i-deploy --service user --version 1 --to staging", "user 1 was not published (none was)"),
        ("record-deployment --service user --version 1 --to staging", "user 1 was not published"),
        ("can-i-deploy --service user --version ../1 --to moon", "user ../1 was not published"),
        ("verify --service user --version 1", "nobody published what they rely on of user"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(
    command: str, problem: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a status that stops a pipeline; nothing is written."""
    before = sorted(folder.rglob("*"))
    assert 1 == contracts(folder, command)
    said = capsys.readouterr().err
    assert problem in said
    assert 1 == said.count("\n")
    assert before == sorted(folder.rglob("*"))


@pytest.mark.parametrize("command", ["publish", "verify", "can-i-deploy", "record-deployment"])
def test_a_broker_that_does_not_answer_stops_every_verb(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files are no second best: they know nothing of what the broker knows."""
    monkeypatch.setenv("PACT_BROKER_BASE_URL", "http://127.0.0.1:9")
    where = " --to staging" if command in ("can-i-deploy", "record-deployment") else ""
    assert 1 == contracts(folder, f"{command} --service user --version 1{where}")
    assert "the broker at http://127.0.0.1:9 does not answer" in capsys.readouterr().err


def test_a_service_that_nobody_relies_on_is_verified_by_doing_nothing(folder: Path) -> None:
    """Notifications are read by people."""
    assert 0 == contracts(folder, "verify --service notification --version 1")


def test_every_provider_can_be_verified() -> None:
    """Whoever is relied on has states to be found in."""
    assert set(verification.PROVIDERS) == {each.provider for each in pacts.CONTRACTS}
