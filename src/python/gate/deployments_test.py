from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gate.deployments import Deployments, Pair
from gate.registry import RegistryError


def pact(consumer: str, provider: str, says: str = "x") -> dict[str, Any]:
    return {"consumer": {"name": consumer}, "provider": {"name": provider}, "interactions": [says]}


@pytest.fixture
def deployments(tmp_path: Path) -> Deployments:
    """Order and payment rely on each other, and have been published; staging is empty."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "staging.json").write_text("{}")
    found = Deployments(tmp_path)
    found.publish("order", "1", {"payment": pact("order", "payment")})
    found.publish("payment", "1", {"order": pact("payment", "order")})
    return found


def verify(deployments: Deployments, provider: str, version: str, *problems: str) -> None:
    for each in deployments.pacts_of(provider):
        deployments.record_verification(provider, version, each, problems)


def test_the_first_service_may_go_into_an_empty_environment(deployments: Deployments) -> None:
    """There is nobody whom it could break, and nobody who could break it."""
    assert deployments.pairs("order", "1", "staging") == []


def test_who_would_meet_must_be_verified(deployments: Deployments) -> None:
    """In both directions; the answer names what to do."""
    deployments.record_deployment("order", "1", "staging")
    pairs = deployments.pairs("payment", "1", "staging")
    assert [(each.consumer, each.provider) for each in pairs] == [("payment", "order"), ("order", "payment")]
    assert all("not verified yet: ./pants contracts verify --service" in each.problem for each in pairs)


def test_a_verified_version_may_go(deployments: Deployments) -> None:
    """Once both sides were verified at the versions that would meet."""
    deployments.record_deployment("order", "1", "staging")
    verify(deployments, "order", "1")
    verify(deployments, "payment", "1")
    assert deployments.pairs("payment", "1", "staging") == [
        Pair("payment", "1", "order", "1"),
        Pair("order", "1", "payment", "1"),
    ]


def test_what_a_provider_does_not_keep_is_named(deployments: Deployments) -> None:
    """The pair and the interaction, as the verification found them."""
    deployments.record_deployment("order", "1", "staging")
    verify(deployments, "order", "1")
    verify(deployments, "payment", "2", "'mercato.PAYMENT_FAILED.v1': $.data: code is missing")
    deployments.publish("payment", "2", {"order": pact("payment", "order")})
    assert [str(each) for each in deployments.pairs("payment", "2", "staging") if each.problem] == [
        "order 1 with payment 2: 'mercato.PAYMENT_FAILED.v1': $.data: code is missing"
    ]


def test_what_is_deployed_counts_and_not_what_is_newest(deployments: Deployments) -> None:
    """A provider that keeps the newest contract of a consumer may still break the one that runs."""
    deployments.record_deployment("order", "1", "staging")
    deployments.publish("order", "2", {"payment": pact("order", "payment", "other")})
    old, new = deployments.pacts_of("payment")
    deployments.record_verification("payment", "1", old, ["it is gone"])
    deployments.record_verification("payment", "1", new, [])
    verify(deployments, "order", "1")
    problems = [each.problem for each in deployments.pairs("payment", "1", "staging")]
    assert problems == ["", "it is gone"]
    deployments.record_deployment("order", "2", "staging")
    verify(deployments, "order", "2")
    assert [each.problem for each in deployments.pairs("payment", "1", "staging")] == ["", ""]


def test_a_provider_is_verified_against_what_is_newest_and_what_is_deployed(deployments: Deployments) -> None:
    """What neither is, nobody meets."""
    for version in ("2", "3", "4"):
        deployments.publish("order", version, {"payment": pact("order", "payment", version)})
    deployments.record_deployment("order", "2", "staging")
    assert [each["interactions"] for each in deployments.pacts_of("payment")] == [["2"], ["4"]]


def test_the_last_result_of_a_verification_counts(deployments: Deployments) -> None:
    """A provider that was mended under the same version keeps its contract."""
    deployments.record_deployment("order", "1", "staging")
    verify(deployments, "order", "1")
    verify(deployments, "payment", "1", "broken")
    verify(deployments, "payment", "1")
    assert not any(each.problem for each in deployments.pairs("payment", "1", "staging"))


def test_a_version_is_published_once(deployments: Deployments) -> None:
    """Again as it was is no harm; with other pacts it needs another version."""
    deployments.publish("order", "1", {"payment": pact("order", "payment")})
    with pytest.raises(RegistryError, match="order 1 was published with other pacts: give it a new version"):
        deployments.publish("order", "1", {"payment": pact("order", "payment", "other")})


@pytest.mark.parametrize(
    ("version", "environment", "problem"),
    [
        ("9", "staging", r"order 9 was not published \(1 was\)"),
        ("1", "moon", "there is no environment moon; there is staging"),
        ("1", "../staging", "there is no environment"),
    ],
)
def test_what_is_not_known_is_named(
    version: str, environment: str, problem: str, deployments: Deployments, tmp_path: Path
) -> None:
    """And nothing is written."""
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    with pytest.raises(RegistryError, match=problem):
        deployments.pairs("order", version, environment)
    with pytest.raises(RegistryError, match=problem):
        deployments.record_deployment("order", version, environment)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.json")}


@pytest.mark.parametrize("name", ["../order", "", "a b", "/etc/passwd", ".hidden"])
def test_a_name_that_is_no_name_is_refused(name: str, deployments: Deployments) -> None:
    """It would become the name of a file."""
    with pytest.raises(RegistryError, match="no name of a service"):
        deployments.publish(name, "1", {})
    with pytest.raises(RegistryError, match="no name of a service"):
        deployments.publish("order", name, {})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"versions": 1}', '{"other": []}', "\x00"])
@pytest.mark.parametrize("kind", ["versions", "verifications", "environments", "pacts"])
def test_a_file_that_is_none_is_named(
    kind: str, content: str, deployments: Deployments, tmp_path: Path
) -> None:
    """With what to do; no answer is made up."""
    verify(deployments, "payment", "1")
    deployments.record_deployment("order", "1", "staging")
    for path in (tmp_path / kind).iterdir():
        path.write_text(content)
    ask = deployments.pacts_of if kind == "pacts" else lambda each: deployments.pairs(each, "1", "staging")
    with pytest.raises(
        RegistryError, match=r"(cannot be (used|read): .*|holds no document); restore it from version control"
    ):
        ask("payment")
