"""Pictures of a replay."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtests import comparison, plots, scaling_file, testing
from loadtests.comparison import Replay
from loadtests.derivation import Derivation
from loadtests.replicas import RealRuns, Run, Seen
from loadtests.shapes import Shape, steady
from loadtests.simulator.queueing import Queueing
from loadtests.testing import DIGEST, ROUTE, WITHIN_300_MS


@pytest.fixture(scope="module")
def replay() -> Replay:
    derived = Derivation(testing.profile(), {ROUTE: WITHIN_300_MS}, None, testing.forecast())
    policy = scaling_file.policy(derived, DIGEST)
    return comparison.replay(derived, policy, policy, Shape("steady", steady(30, 3600)))


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_replay_is_the_same_picture(replay: Replay, tmp_path: Path, suffix: str) -> None:
    """Byte by byte, so that a picture in the repository changes when what it shows does."""
    once, again = tmp_path / f"once.{suffix}", tmp_path / f"again.{suffix}"
    plots.draw(replay, once)
    plots.draw(replay, again)
    assert once.read_bytes() == again.read_bytes()


def test_real_runs_are_drawn_beside_what_is_simulated(tmp_path: Path) -> None:
    """A line for each number of replicas, through what was measured of as many; the same each time."""
    queueing = Queueing(testing.profile(), {ROUTE: WITHIN_300_MS})
    seen = tuple(Seen(rate_per_s=rate, p95_ms=testing.spread(20 + rate, 0.1)) for rate in (5.0, 10.0))
    runs = tuple(
        Run(replicas=count, carried_per_s=testing.spread(10), p95_ms=testing.spread(28), seen=seen)
        for count in (1, 2)
    )
    real = RealRuns(service="order", measured=testing.profile().measured, run=runs)
    once, again = tmp_path / "once.svg", tmp_path / "again.svg"

    plots.draw_real(real, queueing, once)
    plots.draw_real(real, queueing, again)

    assert once.read_bytes() == again.read_bytes()
    assert all(f"{count}, simulated" in once.read_text() for count in (1, 2))


def test_a_picture_shows_load_tasks_and_what_was_missed(replay: Replay, tmp_path: Path) -> None:
    """Three parts, one above the other."""
    plots.draw(replay, tmp_path / "steady.svg")
    groups = ElementTree.parse(tmp_path / "steady.svg").iter("{http://www.w3.org/2000/svg}g")  # noqa: S314 - ours
    axes = [group.get("id") for group in groups if (group.get("id") or "").startswith("axes_")]
    assert ["axes_1", "axes_2", "axes_3"] == axes
