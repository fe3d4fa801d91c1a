"""Pictures of a replay: the same bytes for the same replay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from loadtests.comparison import ORACLE, WHO, Replay
from loadtests.replicas import QUANTILE, RealRuns
from loadtests.simulator.queueing import Queueing
from loadtests.simulator.run import TICK_S

# More points than a picture is wide tell nothing.
_POINTS = 600
_SERIES = ("tab:blue", "tab:orange", "tab:green", "tab:purple")
_COLOURS = dict(zip(WHO, ("tab:blue", "tab:red", "tab:gray"), strict=True))


def draw(replay: Replay, path: Path) -> None:
    """Draw load, tasks and what was missed over time, into an SVG or PNG by the name of `path`."""
    with _style():
        figure = Figure(figsize=(9, 6), layout="constrained")
        load, tasks, missed = figure.subplots(3, 1, sharex=True)
        hours = np.arange(len(replay.outcomes[ORACLE].serving)) * TICK_S / 3600
        thin = slice(None, None, max(1, len(hours) // _POINTS))
        some = replay.outcomes[ORACLE]
        load.plot(hours[thin], (some.requests + some.messages)[thin] / TICK_S, color="black", linewidth=0.8)
        load.set_ylabel("asked a second")
        load.set_title(f"{replay.service}: {replay.shape.name}")
        for who in WHO:
            outcome = replay.outcomes[who]
            tasks.plot(hours[thin], outcome.serving[thin], label=who, color=_COLOURS[who], linewidth=0.8)
            ends = np.arange(1, len(outcome.missed) + 1) / 60
            missed.plot(ends, np.cumsum(outcome.missed), label=who, color=_COLOURS[who], linewidth=0.8)
        tasks.set_ylabel("tasks that serve")
        tasks.legend(loc="upper right")
        missed.set_ylabel("missed so far")
        missed.set_xlabel("hours")
        _save(figure, path)


def draw_real(runs: RealRuns, queueing: Queueing, path: Path) -> None:
    """Draw p95 of all requests over the rate: as measured, with its spread, and as the simulator has it."""
    with _style():
        figure = Figure(figsize=(9, 3.5), layout="constrained")
        axes = figure.subplots()
        for run, colour in zip(runs.run, _SERIES, strict=False):
            rates = [each.rate_per_s for each in run.seen]
            p95 = [each.p95_ms for each in run.seen]
            axes.vlines(
                rates,
                [each.lowest for each in p95],
                [each.highest for each in p95],
                color=colour,
                linewidth=0.6,
            )
            axes.plot(rates, [each.median for each in p95], "o", color=colour, markersize=4)
            simulated = [queueing.latency_ms(QUANTILE, [rate / run.replicas]) for rate in rates]
            axes.plot(rates, simulated, color=colour, linewidth=0.8, label=f"{run.replicas}, simulated")
            axes.axvline(run.carried_per_s.median, color=colour, linewidth=0.6, linestyle=":")
        axes.set_yscale("log")
        axes.set_xlabel("requests a second, over all replicas; dotted: what they carried")
        axes.set_ylabel("p95, ms")
        axes.set_title(runs.service)
        axes.legend(loc="upper left")
        _save(figure, path)


@contextmanager
def _style() -> Iterator[None]:
    # Names of parts would be others each time, but for the salt.
    with mpl.rc_context(
        {
            "svg.hashsalt": "mercato",
            "svg.fonttype": "none",
            "font.size": 8,
            "axes.grid": True,
            "grid.alpha": 0.3,
        }
    ):
        yield


def _save(figure: Figure, path: Path) -> None:
    # The date would be another, too.
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
