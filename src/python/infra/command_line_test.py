"""CDK's own command line makes the templates that ./pants synth makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.services import SERVICES
from infra import example, synthesis
from infra.__main__ import main
from infra.environment import NAMES

ROOT = Path(__file__).parents[3]


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / name).read_text("utf-8"))
    return found


def test_cdk_json_asks_the_launcher_with_the_same_flags() -> None:
    """A flag that only one of both has would make other templates there."""
    found = read("cdk.json")
    assert "./pants synth" == found["app"]
    assert {"environment": "dev", **synthesis.FLAGS} == found["context"]


@pytest.mark.parametrize("setting", ["pathMetadata", "assetMetadata", "versionReporting"])
def test_the_command_line_adds_nothing_of_its_own(setting: str) -> None:
    """By itself it writes paths and versions into each template, which ./pants synth does not."""
    assert read("cdk.json")[setting] is False


def test_the_lock_has_the_version_that_is_asked_for_and_names_no_registry() -> None:
    """Whoever installs behind a mirror gets the same, by its hash."""
    asked = read("package.json")["devDependencies"]
    locked = {
        name.removeprefix("node_modules/"): package
        for name, package in read("package-lock.json")["packages"].items()
        if name
    }
    assert asked == {name: package["version"] for name, package in locked.items()}
    assert all("integrity" in package and "resolved" not in package for package in locked.values())


def test_what_cdk_asks_for_is_what_synth_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its two variables, as it does; it speaks for itself, so nothing is said."""
    output = tmp_path / "cdk.out"
    monkeypatch.setenv("CDK_OUTDIR", str(output))
    context = {**read("cdk.json")["context"], **example.context("dev"), "aws:cdk:bundling-stacks": ["**"]}
    monkeypatch.setenv("CDK_CONTEXT_JSON", json.dumps(context))
    assert 0 == main(["synth"])
    assert "" == capsys.readouterr().out
    written = Path("cdk.out/dev")
    names = sorted(path.name for path in written.glob("*.template.json"))
    assert names == sorted(path.name for path in output.glob("*.template.json"))
    assert [] == [name for name in names if (written / name).read_bytes() != (output / name).read_bytes()]


def test_a_value_of_cdk_json_is_that_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A list, a number or a truth there is a text here; what is wrong is refused in the same words."""
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    context = {**example.context("prod"), "cors_origin": ["https://a.example", "nonsense"]}
    monkeypatch.setenv("CDK_CONTEXT_JSON", json.dumps(context))
    assert 2 == main(["synth"])
    assert "cors_origin" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "environment is 'nowhere': it must be one of dev, staging, prod."),
        (["-c", "environment=nowhere"], "environment is 'nowhere': it must be one of dev, staging, prod."),
        (["-c", "order_image=latest"], "order_image must be a version (1.4.0) or a digest (sha256:...)."),
        (["-c", "colour=red"], "colour is no value of an environment: there are environment, "),
        (["-c", "colour"], "'colour' is no context: it must be KEY=VALUE."),
        (["prod"], "alert_email is missing: somebody must hear of alarms in prod"),
    ],
    ids=["no environment", "none by context", "no version", "no value", "no pair", "a value is missing"],
)
def test_what_cannot_be_synthesised_is_refused(
    arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what is wrong and what it must be, and before CDK is started."""
    images = [part for service in SERVICES for part in ("-c", f"{service}_image=1.0.0")]
    assert 2 == main(["synth", "--output", str(tmp_path), *images, *arguments])
    assert expected in capsys.readouterr().err


def test_every_environment_has_an_example() -> None:
    """Tests and pages are of all three."""
    assert [dict(example.context(name))["environment"] for name in NAMES] == list(NAMES)
