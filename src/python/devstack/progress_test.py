"""What the shop shows while it starts and runs."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from devstack.progress import Progress, ready_table
from devstack.state import Account, Left, Running


def console(*, terminal: bool = False) -> tuple[Console, StringIO]:
    shown = StringIO()
    return Console(file=shown, force_terminal=terminal, width=120, color_system=None), shown


def running(mailbox_url: str | None = None, *left: Left) -> Running:
    return Running(
        url="http://127.0.0.1:8080",
        internal_url="http://127.0.0.1:9",
        mailbox_url=mailbox_url,
        stripe_url=None,
        database_urls={},
        queue_urls={},
        aws={},
        admin=Account("admin@example.com", "open-sesame"),
        customer=Account("ada@example.com", "abracadabra"),
        pids={},
        left=list(left),
    )


def test_where_no_terminal_is_there_are_plain_lines() -> None:
    """One for each part that is ready, and for each that ended or does not start."""
    screen, shown = console()
    with Progress(screen) as progress:
        progress.starting("order")
        progress.ready("order", 1.26)
        progress.ended("order", -9)
        progress.ended("order", 3)
        progress.failed("order", "no such setting")
    assert [
        "order is ready after 1.3 s",
        "order ended (SIGKILL) and is started again",
        "order ended (exit code 3) and is started again",
        "order does not start, trying again: no such setting",
    ] == shown.getvalue().splitlines()


def test_an_error_is_shown_as_it_is() -> None:
    """What stands in brackets in a log is no markup, and no reason to end."""
    screen, shown = console()
    Progress(screen).failed("order", "[/nonsense] at [red]")
    assert "[/nonsense] at [red]" in shown.getvalue()


def test_on_a_terminal_the_table_shows_each_part_once() -> None:
    """It goes away when everything is ready."""
    screen, shown = console(terminal=True)
    with Progress(screen) as progress:
        progress.starting("cache")
        progress.starting("order")
        progress.ready("cache", 0.1)
        rendered = progress._table()
    with screen.capture() as capture:
        screen.print(rendered)
    lines = capture.get().splitlines()
    assert (2, True, True) == (len(lines), "ready after 0.1 s" in lines[0], "starting" in lines[1])
    assert "is ready after" not in shown.getvalue()


def test_the_ready_table_says_where_to_go_and_how_to_sign_in() -> None:
    """Without a mailbox where another mail server was given."""
    for mailbox_url in ("http://127.0.0.1:8025", None):
        screen, shown = console()
        screen.print(ready_table(running(mailbox_url), "/tmp/logs", "running.json"))  # noqa: S108 - a text
        text = shown.getvalue()
        for expected in ("http://127.0.0.1:8080", "open-sesame", "abracadabra", "/tmp/logs"):  # noqa: S108
            assert expected in text
        assert (mailbox_url is not None) == ("mailbox" in text)
        assert "left to you" not in text


def test_the_ready_table_says_how_what_is_left_is_started() -> None:
    """A line for each replica; its environment holds secrets, and is not shown."""
    left = [
        Left("order", f"order-{number}", 9100 + number, ["python"], {"KEY": "open-says-me"})
        for number in (1, 2)
    ]
    screen, shown = console()
    screen.print(ready_table(running(None, *left), "logs", "running.json"))
    lines = [line for line in shown.getvalue().splitlines() if "left to you" in line]
    assert 2 == len(lines)
    for each, line in zip(left, lines, strict=True):
        assert f"{each.name}, on port {each.port}: its command is in running.json" in line
    assert "open-says-me" not in shown.getvalue()
