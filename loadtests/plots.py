"""Pictures of a replay: the same bytes for the same replay."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from loadtests.comparison import ORACLE, WHO, Replay
from loadtests.simulator.run import TICK_S

# More points than a picture is wide tell nothing.
_POINTS = 1200
_COLOURS = dict(zip(WHO, ("tab:blue", "tab:red", "tab:gray"), strict=True))


def draw(replay: Replay, path: Path) -> None:
    """Draw load, tasks and what was missed over time, into an SVG or PNG by the name of `path`."""
    # Names of parts and the date would be others each time.
    with mpl.rc_context({"svg.hashsalt": "mercato", "font.size": 8, "axes.grid": True, "grid.alpha": 0.3}):
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
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
