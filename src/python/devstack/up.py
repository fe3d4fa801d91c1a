"""`./pants up`: the whole shop on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from backing.ports import PortTakenError, ensure_free
from backing.process import ProcessError
from contracts.services import SERVICES
from devstack.progress import Progress, ready_table
from devstack.shop import Options, Shop
from devstack.state import State, StateError, default_directory

EX_USAGE, EX_UNAVAILABLE = 64, 69  # sysexits.h
DEFAULT_PORT = 8080


def main(argv: Sequence[str] | None = None) -> int:
    """Run the shop; returns the exit status of the process."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.leave and arguments.images:
        parser.error(
            "--leave goes without --images: what is left is started from these sources, and not from an image"
        )
    console = Console()
    state = State(arguments.state)
    try:
        ensure_free(arguments.port, "name another with --port")
        state.open(fresh=arguments.fresh)
    except (PortTakenError, StateError) as error:
        _say_why(Console(stderr=True), error)
        return EX_UNAVAILABLE
    options = Options(
        port=arguments.port,
        stack=arguments.stack,
        images=arguments.images,
        replicas=dict(arguments.replicas),
        leave=frozenset(arguments.leave),
        seed=not arguments.no_seed,
    )
    try:
        return asyncio.run(_run(state, options, console))
    finally:
        state.close()


async def _run(state: State, options: Options, console: Console) -> int:
    progress = Progress(console)
    shop = Shop(state, options, progress)
    stop = _stop_on_signals(console)
    starting = asyncio.create_task(shop.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        with progress:
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            console.print(ready_table(starting.result(), str(state.logs), str(state.running_file)))
            await stop.wait()
        return 0
    except ProcessError as error:
        _say_why(console, error)
        return EX_UNAVAILABLE
    finally:
        stopping.cancel()
        starting.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        console.print("Stopping …")
        await shop.stop()
        console.print("Stopped; nothing is left running.")


def _stop_on_signals(console: Console) -> asyncio.Event:
    """An event that the first Ctrl-C or SIGTERM sets; the second ends everything at once."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            console.print("Ended without waiting.")
            # The kernel ends the children with this process: see backing.process.
            os._exit(130)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    return stop


def _say_why(console: Console, error: Exception) -> None:
    console.print("The shop cannot start:", style="red", end=" ")
    console.print(str(error), highlight=False, markup=False, soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pants up", description="Run the whole shop on this machine.")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="of the gateway on 127.0.0.1 (%(default)s)"
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="discard what earlier runs left: orders, mails, accounts, secrets",
    )
    parser.add_argument(
        "--replicas",
        type=_replicas,
        action="append",
        default=[],
        metavar="SERVICE=N",
        help="run N copies of a service, for example --replicas order=2",
    )
    parser.add_argument(
        "--leave",
        choices=SERVICES,
        action="append",
        default=[],
        metavar="SERVICE",
        help="do not start this service: you do, by the command that running.json has of it",
    )
    parser.add_argument(
        "--state", type=Path, default=default_directory(), help="the folder that keeps it all (%(default)s)"
    )
    parser.add_argument(
        "--stack",
        metavar="NAME",
        help="use the topics and queues of this CloudFormation stack, in the AWS that the environment names",
    )
    parser.add_argument(
        "--images",
        action="store_true",
        help="run the services from their images, which ./pants package src/python/services:: builds",
    )
    parser.add_argument("--no-seed", action="store_true", help="no catalogue and no customer")
    return parser


def _replicas(text: str) -> tuple[str, int]:
    service, _, count = text.partition("=")
    if service not in SERVICES or not count.isdecimal() or not 1 <= int(count) <= 9:
        raise argparse.ArgumentTypeError(
            f"{text!r}: name a service ({', '.join(SERVICES)}) and how many, from 1 to 9: order=2"
        )
    return service, int(count)


if __name__ == "__main__":
    sys.exit(main())
