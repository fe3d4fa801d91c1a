"""The command line as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests import testing
from loadtests.__main__ import main
from loadtests.checkout import Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return testing.checkout(tmp_path)


def said(capsys: pytest.CaptureFixture[str], checkout: Checkout, *argv: str) -> tuple[int, str, str]:
    """The exit status, and what was printed, to whom."""
    status = main(argv, checkout.root)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def refused(capsys: pytest.CaptureFixture[str], checkout: Checkout, *argv: str) -> str:
    """What is said instead, as one sentence and with status 2."""
    status, out, err = said(capsys, checkout, *argv)
    assert (2, "") == (status, out)
    assert err.endswith(".\n")
    assert 1 == err.count("\n")
    return err


# --- derive


def test_derive_writes_the_scaling_files_of_all_that_were_measured(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves the others as they are."""
    before = (checkout.scaling / "user.toml").read_text()
    assert (0, f"wrote {checkout.scaling / 'order.toml'}\n", "") == said(capsys, checkout, "derive")
    assert "measured" == checkout.deployed("order").provenance.kind
    assert before == (checkout.scaling / "user.toml").read_text()


def test_derive_check_writes_nothing_and_says_what_is_stale(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a status of its own, until it is written."""
    before = (checkout.scaling / "order.toml").read_text()
    status, out, err = said(capsys, checkout, "derive", "--check")
    assert (1, "", "stale: order. ./pants load derive writes them anew.\n") == (status, out, err)
    assert before == (checkout.scaling / "order.toml").read_text()
    said(capsys, checkout, "derive")
    assert (0, "", "") == said(capsys, checkout, "derive", "--check")


def test_derive_of_a_service_without_a_profile_is_refused_and_writes_nothing(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of those that have one."""
    before = (checkout.scaling / "order.toml").read_bytes()
    assert "measure it by ./pants load capacity --service user." in refused(
        capsys, checkout, "derive", "order", "user"
    )
    assert before == (checkout.scaling / "order.toml").read_bytes()


def test_an_objective_that_no_number_of_tasks_meets_is_refused(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its route, what is asked, and what one task does at its best."""
    path = checkout.root / "loadtests/objectives.toml"
    path.write_text(path.read_text().replace("bound_ms = 2000", "bound_ms = 40"))
    assert "no number of tasks meets that." in refused(capsys, checkout, "derive")


# --- simulate


def test_simulate_prints_what_each_missed_and_was_paid(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """For each day, and for all; and what the derived policy comes to beside the others."""
    status, out, err = said(capsys, checkout, "simulate", "--shape", "steady", "--shape", "spike")
    assert (0, "") == (status, err)
    rows = [line for line in out.splitlines() if line.startswith("| order")]
    assert ["steady", "spike"] == [row.split(" | ")[1] for row in rows]
    assert "| **order** | **all** |" in out
    assert "Task-seconds: " in out


def test_simulate_writes_the_same_files_every_time(
    checkout: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page with the table, and a picture of each day."""
    folders = tmp_path / "once", tmp_path / "again"
    for folder in folders:
        said(capsys, checkout, "simulate", "order", "--shape", "spike", "--output", str(folder))
    once, again = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert {"comparison.md", "order-spike.svg"} == once.keys()
    assert once == again
    assert b"![order: spike](order-spike.svg)" in once["comparison.md"]


def test_simulate_replays_a_csv(
    checkout: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Orders a second, as somebody saw them."""
    path = tmp_path / "november.csv"
    path.write_text("second,rate\n" + "".join(f"{60 * minute},{5 + minute % 3}\n" for minute in range(60)))
    status, out, _ = said(capsys, checkout, "simulate", "--csv", str(path))
    assert 0 == status
    assert "| order | november |" in out


def test_simulate_refuses_a_csv_with_a_gap(
    checkout: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And names the line."""
    path = tmp_path / "gap.csv"
    path.write_text("second,rate\n0,1\n60,1\n180,1\n")
    assert f"{path}, line 4: " in refused(capsys, checkout, "simulate", "--csv", str(path))


# --- profiles


def test_profiles_says_what_the_launcher_does_of_each(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """The launcher of the checkout itself; what it cannot say is no answer."""
    launcher = checkout.root / "pants"
    assert "cannot be asked what is packaged" in refused(capsys, checkout, "profiles")
    launcher.write_text(f"#!/bin/sh\necho order {checkout.profile('order').measured.content}\n")
    launcher.chmod(0o755)
    status, out, err = said(capsys, checkout, "profiles", "--check", "order")
    assert (0, "") == (status, err)
    assert out.endswith("what is packaged is the same\n")
    assert 1 == said(capsys, checkout, "profiles", "--check")[0]


def test_without_any_profile_both_say_how_to_get_one(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is made up instead."""
    (checkout.profiles / "order.toml").unlink()
    for command in ("derive", "simulate"):
        assert "measure one by ./pants load capacity --service NAME." in refused(capsys, checkout, command)
