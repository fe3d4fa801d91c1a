"""What `./pants up` shows while the shop starts and runs."""

from __future__ import annotations

import signal
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from devstack.state import Running


class Progress:
    """A line for each part: a live table on a terminal, plain lines elsewhere. A `Reporter`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._states: dict[str, Text | Spinner] = {}
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._table, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def starting(self, name: str) -> None:
        """It is on its way."""
        self._states[name] = Spinner("dots", "starting")

    def ready(self, name: str, seconds: float) -> None:
        """It can be used, so long after its start."""
        self._states[name] = Text(f"ready after {seconds:.1f} s", "green")
        if self._live is None:
            self._console.print(f"{name} is ready after {seconds:.1f} s", highlight=False)

    def ended(self, name: str, returncode: int | None) -> None:
        """It ended by itself, or was killed; it will be started again."""
        self._console.print(
            f"[yellow]{name} ended ({_how(returncode)}) and is started again[/]", highlight=False
        )

    def failed(self, name: str, error: str) -> None:
        """It could not be started again; that is tried anew."""
        self._console.print(f"[red]{name} does not start, trying again:[/] {escape(error)}", highlight=False)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, state in self._states.items():
            table.add_row(name, state)
        return table


def ready_table(running: Running, logs: str, running_file: str) -> Table:
    """Where everything is, and how to sign in."""
    table = Table(title="Mercato is open", title_justify="left", show_header=False, title_style="bold green")
    table.add_row("shop", running.url)
    table.add_row("API of each service", f"{running.url}/api/orders/docs (users, products, …)")
    if running.mailbox_url:
        table.add_row("mailbox", running.mailbox_url)
    table.add_row("customer", f"{running.customer.email}  {running.customer.password}")
    table.add_row("admin", f"{running.admin.email}  {running.admin.password}")
    table.add_row("logs", logs)
    for left in running.left:
        table.add_row("left to you", f"{left.name}, on port {left.port}: its command is in {running_file}")
    table.add_row("next", "./pants demo in another terminal; Ctrl-C here stops the shop")
    return table


def _how(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return signal.Signals(-returncode).name
    return f"exit code {returncode}"
