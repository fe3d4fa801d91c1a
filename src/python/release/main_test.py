from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

import gate.__main__ as gate
from contracts.services import SERVICES as SERVICES_OF_THE_SHOP
from release.__main__ import main
from release.building import SERVICES, Shop

# As much of the launcher as is asked for: the gate itself, in a process of its own.
PANTS = f"""\
#!/bin/sh
shift
PYTHONPATH='{os.pathsep.join(filter(None, sys.path))}' exec '{sys.executable}' -m {gate.__name__} "$@"
"""
ENVIRONMENTS = "src/python/contracts/deployments/environments"


@pytest.fixture
def changed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A checkout in which order has been mended since its release."""
    monkeypatch.delenv("PACT_BROKER_BASE_URL", raising=False)
    monkeypatch.setenv("MERCATO_ROOT", str(shop.root))
    shop.edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")
    shop.write(f"{ENVIRONMENTS}/staging.json", "{}\n")
    shop.write("pants", PANTS)
    (shop.root / "pants").chmod(0o755)
    shop.commit("fix(order): it is mended")
    return shop


@pytest.fixture
def graph(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file in which the graph is."""
    file = tmp_path_factory.mktemp("graph") / "peek.json"
    file.write_text(json.dumps(shop.targets))
    return str(file)


def test_a_plan_has_a_paragraph_for_each_thing(
    changed: Shop, graph: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """It writes nothing."""
    before = changed.state()
    assert 0 == main(["plan", "order", "user", "--graph", graph])
    assert [
        "order 1.0.0 -> 1.0.1 (patch)",
        "  changed: src/python/services/order/app.py",
        "user 1.0.0: nothing to release",
    ] == capfd.readouterr().out.splitlines()
    assert before == changed.state()


def test_a_plan_tells_what_a_larger_bump_comes_to(
    changed: Shop, graph: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Beside what is needed."""
    assert 0 == main(["plan", "order", "--bump", "order=major", "--graph", graph])
    assert "  as asked: 2.0.0 (major)" == capfd.readouterr().out.splitlines()[-1]


def test_a_release_is_applied_where_the_registry_is_as_the_code_is(
    changed: Shop, graph: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the gate's own words, and then ours."""
    assert 0 == main(["apply", "order", "--graph", graph])
    said = capfd.readouterr().out
    assert "documents are published as the code has them, and break nobody." in said
    assert "chore(release): order 1.0.1: committed and tagged." in said
    assert "1.0.1\n" == changed.read(f"{SERVICES}/order/VERSION")


def test_a_registry_that_is_stale_is_not_released(
    changed: Shop, graph: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The gate says what to do, and nothing is written."""
    changed.edit_document("openapi/order.json", lambda document: document["info"].update(title="Other"))
    changed.commit("docs: a title")
    before = changed.state()
    assert 1 == main(["apply", "order", "--graph", graph])
    said = capfd.readouterr().err
    assert "order: is not published as the code has it" in said
    assert "./pants contracts write" in said
    assert before == changed.state()


def test_what_may_not_go_into_an_environment_is_not_released_for_it(
    changed: Shop, graph: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The gate's words and its status are passed on."""
    before = changed.state()
    assert 1 == main(["apply", "order", "--to", "staging", "--graph", graph])
    assert "order 1.0.1 was not published (none was)" in capfd.readouterr().err
    assert before == changed.state()
    folder = str(changed.root / "src/python/contracts/deployments")
    assert 0 == gate.main(["publish", "--service", "order", "--version", "1.0.1", "--deployments", folder])
    changed.commit("chore: order 1.0.1 is published")
    assert 0 == main(["apply", "order", "--to", "staging", "--graph", graph])
    assert "Computer says yes: order 1.0.1" in capfd.readouterr().out


def test_a_check_is_the_gates_of_the_version_that_stands(
    changed: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    """With its status; what meets nobody is not asked for."""
    assert 1 == main(["check", "order", "--to", "staging"])
    assert "order 1.0.0 was not published" in capfd.readouterr().err
    assert 1 == main(["check", "infra", "--to", "staging"])
    assert "infra meets nobody in an environment" in capfd.readouterr().err


def test_content_is_a_line_with_a_hash_for_each_service(
    changed: Shop, graph: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of all, or of those that are named, in that order; it writes nothing."""
    before = changed.state()
    assert 0 == main(["content", "--graph", graph])
    said = dict(line.split() for line in capfd.readouterr().out.splitlines())
    assert sorted(SERVICES_OF_THE_SHOP) == list(said)
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in said.values())
    assert 0 == main(["content", "user", "order", "--graph", graph])
    assert f"user {said['user']}\norder {said['order']}\n" == capfd.readouterr().out
    assert before == changed.state()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("plan moon", "nothing called 'moon' is released"),
        ("apply moon", "nothing called 'moon' is released"),
        ("apply --bump order=tiny", "NAME=patch, minor or major"),
        ("content infra", "infra is not packaged as an image: only services are"),
        ("plan --graph nowhere.json", "nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(
    arguments: str, problem: str, changed: Shop, graph: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """With a status that stops a pipeline."""
    given = arguments.split()
    assert 1 == main([given[0], "--graph", graph, *given[1:]])
    said = capfd.readouterr().err
    assert problem in said
    assert 1 == said.count("\n")


def test_the_help_names_what_can_be_released(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody has to look it up."""
    with pytest.raises(SystemExit):
        main(["apply", "--help"])
    assert "contracts, infra" in " ".join(capfd.readouterr().out.split())


def test_without_a_root_it_is_the_folder_where_the_command_is_run(
    changed: Shop, graph: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the other commands have it."""
    monkeypatch.delenv("MERCATO_ROOT")
    monkeypatch.chdir(changed.root)
    assert 0 == main(["plan", "--graph", graph])
