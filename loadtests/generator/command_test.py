"""The command line: what load an argument means, and what is said of one that means none."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from loadtests.errors import LoadError
from loadtests.generator import command
from loadtests.generator.ceiling import Ceiling
from loadtests.shapes import Shape

FORECAST = """
source = "assumed"
timezone = "UTC"
growth = 2.0
surge = 1.1
spike = 2.0

[day]
lowest_orders_per_s = 1
highest_orders_per_s = 10
lowest_hour = 4
highest_hour = 20
weekend = 1.0

[an_order.order]
requests = 1
"""


def test_steady_is_one_order_a_second_for_a_minute_unless_said() -> None:
    """What nobody says is light."""
    assert [1.0] * 60 == list(_course([]).rates)


def test_steps_are_multiples_of_the_rate_or_what_is_said() -> None:
    """Each for as long, so that all of it takes what was asked for."""
    assert [2.0] * 2 + [4.0] * 2 + [6.0] * 2 + [8.0] * 2 == list(
        _course(["--shape", "steps", "--rate", "2", "--seconds", "8"]).rates
    )
    assert [1.0] * 3 + [9.0] * 3 == list(
        _course(["--shape", "steps", "--rates", "1,9", "--seconds", "6"]).rates
    )


@pytest.mark.parametrize("shape", ["spike", "flash-sale"])
def test_peaks_rise_from_the_rate_to_the_top_within_the_time_that_was_asked_for(shape: str) -> None:
    """And are over before the end."""
    rates = _course(["--shape", shape, "--rate", "2", "--top", "20", "--seconds", "90"]).rates

    assert (90, 2.0, 20.0, 2.0) == (len(rates), rates[0], rates.max(), rates[-1])


def test_a_diurnal_week_takes_ten_minutes_and_has_the_forecasts_rates(tmp_path: Path) -> None:
    """So many seconds of it in each of the run; rates stay what they are: 2 to 20 orders a second, grown."""
    (tmp_path / "forecast.toml").write_text(FORECAST)

    rates = _course(["--shape", "diurnal", "--forecast", str(tmp_path / "forecast.toml")]).rates

    assert 600 == len(rates)
    assert 2 == pytest.approx(rates.min(), rel=0.1)
    assert 20 == pytest.approx(rates.max(), rel=0.1)


def test_a_replay_is_what_the_file_says_times_what_is_asked_for(tmp_path: Path) -> None:
    """A week of production on a machine that carries a tenth of it."""
    (tmp_path / "week.csv").write_text("second,rate\n0,10\n2,30\n4,20\n")

    course = _course(
        ["--shape", "replay", "--csv", str(tmp_path / "week.csv"), "--times", "0.1", "--faster", "2"]
    )

    assert [1.0, 3.0, 2.0] == pytest.approx(list(course.rates))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--shape", "replay"], "replay needs to know what: --csv FILE"),
        (["--shape", "replay", "--csv", "{gap}"], "line 4: second 9 comes after 1, where 2 was to come"),
        (["--shape", "replay", "--csv", "{nothing}"], "nobody would come: each rate of the shape is 0."),
        (["--shape", "replay", "--csv", "/nowhere.csv"], "/nowhere.csv is missing."),
        (["--faster", "61"], "--faster 61 leaves nothing of a shape of 60 s."),
    ],
)
def test_a_shape_that_cannot_be_offered_is_one_sentence(
    tmp_path: Path, arguments: Sequence[str], said: str
) -> None:
    """Which says what is wrong, and where."""
    (tmp_path / "gap").write_text("second,rate\n0,1\n1,1\n9,1\n")
    (tmp_path / "nothing").write_text("second,rate\n0,0\n1,0\n")

    with pytest.raises(LoadError) as error:
        _course([each.format(gap=tmp_path / "gap", nothing=tmp_path / "nothing") for each in arguments])

    assert said in str(error.value)


@pytest.mark.parametrize("rate", ["0", "-1", "many", "nan", "inf", "1e9"])
def test_a_rate_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], rate: str) -> None:
    """Before anything is started."""
    with pytest.raises(SystemExit) as end:
        _parsed(["--rate", rate])

    assert 2 == end.value.code
    assert f"'{rate}' is no rate: a number above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("visits_per_s", "cores", "refused"), [(300, 1, False), (301, 1, True), (600, 2, False)]
)
def test_more_than_the_generator_can_offer_is_refused(visits_per_s: float, cores: int, refused: bool) -> None:
    """A run beyond its limit would measure the generator."""
    limit = Ceiling(300.0, 1300.0, "2026-01-01", "A machine", "code")
    if not refused:
        command.within(limit, visits_per_s, cores)
        return
    with pytest.raises(
        LoadError, match="301 visits/s are asked for, and this generator can offer 300 on a core"
    ):
        command.within(limit, visits_per_s, cores)


def test_workers_of_this_machine_meet_on_loopback_and_those_of_others_where_it_is_said() -> None:
    """Locust's protocol knows no password: it listens to others only where somebody asked for that."""
    own = command.distributed(_parsed(["--processes", "2"]))
    others = command.distributed(_parsed(["--expect-workers", "3"]))
    bound = command.distributed(_parsed(["--expect-workers", "3", "--bind-host", "10.0.0.5"]))

    assert ("--processes", "2") == own[:2]
    assert "127.0.0.1" == own[own.index("--master-bind-host") + 1]
    assert "127.0.0.1" == others[others.index("--master-bind-host") + 1]
    assert "10.0.0.5" == bound[bound.index("--master-bind-host") + 1]
    assert () == command.distributed(_parsed([]))


def _course(arguments: Sequence[str]) -> Shape:
    course = command.course(_parsed(arguments))
    assert np.isfinite(course.rates).all()
    return course


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_to(parser.add_subparsers())
    return parser.parse_args(["run", *arguments], argparse.Namespace(root=Path("/nowhere")))
