"""The command around schemathesis: what it is told, whom it is, what it says and how it ends."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from chassis.fuzzing import Verdict
from contracts.services import SERVICES
from devstack import fuzz
from devstack.fuzz import CALLERS, EX_UNAVAILABLE, EXAMPLES_OF_A_ROUND, Round, Target, rounds
from devstack.state import Account, Running, State, StateError

RUNNING = Running(
    url="http://127.0.0.1:8080",
    internal_url="http://127.0.0.1:9000",
    mailbox_url=None,
    stripe_url=None,
    database_urls={},
    queue_urls={},
    aws={},
    admin=Account("admin@example.com", "a"),
    customer=Account("ada@example.com", "b"),
    pids={},
)
ELSEWHERE = {"MERCATO_ADMIN_EMAIL": "root@example.com", "MERCATO_ADMIN_PASSWORD": "c"}

CLEAN = Verdict(cases=7, tested=3, untested=0, failures=(), output="")
BROKEN = Verdict(cases=5, tested=3, untested=0, failures=("Server error: GET /[x]",), output="all of it")
UNTRIED = Verdict(cases=0, tested=1, untested=2, failures=(), output="")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The folder of a running shop."""
    opened = State(tmp_path / "state")
    opened.open(fresh=False)
    opened.announce(RUNNING)
    yield opened.directory
    opened.close()


def target(environment: dict[str, str], *argv: str) -> Target:
    """Whom the command would fuzz, and as whose friend."""
    return fuzz.target(fuzz.parser().parse_args(argv), environment)


def told(tmp_path: Path, *verdicts: Verdict) -> tuple[bool, list[str]]:
    """Whether a run in which the first rounds end so is clean, and what it says."""
    said, left = io.StringIO(), iter(verdicts)
    some = [Round("order", caller, 0, 10) for caller, _ in zip(CALLERS, verdicts, strict=False)]
    console = Console(file=said, highlight=False, soft_wrap=True)
    clean = fuzz.run(console, some, lambda _, __: next(left), tmp_path)
    return clean, said.getvalue().splitlines()


def test_the_shop_that_runs_here_has_its_own_admin(state: Path) -> None:
    """Whatever the environment says of another."""
    here = Target(RUNNING.url, RUNNING.admin)
    assert here == target({}, "--state", str(state))
    assert here == target(ELSEWHERE, "--state", str(state))


def test_of_another_shop_the_environment_has_the_admin() -> None:
    """And the address is as people paste it."""
    expected = Target("https://shop.example.com", Account("root@example.com", "c"))
    assert expected == target(ELSEWHERE, "--host", "https://shop.example.com/")


@pytest.mark.parametrize("missing", ELSEWHERE)
@pytest.mark.parametrize("there", ["", None])
def test_without_an_admin_of_another_shop_it_says_what_to_set(missing: str, there: str | None) -> None:
    """Both: one alone signs nobody in. What is empty is not said."""
    environment = {name: value for name, value in (ELSEWHERE | {missing: there}).items() if value is not None}
    with pytest.raises(StateError, match="set MERCATO_ADMIN_EMAIL and MERCATO_ADMIN_PASSWORD"):
        target(environment, "--host", "https://shop.example.com")


def test_the_key_that_a_gateway_asks_for_is_sent_to_both(state: Path) -> None:
    """An empty one is none."""
    key = {"MERCATO_API_KEY": "k"}
    assert {"X-Api-Key": "k"} == target(key, "--state", str(state)).headers
    assert {"X-Api-Key": "k"} == target(ELSEWHERE | key, "--host", "https://shop.example.com").headers
    assert {} == target({"MERCATO_API_KEY": ""}, "--state", str(state)).headers


@pytest.mark.parametrize("max_examples", [1, EXAMPLES_OF_A_ROUND, EXAMPLES_OF_A_ROUND + 1, 1000])
def test_each_operation_gets_its_examples_from_each_caller(max_examples: int) -> None:
    """In rounds that are over before their access tokens are, each with numbers of its own to draw from."""
    some = list(rounds(("user", "order"), max_examples))
    assert len(some) == len(set(some))
    assert max(each.examples for each in some) <= EXAMPLES_OF_A_ROUND
    for service in ("user", "order"):
        for caller in CALLERS:
            of_both = [each for each in some if (each.service, each.caller) == (service, caller)]
            assert max_examples == sum(each.examples for each in of_both)
            assert list(range(len(of_both))) == [each.number for each in of_both]


def test_a_run_that_finds_nothing_says_how_much_it_sent(tmp_path: Path) -> None:
    """A line for each round, and the sum."""
    clean, said = told(tmp_path, CLEAN, CLEAN)
    assert clean
    assert ["✓ order as customer: 7 cases", "✓ order as admin: 7 cases"] == said[:2]
    assert said[-1].startswith("14 cases in 0 s; reports: ")


def test_a_run_that_finds_something_says_what_and_where(tmp_path: Path) -> None:
    """Once is enough, and the rounds after it are played."""
    clean, said = told(tmp_path, BROKEN, CLEAN)
    assert not clean
    folder = tmp_path / "order-customer-0"
    assert [
        "✗ order as customer: 5 cases",
        "  Server error: GET /[x]",
        f"  in full: {folder / 'html' / 'index.html'}, {folder / 'junit.xml'}",
        "✓ order as admin: 7 cases",
    ] == said[:4]
    assert said[-1].startswith("12 cases")


def test_what_was_not_tried_is_not_clean(tmp_path: Path) -> None:
    """A run that reaches nothing must not look like one that found nothing."""
    clean, said = told(tmp_path, UNTRIED)
    assert not clean
    assert "  2 operations were not tried" in said


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["users"], "'users' is none of user, "),
        (["--max-examples", "0"], "--max-examples"),
        (["--max-examples", "-1"], "--max-examples"),
        (["--max-examples", "many"], "--max-examples"),
        (["--seed", "x"], "--seed"),
    ],
)
def test_arguments_that_would_try_nothing_are_refused(
    argv: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the status of a wrong call, and before anything is asked of a shop."""
    with pytest.raises(SystemExit) as ended:
        fuzz.main(argv)
    assert 2 == ended.value.code
    assert why in capsys.readouterr().err


def test_all_services_are_fuzzed_unless_some_are_named() -> None:
    """None named is all."""
    assert [] == fuzz.parser().parse_args([]).services
    assert list(SERVICES) == fuzz.parser().parse_args(list(SERVICES)).services


def test_without_a_running_shop_it_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a status that is not that of a finding; the seed is said first."""
    assert EX_UNAVAILABLE == fuzz.main(["--state", str(tmp_path), "--seed", "5"])
    out, err = capsys.readouterr()
    assert out.startswith("seed 5 (say --seed 5 ")
    assert (
        f"The shop cannot be fuzzed: no shop is running from {tmp_path}: start one with ./pants up\n" == err
    )
