"""What a run is to do, as one file: the command writes it, Locust's master reads it and tells its workers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtests.errors import LoadError

VARIABLE = "MERCATO_LOAD_PLAN"
_INTERVALS = 120


@dataclass(frozen=True)
class Plan:
    """Visits that come, and what is known of whoever offers them.

    `rates` are visits a second, for each second. `think_s` is how long a visitor looks at an answer, on
    average. `ceiling` is what the generator can offer; None while that is being measured, and then the run
    ends as soon as it cannot keep up. With `only`, the name of a service, visits are single requests to it.
    `market` is a file that keeps who was made for a run for those that follow. A run that is not `judged` is
    written down as it was.
    """

    shape: str
    rates: tuple[float, ...]
    spread: str
    seed: int
    think_s: float
    customers: int
    objectives: str
    output: str
    host: str
    commit: str
    machine: str
    ceiling: dict[str, Any] | None
    cores: int = 1
    only: str = ""
    market: str = ""
    judged: bool = True

    @property
    def seconds(self) -> int:
        """How long visitors come."""
        return len(self.rates)

    @property
    def interval_s(self) -> float:
        """How finely is recorded what happens when."""
        return max(1.0, self.seconds / _INTERVALS)

    def write(self) -> Path:
        """Put it where its results will be; returns the file."""
        folder = Path(self.output)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "plan.json"
            path.write_text(json.dumps(asdict(self)) + "\n", "utf-8")
        except OSError as error:
            raise LoadError(
                f"{folder} cannot be written: {error.strerror}; name another by --output."
            ) from None
        return path


def parsed(said: Mapping[str, Any]) -> Plan:
    """A plan that was written, or told in a message."""
    return Plan(**{**said, "rates": tuple(said["rates"])})


def from_environment() -> Plan:
    """The plan that the environment names. Raises LoadError where it names none."""
    if VARIABLE not in os.environ:
        raise LoadError(f"{VARIABLE} names no plan: start Locust by ./pants load run.")
    return parsed(json.loads(Path(os.environ[VARIABLE]).read_text("utf-8")))
