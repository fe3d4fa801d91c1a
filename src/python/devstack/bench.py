"""`./pants bench`: open-loop load against a shop that it starts itself, ending in a table and a file.

The load comes from the same machine as the shop, and shares its cores. Figures go to `dist/bench.json` as one
flat object whose names end in their units.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from backing.ports import answers, free_port
from backing.process import Process, python_module
from devstack.client import Client
from devstack.invariants import Ledgers, breaches
from devstack.load import Load, Report, percentile, timeline_s
from devstack.state import ROOT_VARIABLE, Running, State

_CUSTOMERS = 20
_REST_S = 900.0  # a backlog is worked off before the invariants are looked at
_READS, _READERS = 4000, 8
_BEST = "orders_confirmed_per_s"
# What the shop promises, by figure: the bound, and whether the figure may not exceed or not fall below it.
_BOUNDS = {
    "up_warm_s": ("at most", 10),
    "idle_pss_mib": ("at most", 1024),
    "post_order_p50_ms": ("at most", 15),
    "post_order_p99_ms": ("at most", 60),
    "placed_to_confirmed_p50_ms": ("at most", 150),
    "placed_to_confirmed_p99_ms": ("at most", 500),
    "orders_confirmed_per_s": ("at least", 60),
    "read_cpu_ratio": ("at most", 1.5),
    "breaches": ("at most", 0),
}

Figures = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """How long each part takes, in seconds, and at which rates, in orders a second."""

    calm_s: float
    sustained_s: float
    rates: Sequence[float]
    calm_per_s: float = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; returns the exit status of the process: 1 if an invariant was broken."""
    arguments = _parser().parse_args(argv)
    console = Console()
    plan = Plan(arguments.calm_seconds, arguments.seconds, arguments.rates)
    with tempfile.TemporaryDirectory(prefix="mercato-bench-") as scratch:
        figures, found = asyncio.run(_measure(console, Path(scratch), plan))
    _write(arguments.output, figures)
    _show(console, figures, found, arguments.output)
    return 1 if found else 0


async def _measure(console: Console, directory: Path, plan: Plan) -> tuple[Figures, list[str]]:
    figures: Figures = {"cores": psutil.cpu_count() or 0}
    port = free_port()

    def say(text: str) -> None:
        console.print(f"… {text}", highlight=False)

    say("starting a new shop")
    process = _up(directory, port)
    figures["up_new_state_s"] = _start(process, directory)
    figures["stop_s"] = _timed(process.stop)
    say("starting it again")
    process = _up(directory, port)
    figures["up_warm_s"] = _start(process, directory)
    try:
        running = State(directory / "state").running()
        figures |= await _idle(process)
        figures |= await _reads(say, directory, running)
        found = await _orders(say, running, plan, figures)
    finally:
        process.stop()
    return figures, found


async def _orders(say: Callable[[str], None], running: Running, plan: Plan, figures: Figures) -> list[str]:
    """Place orders at each rate; adds to `figures` and returns the breaches of invariants."""
    found: list[str] = []
    timeout = aiohttp.ClientTimeout(total=30)
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(running.url, timeout=timeout, connector=connector) as session,
        Ledgers(running.database_urls) as ledgers,
    ):
        load = Load(session)
        await load.prepare(_CUSTOMERS)
        await load.run(plan.calm_per_s, 3)  # so that connections and caches are there
        say(f"{plan.calm_per_s:g} orders/s for {plan.calm_s:g} s")
        calm = await _run(load, ledgers, plan.calm_per_s, plan.calm_s)
        figures |= _latencies(calm, await _times_to_confirmed(ledgers, calm.placed))
        for rate in plan.rates:
            say(f"{rate:g} orders/s for {plan.sustained_s:g} s")
            began = time.time()
            report = await _run(load, ledgers, rate, plan.sustained_s)
            sustained = await _sustained(ledgers, report, began, plan.sustained_s)
            figures |= {f"at_{rate:g}_{name}": value for name, value in sustained.items()}
            best = max(figures.get(_BEST, 0), sustained[_BEST])
            figures[_BEST] = best
            found += await breaches(running)
    figures["breaches"] = len(found)
    return found


async def _run(load: Load, ledgers: Ledgers, per_s: float, seconds: float) -> Report:
    report = await load.run(per_s, seconds, cancelled=0.02, repeated=0.02)
    await ledgers.rest(within_s=_REST_S)
    return report


def _latencies(report: Report, confirmed: Sequence[float]) -> Figures:
    return {
        "post_order_p50_ms": _ms(report.latencies, 50),
        "post_order_p99_ms": _ms(report.latencies, 99),
        "placed_to_confirmed_p50_ms": _ms(confirmed, 50),
        "placed_to_confirmed_p99_ms": _ms(confirmed, 99),
        "errors": sum(report.errors.values()) + report.answered_differently,
    }


async def _sustained(ledgers: Ledgers, report: Report, began: float, seconds: float) -> Figures:
    """Only what was confirmed while orders came counts: a backlog that is worked off later does not."""
    query = "SELECT timeline FROM orders WHERE id = ANY($1::uuid[])"
    rows = await ledgers.fetch("order", query, report.placed)
    ends = [end for row in rows if (end := _confirmed_at(row["timeline"])) is not None]
    in_time = sum(end <= began + seconds for end in ends)
    return {
        _BEST: round(in_time / seconds, 1),
        "post_order_p99_ms": _ms(report.latencies, 99),
        "errors": sum(report.errors.values()) + report.answered_differently,
    }


def _confirmed_at(timeline: str) -> float | None:
    for step in json.loads(timeline):
        if step["what"] == "ORDER_CONFIRMED":
            return dt.datetime.fromisoformat(step["at"]).timestamp()
    return None


async def _times_to_confirmed(ledgers: Ledgers, placed: Sequence[str]) -> list[float]:
    query = "SELECT timeline FROM orders WHERE id = ANY($1::uuid[])"
    rows = await ledgers.fetch("order", query, placed)
    times = (timeline_s(row["timeline"], "ORDER_CREATED", "ORDER_CONFIRMED") for row in rows)
    return [each for each in times if each is not None]


async def _idle(process: Process) -> Figures:
    """Memory of the shop that nobody uses, and the share of one core that it takes."""
    await asyncio.sleep(5)  # what start-up left behind has had its time
    tree = _tree(process)
    before, began = _cpu_s(tree), time.monotonic()
    await asyncio.sleep(10)
    share = (_cpu_s(tree) - before) / (time.monotonic() - began)
    memory = [each.memory_full_info() for each in tree]
    return {
        "processes": len(tree),
        "idle_rss_mib": round(sum(each.rss for each in memory) / 2**20, 1),
        # Shared pages counted once: what the machine has less of.
        "idle_pss_mib": round(sum(getattr(each, "pss", each.rss) for each in memory) / 2**20, 1),
        "idle_cpu_percent": round(100 * share, 1),
    }


async def _reads(say: Callable[[str], None], directory: Path, running: Running) -> Figures:
    """CPU of a simple authenticated read, in the user service and in bare FastAPI with asyncpg."""
    say(f"{_READS} simple reads, and as many of a service without the chassis")
    async with aiohttp.ClientSession(running.url) as session:
        client = Client(session)
        await client.sign_in(running.customer.email, running.customer.password)
        me, token = await client.get("/api/users/me"), client.token
    service = psutil.Process(running.pids["user"])
    ours_us = await _read_cpu_us(service, _listening_port(service), token)
    port = free_port()
    env = {
        "DATABASE_URL": running.database_urls["user"],
        "PORT": str(port),
        "TOKEN": token,
        "USER_ID": me["id"],
    }
    bare = python_module("bare", "devstack.bare", log=directory / "bare.log", env=env)
    bare.start()
    try:
        bare.wait_ready(lambda: answers(port, "/openapi.json"))
        bare_us = await _read_cpu_us(psutil.Process(bare.pid), port, token)
    finally:
        bare.stop()
    return {
        "read_cpu_us": round(ours_us),
        "read_cpu_bare_us": round(bare_us),
        "read_cpu_ratio": round(ours_us / bare_us, 2),
    }


async def _read_cpu_us(process: psutil.Process, port: int, token: str) -> float:
    """Microseconds of CPU per read: the smallest of three rounds, the least disturbed one."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        headers = {"Authorization": f"Bearer {token}"}

        async def read(count: int) -> None:
            for _ in range(count):
                async with session.get("/api/users/me", headers=headers) as answer:
                    await answer.read()
                    answer.raise_for_status()

        async def a_round() -> float:
            before = _cpu_s([process])
            await asyncio.gather(*(read(_READS // _READERS) for _ in range(_READERS)))
            return (_cpu_s([process]) - before) / _READS * 1e6

        await read(200)
        return min([await a_round() for _ in range(3)])


def _listening_port(process: psutil.Process) -> int:
    (port,) = {
        each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN
    }
    return int(port)


def _up(directory: Path, port: int) -> Process:
    args = ["up", "--state", str(directory / "state"), "--port", str(port)]
    return python_module("shop", "devstack", *args, log=directory / "up.log", stop_timeout_s=60)


def _start(process: Process, directory: Path) -> float:
    process.start()
    ready = directory / "state" / "running.json"
    return _timed(lambda: process.wait_ready(ready.exists, timeout_s=180))


def _timed(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return round(time.monotonic() - began, 2)


def _tree(process: Process) -> list[psutil.Process]:
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in processes)


def _ms(seconds: Sequence[float], per_cent: float) -> float:
    return round(1000 * percentile(seconds, per_cent), 1)


def _write(path: Path, figures: Figures) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")


def _show(console: Console, figures: Figures, found: Sequence[str], path: Path) -> None:
    table = Table("figure", "measured", "bound", "kept")
    for name, value in figures.items():
        kind, bound = _BOUNDS.get(name, ("", None))
        kept = "" if bound is None else _kept(value, kind, bound)
        table.add_row(name, f"{value:g}", "" if bound is None else f"{kind} {bound:g}", kept)
    console.print(table)
    for breach in found[:20]:
        console.print(f"[red]{breach}[/]", highlight=False)
    console.print(f"The same in {path}.", highlight=False)


def _kept(value: float, kind: str, bound: float) -> str:
    return "[green]yes[/]" if (value <= bound if kind == "at most" else value >= bound) else "[red]no[/]"


def _parser() -> argparse.ArgumentParser:
    root = Path(os.environ.get(ROOT_VARIABLE) or Path.cwd())
    parser = argparse.ArgumentParser(prog="./pants bench", description=__doc__)
    parser.add_argument(
        "--rates",
        type=lambda text: [float(rate) for rate in text.split(",")],
        default=[20.0, 60.0],
        help="orders a second to sustain, one after the other (20,60)",
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long each is sustained (%(default)g)")
    parser.add_argument(
        "--calm-seconds", type=float, default=30, help="how long latency is measured, at 10/s (%(default)g)"
    )
    parser.add_argument("--output", type=Path, default=root / "dist" / "bench.json", help="(%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
