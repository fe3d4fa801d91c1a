"""Requests to one service at given rates, by the generator of load, and what was taken down of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.errors import LoadError
from loadtests.generator import arrivals, asks, process
from loadtests.generator.plan import Plan
from loadtests.generator.record import Record, quantile_ms
from loadtests.generator.report import RESULT
from loadtests.generator.target import Target
from loadtests.generator.verdict import LAG_BOUND_MS

# Preparing and draining included.
_MORE_S = 240.0


@dataclass(frozen=True)
class Offered:
    """What was taken down, and when it began by `time.perf_counter`."""

    record: Record
    began: float


@dataclass
class Generator:
    """Offers requests to `service` at `target`. Who is made for that is kept in `folder`."""

    service: str
    target: Target
    folder: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    _number: int = 0

    @property
    def market(self) -> Path:
        """Who was made."""
        return self.folder / "market.json"

    @property
    def _name(self) -> str:
        return f"{self.service.replace(' ', '-')}-{self._number}"

    def prepare(self) -> None:
        """Make customers and what they need. Raises LoadError."""
        self.offer((0.0,), seed=0)

    def offer(self, rates: Sequence[float], seed: int) -> Offered:
        """Offer so many requests in each second. Raises LoadError where they did not leave in time."""
        self._number += 1
        plan = Plan(
            shape="ladder",
            rates=tuple(rates),
            spread=arrivals.POISSON,
            seed=seed,
            think_s=0.0,
            customers=asks.customers(self.service),
            objectives="",
            output=str(self.folder / self._name),
            host=self.target.url,
            commit="",
            machine="",
            ceiling={},
            only=self.service,
            market=str(self.market),
            judged=False,
        )
        environment = {**process.environment(plan.write(), self.target), **self.secrets}
        self._run(environment, _MORE_S + plan.seconds)
        said = json.loads((Path(plan.output) / RESULT).read_text("utf-8"))
        record = Record(plan.interval_s)
        record.add(said["record"])
        _refuse(said["troubles"], record)
        return Offered(record, float(said["began"]))

    def _run(self, environment: Mapping[str, str], within_s: float) -> None:
        command = process.locust("--host", self.target.url)
        log = self.folder / self._name / "locust.log"
        try:
            with log.open("wb") as out:
                done = subprocess.run(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    timeout=within_s,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise LoadError(f"requests were still under way after {within_s:.0f} s.") from None
        if done.returncode != 0:
            raise LoadError(
                f"nothing was offered: {log.read_text('utf-8', errors='replace')[-1000:].strip()}"
            )


def _refuse(troubles: Sequence[str], record: Record) -> None:
    """What says nothing of the service."""
    if troubles or record.puzzles:
        raise LoadError("; ".join([*troubles, *(text for (text,) in record.puzzles)]))
    lag = quantile_ms(record.lags(), 99)
    if lag > LAG_BOUND_MS:
        raise LoadError(
            f"1% of the requests left more than {lag:.0f} ms late, and {LAG_BOUND_MS:.0f} ms are allowed: "
            "this machine is too busy to measure on."
        )
