from __future__ import annotations

import json
import shlex

import pytest

from release.__main__ import main
from release.building import SERVICES, Docker, Shop

NAMES = ("notification", "order", "payment", "product", "user")
# It notes what it is asked for, and refuses what REFUSES says.
PANTS = """\
#!/bin/sh
echo "$*" >>"$CALLS"
case " $* " in *" ${REFUSES:-nothing} "*) exit 1 ;; esac
"""


@pytest.fixture
def released(shop: Shop, docker: Docker, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A checkout of which all is released, with a Pants and an npx that only note what they are asked for."""
    monkeypatch.setenv("MERCATO_ROOT", str(shop.root))
    monkeypatch.setenv("MERCATO_REGISTRY", "registry.example")
    shop.write("pants", PANTS)
    (shop.root / "pants").chmod(0o755)
    shop.write(".gitignore", "graph.json\n")
    shop.commit("build: a launcher")
    shop.write("graph.json", json.dumps(shop.targets))
    docker.revision = shop.git("rev-parse", "HEAD").strip()
    docker.program("npx")
    return shop


def release(shop: Shop, *arguments: str) -> int:
    return main([*arguments, "--graph", str(shop.root / "graph.json")])


def changed(docker: Docker) -> list[str]:
    """The calls that change something somewhere."""
    return [call for call in docker.calls() if not call.startswith(("manifest", "image"))]


def test_what_was_released_is_built_and_pushed(
    released: Shop, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the version that stands, and told with its digest."""
    assert 0 == release(released, "publish", "order")
    assert [
        "package src/python/services/order:image",
        "tag mercato/order:1.0.0 registry.example/mercato/order:1.0.0",
        "push --quiet registry.example/mercato/order:1.0.0",
    ] == changed(docker)
    said = capfd.readouterr().out
    assert f"order 1.0.0 is published: registry.example/mercato/order:1.0.0@sha256:{'0' * 63}1\n" in said


def test_without_names_all_are_that_are_not_there_yet(
    released: Shop, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """So that it can be done for each commit, and done again after it was interrupted."""
    assert 0 == release(released, "publish", "order")
    docker.forget()
    assert 0 == release(released, "publish")
    pushed = [call.split("/")[-1] for call in changed(docker) if call.startswith("push")]
    assert [f"{name}:1.0.0" for name in NAMES if name != "order"] == pushed
    assert "order 1.0.0 was published before: " in capfd.readouterr().out


def test_a_version_that_is_there_is_not_published_again(
    released: Shop, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where it is asked for by its name; and nothing else is pushed then."""
    assert 0 == release(released, "publish", "order")
    docker.forget()
    assert 1 == release(released, "publish", "user", "order")
    assert [] == changed(docker)
    assert "there is registry.example/mercato/order:1.0.0 already\n" in capfd.readouterr().err


def test_a_dirty_tree_is_not_published(
    released: Shop, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """An image says of which commit it is."""
    released.write("new.txt", "x\n")
    assert 1 == release(released, "publish", "order")
    assert [] == changed(docker)
    assert "an image is of a commit" in capfd.readouterr().err


def test_what_has_changed_since_its_release_is_not_published(
    released: Shop, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its version is that of something else. Named, it is refused; else it is left out, and that is said."""
    released.edit(f"{SERVICES}/order/app.py", "NAME", "CALLED")
    released.commit("fix(order): it is mended")
    docker.revision = released.git("rev-parse", "HEAD").strip()
    assert 1 == release(released, "publish", "order")
    why = "order has changed since order 1.0.0: ./pants release apply order\n"
    assert why == capfd.readouterr().err
    assert 0 == release(released, "publish")
    assert why in capfd.readouterr().out
    assert [] == [call for call in changed(docker) if "order" in call]


def test_what_was_never_released_is_not_published(
    unreleased: Shop, docker: Docker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A version in a file is no release."""
    monkeypatch.setenv("MERCATO_ROOT", str(unreleased.root))
    unreleased.write("graph.json", json.dumps(unreleased.targets))
    assert 1 == release(unreleased, "publish", "order")
    assert "order was never released: ./pants release apply order\n" == capfd.readouterr().err
    assert 1 == release(unreleased, "publish", "infra")
    assert "infra has no image: only services have\n" == capfd.readouterr().err


def test_an_image_of_another_commit_is_not_pushed(
    released: Shop, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """One that somebody built before, and that has the same name."""
    docker.revision = "0" * 40
    assert 1 == release(released, "publish", "order")
    assert [] == [call for call in changed(docker) if call.startswith("push")]
    assert f"says that it is of {'0' * 40}" in capfd.readouterr().err


def test_an_image_that_cannot_be_built_is_not_pushed(
    released: Shop, docker: Docker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Pants has said why."""
    monkeypatch.setenv("REFUSES", "package")
    assert 1 == release(released, "publish", "order")
    assert ["package src/python/services/order:image"] == changed(docker)
    assert "the image of order cannot be built" in capfd.readouterr().err


def test_a_dry_run_of_a_publication_does_nothing(
    released: Shop, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """It says where what would go; no Docker is needed to know."""
    assert 0 == release(released, "publish", "order", "--dry-run")
    assert [] == docker.calls()
    assert "order 1.0.0 would go to registry.example/mercato/order:1.0.0" in capfd.readouterr().out


def test_a_service_is_asked_about_then_deployed_then_recorded(released: Shop, docker: Docker) -> None:
    """By the digest of the very image, alone, and with what was given for the environment."""
    assert 0 == release(released, "publish", "order")
    docker.forget()
    assert 0 == release(released, "deploy", "order", "--to", "staging", "-c", "domain_name=shop.example")
    which = "--service order --version 1.0.0 --to staging"
    assert [
        f"contracts can-i-deploy {which}",
        (
            "npx cdk deploy --exclusively --require-approval never mercato-staging-order "
            f"-c environment=staging -c order_image=sha256:{'0' * 63}1 -c domain_name=shop.example"
        ),
        f"contracts record-deployment {which}",
    ] == changed(docker)


@pytest.mark.parametrize(("refuses", "steps"), [("can-i-deploy", 1), ("cdk", 2), ("record-deployment", 3)])
def test_a_step_that_fails_is_the_last_of_its_service_and_of_no_other(
    released: Shop,
    docker: Docker,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    refuses: str,
    steps: int,
) -> None:
    """What may not go is not deployed, what was not deployed is not recorded; the status says so."""
    assert 0 == release(released, "publish", "order", "user")
    docker.forget()
    monkeypatch.setenv("REFUSES", refuses)
    assert 1 == release(released, "deploy", "order", "user", "--to", "staging")
    calls = changed(docker)
    assert [steps, steps] == [len([each for each in calls if name in each]) for name in ("order", "user")]
    assert "order was not deployed, or not recorded" in capfd.readouterr().err


def test_what_is_not_published_is_not_deployed(
    released: Shop, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither it nor what was asked for beside it."""
    assert 0 == release(released, "publish", "user")
    docker.forget()
    assert 1 == release(released, "deploy", "order", "user", "--to", "staging")
    assert [] == changed(docker)
    assert "not published: registry.example/mercato/order:1.0.0; " in capfd.readouterr().err


def test_a_dry_run_of_a_deployment_says_the_commands(
    released: Shop, docker: Docker, capfd: pytest.CaptureFixture[str]
) -> None:
    """Which can be typed, one after another, and calls none of them."""
    assert 0 == release(released, "publish", "order")
    docker.forget()
    capfd.readouterr()
    assert 0 == release(released, "deploy", "order", "--to", "staging", "--dry-run")
    assert [] == changed(docker)
    said = [shlex.split(line) for line in capfd.readouterr().out.splitlines()]
    assert [
        ["./pants", "contracts", "can-i-deploy"],
        ["npx", "cdk", "deploy"],
        ["./pants", "contracts", "record-deployment"],
    ] == [words[:3] for words in said]


def test_no_registry_is_one_sentence(
    released: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of either command."""
    monkeypatch.delenv("MERCATO_REGISTRY")
    for command in (("publish",), ("deploy", "--to", "staging")):
        assert 1 == release(released, *command)
        assert capfd.readouterr().err.startswith("MERCATO_REGISTRY is not set: ")
