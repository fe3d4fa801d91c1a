"""`./pants synth`: what is misused is said, and ends with status 2 before CDK is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.services import SERVICES
from infra import __main__ as main

IMAGES = [argument for service in SERVICES for argument in ("-c", f"{service}_image=1.0.0")]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit status of `synth ARGUMENTS`, and what is said."""
    status = main.main(["synth", *arguments])
    said = capsys.readouterr()
    assert "" == said.out
    return status, said.err


def test_an_environment_that_is_none_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    """Its name is said, and those that there are."""
    assert (2, "environment is 'production': it must be one of dev, staging, prod.\n") == refused(
        capsys, "production", *IMAGES
    )


def test_context_that_is_none_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    """It must be KEY=VALUE."""
    assert (2, "'enable_waf' is no context: it must be KEY=VALUE.\n") == refused(
        capsys, "dev", "-c", "enable_waf"
    )


def test_a_value_that_no_environment_has_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    """By its name."""
    status, said = refused(capsys, "dev", *IMAGES, "-c", "enable_wafs=true")
    assert 2 == status
    assert said.startswith("enable_wafs is no value of an environment: there are environment, ")


def test_a_value_that_cannot_be_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    """With what it is for."""
    status, said = refused(capsys, "dev", *IMAGES, "-c", "alert_email=nobody")
    assert 2 == status
    assert said.startswith("environment dev:\nalert_email (who is told of alarms): ")


def test_what_is_missing_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    """All of it, at once."""
    status, said = refused(capsys, "prod", *IMAGES)
    assert 2 == status
    assert "cors_origin is missing, and no domain_name to take it from; alert_email is missing" in said


def test_an_option_that_is_none_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    """As every command has it."""
    with pytest.raises(SystemExit) as caught:
        main.main(["synth", "--colour"])
    assert 2 == caught.value.code
    assert "unrecognized arguments: --colour" in capsys.readouterr().err


def test_versions_are_those_of_the_checkout(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that has none, and for which none is given, is named."""
    for service in ("user", "order"):
        folder = tmp_path / "src/python/services" / service
        folder.mkdir(parents=True)
        (folder / "VERSION").write_text("1.2.3\n", "utf-8")
    monkeypatch.setattr(main, "ROOT", tmp_path)
    status, said = refused(capsys, "dev", "-c", "payment_image=2.0.0")
    missing = ", ".join(f"{each}_image" for each in SERVICES if each not in ("user", "order", "payment"))
    assert (2, f"environment dev:\n{missing} missing: ") == (
        status,
        said[: said.index("say which version")],
    )


def test_the_command_ends_with_that_status() -> None:
    """And has not started CDK: its engine takes seconds, and a typing error should not."""
    command = [sys.executable, "-X", "importtime", "-m", "infra", "synth", "production"]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 2 == done.returncode
    assert "environment is 'production'" in done.stderr
    assert "aws_cdk" not in done.stderr
