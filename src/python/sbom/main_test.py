from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sbom import __main__ as command
from sbom import building, page
from sbom.advisory import Advisory, Asked
from sbom.errors import NotChecked

LEAK = Advisory("GHSA-1", frozenset(), "It leaks", ("1.1",))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with order and user, on a machine without Docker."""
    building.checkout(tmp_path, "order", "user")
    building.pants(tmp_path)
    for service in ("order", "user"):
        building.libraries(tmp_path / "packaged", service)
    monkeypatch.setenv("MERCATO_ROOT", str(tmp_path))
    monkeypatch.setattr("sbom.image.find", lambda reference: None)
    monkeypatch.delenv("OSV_URL", raising=False)
    return tmp_path


def test_without_an_engine_a_document_is_made_of_the_libraries(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says so, as the terminal does."""
    assert 0 == command.main(["write"])
    said = capsys.readouterr().out
    assert 2 == said.count("no Docker Engine has the image, so its base is NOT listed")
    assert "order 1.2.3, commit " in said
    assert ["order.cdx.json", "user.cdx.json"] == sorted(path.name for path in (root / "dist/sbom").iterdir())
    document = json.loads((root / "dist/sbom/order.cdx.json").read_text("utf-8"))
    assert ["incomplete"] == [each["aggregate"] for each in document["compositions"]]


def test_a_document_of_the_same_commit_is_the_same(root: Path) -> None:
    """To the byte."""
    path = root / "dist/sbom/order.cdx.json"
    assert 0 == command.main(["write", "order"])
    first = path.read_bytes()
    assert 0 == command.main(["write", "order"])
    assert first == path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("write moon", "there is no service 'moon'; there are order, user"),
        ("write --image x", "--image is of one service"),
        ("write order --image x", "no Docker Engine here has the image x"),
        ("audit --document nowhere.json", "nowhere.json cannot be read"),
        ("audit order --source http://osv.example.com", "has to be one of https"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: str, problem: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a status of its own, and nothing written that was not whole."""
    assert 2 == command.main(arguments.split())
    said = capsys.readouterr().err
    assert problem in said
    assert 1 == said.count("\n")


def test_the_page_is_written_and_then_found_as_it_is(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --check nothing is written, and a stale page fails."""
    (root / "docs").mkdir()
    assert 1 == command.main(["licences", "--check"])
    assert "docs/licences.md is stale: ./pants sbom licences writes it anew" in capsys.readouterr().out
    assert not (root / page.PAGE).exists()
    assert 0 == command.main(["licences"])
    assert 0 == command.main(["licences", "--check"])
    assert "is of what the services ship" in capsys.readouterr().out


def test_a_licence_that_may_not_be_in_an_image_fails_and_is_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the service that ships it, and what to do."""
    (root / "docs").mkdir()
    building.libraries(root / "packaged", "user", "AGPL-3.0-only")
    assert 1 == command.main(["licences"])
    said = capsys.readouterr().err
    assert "is-agpl 1.0, of user, is under a licence that is not allowed in an image: AGPL-3.0-only." in said
    assert "src/python/sbom/licences.toml" in said
    assert 1 == said.count("\n")


class Knows:
    """A source that knows one vulnerability of what is asked for, or does not answer."""

    def __init__(self, of: str | None) -> None:
        self._of = of

    def __call__(self, _: str) -> Knows:
        return self

    def __enter__(self) -> Knows:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def vulnerabilities(self, versions: Sequence[Asked]) -> Mapping[Asked, tuple[Advisory, ...]]:
        """Of the distribution that it knows of."""
        if self._of is None:
            raise NotChecked("NOT CHECKED")
        return {each: (LEAK,) if each.name == self._of else () for each in versions}


@pytest.mark.parametrize(
    ("known", "status", "said"),
    [
        ("blue", 1, "VULNERABLE: blue 1.0 (PyPI), in order: GHSA-1"),
        ("red", 0, "3 versions asked about: 0 known vulnerabilities"),
        (None, 3, "NOT CHECKED"),
    ],
    ids=["vulnerable", "sound", "not checked"],
)
def test_an_audit_has_a_status_for_each_end(
    known: str | None,
    status: int,
    said: str,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where nothing was checked, no word says that nothing was found."""
    monkeypatch.setattr(command, "Source", Knows(known))
    assert status == command.main(["audit", "order"])
    out = "".join(capsys.readouterr())
    assert said in out
    assert (known is None) == ("known vulnerabilities" not in out)


def test_what_a_document_says_is_fit_to_be_printed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else may have made it."""
    part = {"name": "\x1b]0;evil\x07", "purl": "pkg:generic/x@1"}
    said = {"bomFormat": "CycloneDX", "metadata": {"component": {"name": "order"}}, "components": [part]}
    (root / "given.json").write_text(json.dumps(said))
    monkeypatch.setattr(command, "Source", Knows("nothing"))
    assert 0 == command.main(["audit", "--document", str(root / "given.json")])
    assert all(each.isprintable() for each in capsys.readouterr().out.splitlines())


def test_a_document_of_earlier_can_be_asked_about_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is deployed may be older than the checkout."""
    assert 0 == command.main(["write", "order"])
    kept = (root / "dist/sbom/order.cdx.json").rename(root / "kept.json")
    monkeypatch.setattr(command, "Source", Knows("green"))
    assert 1 == command.main(["audit", "--document", str(kept)])
    assert "VULNERABLE: green 2.0" in capsys.readouterr().out
    assert not (root / "dist/sbom/order.cdx.json").exists()
