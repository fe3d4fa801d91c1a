"""The folder of a shop: one shop at a time, its secrets kept and private."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.state import ROOT_VARIABLE, Account, Left, Running, State, StateError, default_directory

RUNNING = Running(
    url="http://127.0.0.1:8080",
    internal_url="http://127.0.0.1:9000",
    mailbox_url=None,
    stripe_url=None,
    database_urls={"order": "postgresql://order:secret@127.0.0.1/order"},
    queue_urls={},
    aws={},
    admin=Account("admin@example.com", "a"),
    customer=Account("ada@example.com", "b"),
    pids={"order": 7},
    left=[Left("payment", "payment", 9100, ["python", "-m", "services.payment.app"], {"PORT": "9100"})],
)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """An open folder."""
    opened = State(tmp_path / "state")
    opened.open(fresh=False)
    yield opened
    opened.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_has_one_shop_at_a_time(state: State) -> None:
    """The second is told which folder and what to do, and may have it when the first is done."""
    second = State(state.directory)
    with pytest.raises(StateError, match=rf"running from {state.directory} already: stop it, or .*--state"):
        second.open(fresh=True)
    state.close()
    second.open(fresh=False)
    second.close()


def test_who_is_refused_discards_nothing(state: State) -> None:
    """Not even with `fresh`, and not where the running shop is."""
    state.announce(RUNNING)
    second = State(state.directory)
    with pytest.raises(StateError):
        second.open(fresh=True)
    assert RUNNING == State(state.directory).running()


def test_a_fresh_start_discards_all_but_the_lock(state: State) -> None:
    """Folders, files and links, but not what a link leads to."""
    elsewhere = state.directory.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (state.directory / "postgres").mkdir()
    (state.directory / "postgres" / "data").touch()
    (state.directory / "link").symlink_to(elsewhere)
    (state.directory / "stripe.state").touch()
    state.close()
    state.open(fresh=True)
    assert {"lock", "logs"} == {path.name for path in state.directory.iterdir()}
    assert (elsewhere / "precious").exists()


def test_secrets_are_kept_and_private(state: State) -> None:
    """What a run made the next one finds; a fresh start makes others."""
    made = state.secrets(["order"])
    assert 0o600 == mode(state.directory / "secrets.json")
    assert 0o700 == mode(state.directory)
    assert made == State(state.directory).secrets(["order"])
    state.close()
    state.open(fresh=True)
    other = state.secrets(["order"])
    assert made.signing_keys != other.signing_keys
    assert made.customer.password != other.customer.password


def test_a_service_that_is_new_gets_a_password(state: State) -> None:
    """The others keep theirs."""
    before = state.secrets(["order"])
    after = state.secrets(["order", "shipping"])
    assert before.database_passwords == {"order": after.database_passwords["order"]}
    assert len(after.database_passwords["shipping"]) >= 24
    assert before.signing_keys == after.signing_keys


def test_where_the_shop_is_stands_in_a_private_file_while_it_runs(state: State) -> None:
    """It holds passwords, and is gone afterwards."""
    file = state.directory / "running.json"
    state.announce(RUNNING)
    assert (RUNNING, 0o600) == (State(state.directory).running(), mode(file))
    assert 7 == json.loads(file.read_text())["pids"]["order"]
    state.close()
    assert not file.exists()
    with pytest.raises(StateError, match=r"no shop is running from .*: start one with \./pants up"):
        state.running()


def test_each_run_has_logs_of_its_own(state: State) -> None:
    """Those of the run before are kept beside them, older ones are not."""
    for run in ("first", "second", "third"):
        state.log("order").write_text(run)
        state.close()
        state.open(fresh=False)
    assert not state.log("order").exists()
    assert "third" == (state.logs / "order.log.1").read_text()
    assert 1 == len(list(state.logs.iterdir()))


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    """No traceback: the path, the reason, the way out."""
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"file/state cannot be used: .*name another with --state"):
        State(tmp_path / "file" / "state").open(fresh=False)


def test_the_folder_is_that_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever in it the command was called; without a launcher, that of the current folder."""
    monkeypatch.setenv(ROOT_VARIABLE, "/checkout")
    assert Path("/checkout/.mercato") == default_directory()
    monkeypatch.delenv(ROOT_VARIABLE)
    monkeypatch.chdir(tmp_path)
    assert tmp_path / ".mercato" == default_directory()
