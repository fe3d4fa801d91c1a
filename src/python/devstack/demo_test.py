"""The demo where there is nothing to show it on."""

from __future__ import annotations

from pathlib import Path

import pytest

from backing.ports import LOOPBACK, free_port
from devstack import demo


def test_without_a_running_shop_the_demo_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 and a sentence; no traceback."""
    assert 1 == demo.main(["--state", str(tmp_path)])
    said = capsys.readouterr().err
    assert f"no shop is running from {tmp_path}: start one with ./pants up" in said
    assert "Traceback" not in said


def test_a_shop_that_cannot_be_reached_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The address is in the sentence."""
    port = free_port()
    assert 1 == demo.main(["--url", f"http://{LOOPBACK}:{port}"])
    said = capsys.readouterr().err
    assert said.startswith("The shop cannot be reached: ")
    assert f"{LOOPBACK}:{port}" in said
    assert said.endswith("Start one with ./pants up.\n")


def test_an_unknown_story_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names of those that there are."""
    with pytest.raises(SystemExit):
        demo.main(["stolen"])
    assert "bought" in capsys.readouterr().err
