"""Profiles: what is kept of a measurement, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from loadtests import profile, testing
from loadtests.errors import LoadError

WHOLE = testing.profile(messages_per_s=40)


def refused(folder: Path, service: str = "order") -> str:
    with pytest.raises(LoadError) as caught:
        profile.load(service, folder)
    return str(caught.value)


def test_a_profile_that_was_written_is_the_same_when_it_is_read(tmp_path: Path) -> None:
    """All of it, as TOML."""
    profile.save(WHOLE, tmp_path)
    assert WHOLE == profile.load("order", tmp_path)


def test_a_digest_is_that_of_the_file(tmp_path: Path) -> None:
    """So any change of it is one of the digest."""
    path = profile.save(WHOLE, tmp_path)
    assert "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest() == profile.digest("order", tmp_path)


def test_a_service_without_a_profile_is_told_how_to_get_one(tmp_path: Path) -> None:
    """There is none in the repository that nobody measured."""
    assert "order.toml is missing: measure it by ./pants load capacity --service order." in refused(tmp_path)


def test_a_profile_of_another_service_is_refused(tmp_path: Path) -> None:
    """It was copied."""
    profile.save(WHOLE, tmp_path).rename(tmp_path / "user.toml")
    assert f"{tmp_path / 'user.toml'} is of order." == refused(tmp_path, "user")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'held_by = "cgroup"',
            'held_by = "hope"',
            "measured.held_by: Input should be 'cgroup' or 'accounting'",
        ),
        (
            "repetitions = 3",
            "repetitions = 1",
            "measured.repetitions: Input should be greater than or equal to 2",
        ),
        ('commit = "0123456789ab"', 'commit = "main"', "measured.commit: String should match pattern"),
        ('content = "sha256:1', 'content = "sha256:', "measured.content: String should match pattern"),
        ("cpu = 512", "cpu = 500", "task: Fargate has no task of 500 CPU units and 1024 MiB"),
        ("lowest = 20.0", "lowest = 21.0", "lowest <= median <= highest is not so"),
        (
            "saturated_per_s = 23.",
            "saturated_per_s = 3.",
            "it carries more within its objectives than it completes at all",
        ),
        ("rate_per_s = 6.0", "rate_per_s = 1.0", "the rates of the curve do not rise"),
        ("quantiles = [0.5,", "quantiles = [0.4,", "the quantiles do not rise from 0.5 on to below 1"),
        (
            "quantiles = [0.5, 0.9, 0.95, 0.99, 0.999]",
            "quantiles = [0.5, 0.9]",
            "needs a time above 0 for each quantile",
        ),
        (
            "[10.0, 20.0, 30.0, 50.0, 90.0]",
            "[10.0, 20.0]",
            "messages.light_ms needs a time for each quantile",
        ),
        ("loaded_memory_mib = 250.0", "loaded_memory_mib = 2000.0", "it took more memory than the task has"),
        (
            '[mix]\n"GET /api/things" = 1.0',
            '[mix]\n"GET /api/things" = 0.9',
            "the shares of the mix do not add up to 1",
        ),
        (
            '[mix]\n"GET /api/things" = 1.0',
            '[mix]\n"GET /api/other" = 1.0',
            "the curve has not the routes of the mix",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """In a sentence that names the file."""
    path = profile.save(WHOLE, tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    said = refused(tmp_path)
    assert said.startswith(f"{path}: ")
    assert message in said
    assert "\n" not in said
