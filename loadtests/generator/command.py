"""`./pants load run`, `smoke`, `ceiling` and `worker`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from loadtests import checkout, forecast, objectives, shapes
from loadtests.arguments import whole
from loadtests.errors import LoadError
from loadtests.generator import arrivals, process, target
from loadtests.generator import ceiling as ceilings
from loadtests.generator.ceiling import Ceiling
from loadtests.generator.plan import Plan
from loadtests.generator.scenarios import ORDERS_PER_VISIT
from loadtests.shapes import Rates, Shape

SHAPES = ("steady", "steps", "spike", "flash-sale", "diurnal", "replay")
_LOOPBACK = "127.0.0.1"
_WEEK_WITHIN = 1008  # so that a week takes ten minutes
_COUNT = whole(1, 999_999)
_PORT = whole(1, 65_535)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    run = commands.add_parser("run", help="offer load of a shape, and judge it by the objectives")
    _add_shape(run)
    _add_common(run, customers=20, command="run")
    _add_spread(run)
    run.set_defaults(run=_run)
    smoke = commands.add_parser("smoke", help="a minute of light load, as after a deployment")
    smoke.add_argument("--rate", type=_rate, default=0.5, help="orders a second (%(default)g)")
    smoke.add_argument("--seconds", type=_COUNT, default=60, help="(%(default)d)")
    _add_common(smoke, customers=4, command="smoke")
    smoke.set_defaults(run=_smoke)
    ceiling = commands.add_parser("ceiling", help="measure what this generator can offer on one core")
    ceiling.set_defaults(run=_ceiling)
    worker = commands.add_parser("worker", help="offer a share of the load of a run on another machine")
    worker.add_argument("--master-host", required=True)
    worker.add_argument("--master-port", type=_PORT, default=5557, help="(%(default)d)")
    worker.add_argument("--processes", type=_COUNT, default=1, help="how many of this machine (%(default)d)")
    worker.set_defaults(run=_worker)


def _run(arguments: argparse.Namespace) -> int:
    return _offer(arguments, course(arguments))


def _smoke(arguments: argparse.Namespace) -> int:
    light = Shape("smoke", shapes.steady(arguments.rate, arguments.seconds))
    arguments.spread, arguments.seed = arrivals.POISSON, 1
    arguments.processes, arguments.expect_workers = 1, 0
    return _offer(arguments, light)


def _ceiling(arguments: argparse.Namespace) -> int:
    _say_ceiling(ceilings.measure(_ceiling_file(arguments.root)))
    return 0


def _worker(arguments: argparse.Namespace) -> int:
    target.of_environment("")  # says now what would be missing later
    command = process.locust(
        *("--worker", "--master-host", arguments.master_host, "--master-port", str(arguments.master_port)),
        *(("--processes", str(arguments.processes)) if arguments.processes > 1 else ()),
    )
    return process.become(command, process.environment())


def _offer(arguments: argparse.Namespace, shape: Shape) -> int:
    """Check all that can be checked before load is offered, then become Locust."""
    root: Path = arguments.root
    shop = target.find(arguments.host, arguments.state or root / ".mercato", arguments.allow_host)
    promised = arguments.objectives or root / "loadtests" / "objectives.toml"
    objectives.load(promised)
    target.check(shop)
    rates = shape.rates / ORDERS_PER_VISIT
    limit = ceilings.known(_ceiling_file(root))
    if limit is None:
        sys.stdout.write("measuring first what this generator can offer …\n")
        sys.stdout.flush()
        limit = ceilings.measure(_ceiling_file(root))
        _say_ceiling(limit)
    cores = arguments.expect_workers or min(arguments.processes, os.cpu_count() or 1)
    within(limit, float(rates.max()), cores)
    plan = Plan(
        shape=shape.name,
        rates=tuple(map(float, rates)),
        spread=arguments.spread,
        seed=arguments.seed,
        think_s=arguments.think,
        customers=arguments.customers,
        objectives=str(promised.absolute()),
        output=str((arguments.output or root / "dist" / "load" / arguments.command).absolute()),
        host=shop.url,
        commit=_commit(root),
        machine=limit.machine,
        ceiling=asdict(limit),
        cores=cores,
    )
    environment = process.environment(plan.write(), shop)
    sys.stdout.write(
        f"{shape.name} on {shop.url}: {float(shape.rates.max()):g} orders/s at most, "
        f"in {float(rates.max()):.1f} visits/s, for {shape.seconds} s\n"
    )
    return process.become(process.locust("--host", shop.url, *distributed(arguments)), environment)


def within(limit: Ceiling, visits_per_s: float, cores: int) -> None:
    """Raises LoadError where a run would go beyond what this generator can offer."""
    if visits_per_s > limit.visits_per_s * cores:
        raise LoadError(
            f"{visits_per_s:.0f} visits/s are asked for, and this generator can offer "
            f"{limit.visits_per_s:.0f} on a core and has {cores}: it would measure itself; "
            "lower the rate, or add --processes or workers."
        )


def distributed(arguments: argparse.Namespace) -> Sequence[str]:
    """What Locust is told of where workers and master find each other."""
    if arguments.expect_workers:
        return (
            *(
                "--master",
                "--expect-workers",
                str(arguments.expect_workers),
                "--expect-workers-max-wait",
                "120",
            ),
            *("--master-bind-host", arguments.bind_host, "--master-bind-port", str(arguments.bind_port)),
        )
    if arguments.processes > 1:
        port = str(process.free_port())
        return (
            *("--processes", str(arguments.processes), "--master-host", _LOOPBACK, "--master-port", port),
            *("--master-bind-host", _LOOPBACK, "--master-bind-port", port),
        )
    return ()


def course(arguments: argparse.Namespace) -> Shape:
    """The shape that the arguments describe, in orders a second."""
    if arguments.shape == "replay":
        if arguments.csv is None:
            raise LoadError("replay needs to know what: --csv FILE with the columns second,rate.")
        rates = shapes.replay(arguments.csv)
    elif arguments.shape == "diurnal":
        expected = forecast.load(arguments.forecast or arguments.root / "loadtests" / "forecast.toml")
        # The one that the simulator replays.
        *_, week = shapes.days_of(expected, arguments.seed)
        rates = week.rates
    else:
        rates = _simple(arguments)
    rates = _faster(rates, arguments.faster or (_WEEK_WITHIN if arguments.shape == "diurnal" else 1))
    rates = rates * arguments.times
    if not rates.max() > 0:
        raise LoadError("nobody would come: each rate of the shape is 0.")
    return Shape(arguments.shape, rates)


def _simple(arguments: argparse.Namespace) -> Rates:
    base, top, seconds = arguments.rate, arguments.top or 5 * arguments.rate, arguments.seconds
    third = seconds // 3
    rest = seconds - 2 * third
    match arguments.shape:
        case "steps":
            rates = arguments.rates or [base * step for step in (1, 2, 3, 4)]
            return shapes.steps(rates, max(1, seconds // len(rates)))
        case "spike":
            rise = max(1, third // 10)
            return shapes.spike(base, top, third, rise, max(1, third - 2 * rise), rest)
        case "flash-sale":
            return shapes.flash_sale(base, top, third, third, rest)
        case _:
            return shapes.steady(base, seconds)


def _faster(rates: Rates, times: int) -> Rates:
    """So many seconds of a shape in each of the run, at their mean rate."""
    if times > len(rates):
        raise LoadError(f"--faster {times} leaves nothing of a shape of {len(rates)} s.")
    return np.asarray(rates[: len(rates) // times * times].reshape(-1, times).mean(axis=1))


def _ceiling_file(root: Path) -> Path:
    return root / "dist" / "load" / "ceiling.json"


def _say_ceiling(limit: Ceiling) -> None:
    sys.stdout.write(
        f"{limit.visits_per_s:.0f} visits/s, {limit.requests_per_s:.0f} requests/s "
        f"on one core of {limit.machine}\n"
    )


def _commit(root: Path) -> str:
    """As a report has it. Where there is no git, as after a deployment, the environment says it."""
    found = checkout.commit(root)
    if found is None:
        return os.environ.get("GIT_COMMIT", "unknown")
    return found + (" with changes" if checkout.changed(root) else "")


def _add_shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shape", choices=SHAPES, default="steady", help="(%(default)s)")
    parser.add_argument(
        "--rate", type=_rate, default=1.0, help="orders a second, or the lower ones (%(default)g)"
    )
    parser.add_argument("--top", type=_rate, help="the highest of spike and flash-sale (5 times --rate)")
    parser.add_argument("--rates", type=_rates, metavar="R,R,…", help="of steps (1, 2, 3 and 4 times --rate)")
    parser.add_argument("--seconds", type=_COUNT, default=60, help="how long all of it takes (%(default)d)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="what to replay: columns second,rate")
    parser.add_argument(
        "--forecast", type=Path, metavar="FILE", help="of the diurnal week (loadtests/forecast.toml)"
    )
    parser.add_argument(
        "--faster", type=_COUNT, metavar="N", help=f"N seconds of a shape in one (1; diurnal: {_WEEK_WITHIN})"
    )
    parser.add_argument(
        "--times", type=_rate, default=1.0, metavar="F", help="F times all rates (%(default)g)"
    )


def _add_spread(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spread", choices=(arrivals.POISSON, arrivals.EVEN), default=arrivals.POISSON)
    parser.add_argument("--seed", type=int, default=1, help="what is drawn follows from it (%(default)d)")
    parser.add_argument("--processes", type=_COUNT, default=1, help="of this machine (%(default)d)")
    parser.add_argument(
        "--expect-workers",
        type=whole(0, 999),
        default=0,
        metavar="N",
        help="wait for so many, started by ./pants load worker",
    )
    parser.add_argument("--bind-host", default=_LOOPBACK, help="where workers find this one (%(default)s)")
    parser.add_argument("--bind-port", type=_PORT, default=5557, help="(%(default)d)")


def _add_common(parser: argparse.ArgumentParser, *, customers: int, command: str) -> None:
    parser.add_argument("--host", help="URL of another gateway than that of the shop that runs here")
    parser.add_argument("--allow-host", metavar="NAME", help="load this host though it may be production")
    parser.add_argument("--state", type=Path, metavar="FOLDER", help="as of ./pants up (.mercato)")
    parser.add_argument("--customers", type=_COUNT, default=customers, help="made first (%(default)d)")
    parser.add_argument("--think", type=_think, default=1.0, help="seconds between requests (%(default)g)")
    parser.add_argument(
        "--objectives", type=Path, metavar="FILE", help="to judge by (loadtests/objectives.toml)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help=f"where the report goes (dist/load/{command})"
    )


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 < rate < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate: a number above 0")
    return rate


def _rates(text: str) -> list[float]:
    return [_rate(each) for each in text.split(",")]


def _think(text: str) -> float:
    return 0.0 if text == "0" else _rate(text)
