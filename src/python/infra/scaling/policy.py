"""How many tasks a service has, and where that comes from: one file per service beside this module."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

_FOLDER = Path(__file__).parent

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
_FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
}


class PolicyError(Exception):
    """A scaling file is missing or cannot be used; the message says which and why."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Provenance(_Part):
    """Where the numbers of a policy come from."""

    kind: Literal["by hand", "measured"]
    source: Annotated[str, Field(min_length=1, description="a report, or the reason, in a sentence")]
    profile: (
        Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", description="of what it was derived")] | None
    ) = None

    @model_validator(mode="after")
    def _names_its_profile(self) -> Self:
        if (self.kind == "measured") != (self.profile is not None):
            raise ValueError("what was measured, and nothing else, names its profile")
        return self


class Task(_Part):
    """What a task is given: CPU units (1024 are a vCPU) and MiB."""

    cpu: int
    memory_mib: int

    @model_validator(mode="after")
    def _exists(self) -> Self:
        sizes = _FARGATE_MEMORY.get(self.cpu)
        if sizes is None or self.memory_mib not in sizes:
            raise ValueError(f"Fargate has no task of {self.cpu} CPU units and {self.memory_mib} MiB")
        return self


class Bounds(_Part):
    """Between how many tasks the service is scaled, and with how many it begins."""

    minimum: Annotated[int, Field(ge=1)]
    desired: int
    maximum: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.minimum <= self.desired <= self.maximum:
            raise ValueError("minimum <= desired <= maximum is not so")
        return self


class TargetTracking(_Part):
    """Keep the average of a metric over all tasks at `target_percent`; it is published each `period_s`."""

    metric: Literal["cpu", "memory"]
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/target-tracking-faster-auto-scaling.html
    period_s: Literal[20, 60] = 60
    target_percent: Annotated[float, Field(gt=0, le=100)]
    scale_in_cooldown_s: Annotated[int, Field(ge=0)]
    scale_out_cooldown_s: Annotated[int, Field(ge=0)]


class Saturation(_Part):
    """From `from_percent` of the CPU on, which then tells no more how much is asked: more tasks at once."""

    from_percent: Annotated[float, Field(gt=0, lt=100)]
    add_percent: Annotated[int, Field(gt=0)]
    cooldown_s: Annotated[int, Field(ge=0)]
    period_s: Literal[20, 60] = 60


class Step(_Part):
    """From `from_messages` waiting on, up to the next step, this many tasks are added."""

    from_messages: Annotated[int, Field(ge=0)]
    add_tasks: Annotated[int, Field(ge=0)]


class QueueSteps(_Part):
    """Add tasks by how many messages wait in the service's queue."""

    steps: Annotated[tuple[Step, ...], Field(min_length=2)]
    cooldown_s: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        starts = [step.from_messages for step in self.steps]
        if starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("steps begin at 0 messages and rise")
        added = [step.add_tasks for step in self.steps]
        if added != sorted(added):
            raise ValueError("more messages must not add fewer tasks")
        return self


class Scheduled(_Part):
    """From a time on, other bounds. `cron` is of EventBridge's kind, in `timezone`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    cron: Annotated[str, Field(pattern=r"^cron\(.+\)$")]
    timezone: str = "UTC"
    minimum: Annotated[int, Field(ge=0)]
    maximum: Annotated[int, Field(ge=1)]


class ScalingPolicy(_Part):
    """How a service scales."""

    service: str
    provenance: Provenance
    task: Task
    bounds: Bounds
    target_tracking: tuple[TargetTracking, ...] = ()
    saturation: Saturation | None = None
    queue: QueueSteps | None = None
    scheduled: tuple[Scheduled, ...] = ()
    orders_per_s_and_task: Annotated[
        float, Field(gt=0, description="what a task carries of a shop that takes so many orders a second")
    ]

    @model_validator(mode="after")
    def _scales(self) -> Self:
        metrics = [each.metric for each in self.target_tracking]
        if len(set(metrics)) != len(metrics):
            raise ValueError("a metric is tracked twice")
        if self.bounds.minimum < self.bounds.maximum and not (metrics or self.queue):
            raise ValueError("nothing makes it scale: neither target_tracking nor queue")
        if (self.queue or self.saturation) and not metrics:
            raise ValueError("queue and saturation only add: without target_tracking nothing takes away")
        return self


def load(service: str, folder: Path = _FOLDER) -> ScalingPolicy:
    """The policy in `service`.toml. Raises PolicyError, naming what is wrong in which file."""
    path = folder / f"{service}.toml"
    try:
        policy = ScalingPolicy(**tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise PolicyError(f"{path.name}: there is no such scaling file; every service has one.") from None
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path.name} is no TOML: {error}.") from None
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, item['loc'])) or 'policy'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise PolicyError(f"{path.name}: " + "; ".join(lines) + ".") from None
    if policy.service != service:
        raise PolicyError(f"{path.name} is of {policy.service}.")
    return policy
