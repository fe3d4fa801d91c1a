"""Holds a process to the size of a task: by the kernel where it lets us, else by reckoning.

By the kernel: a control group with the task's share of a CPU and its memory, as ECS makes one of a task
(https://docs.kernel.org/scheduler/sched-bwc.html, https://docs.kernel.org/admin-guide/cgroup-v2.html).

By reckoning: the process has one core to itself. A task with a quarter of it does the same four times as
slowly; so what is offered four times as fast, and takes a quarter of the time, is what the task would meet.
Waiting for others is stretched with it, so that the task is found slower than it is, and not faster.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from infra.scaling.policy import Task

CGROUPS = Path("/sys/fs/cgroup")
# The kernel's own default: what is used up before it ends is waited for until then.
_PERIOD_US = 100_000


class Hold(Protocol):
    """Something that holds processes to the size of a task."""

    by: Literal["cgroup", "accounting"]

    @property
    def stretch(self) -> float:
        """How many seconds of the task one of the process is."""

    def held(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` held."""

    def close(self) -> None:
        """Let go, once what was held has ended."""


@dataclass
class Cgroup:
    """The kernel holds it. `folders` are those of the groups that a process joins."""

    folders: Sequence[Path]
    by: Literal["cgroup", "accounting"] = field(default="cgroup", init=False)

    @property
    def stretch(self) -> float:
        """None: it is as slow as the task."""
        return 1.0

    def held(self, command: Sequence[str]) -> list[str]:
        """A shell that joins and then becomes the command, so that none of its children escapes."""
        joins = "".join(f"echo $$ >{shlex.quote(str(each / 'cgroup.procs'))} && " for each in self.folders)
        return ["/bin/sh", "-c", f'{joins}exec "$@"', "held", *command]

    def close(self) -> None:
        """Remove the groups; one that is not empty stays, and with it what runs in it stays held."""
        for folder in self.folders:
            with suppress(OSError):
                folder.rmdir()


@dataclass
class Accounting:
    """A core of its own, and times and rates reckoned from that."""

    task: Task
    core: int
    by: Literal["cgroup", "accounting"] = field(default="accounting", init=False)

    @property
    def stretch(self) -> float:
        """As many as the task has less of a core."""
        return 1024 / self.task.cpu

    def held(self, command: Sequence[str]) -> list[str]:
        """The command, kept to one core."""
        return ["taskset", "--cpu-list", str(self.core), *command]

    def close(self) -> None:
        """Nothing is held."""


def hold(task: Task, name: str, cgroups: Path = CGROUPS) -> Hold:
    """Whoever can hold a process to `task` here. `name` is of the group, and nobody else's."""
    unified = (cgroups / "cgroup.controllers").exists()
    try:
        return Cgroup(_unified(task, cgroups / name) if unified else _by_controller(task, cgroups, name))
    except OSError:
        return Accounting(task, core=max(os.sched_getaffinity(0)))


def _unified(task: Task, folder: Path) -> Sequence[Path]:
    """Version 2: one tree."""
    (folder.parent / "cgroup.subtree_control").write_text("+cpu +memory")
    return [_made(folder, {"cpu.max": f"{_quota_us(task)} {_PERIOD_US}", "memory.max": _memory(task)})]


def _by_controller(task: Task, cgroups: Path, name: str) -> Sequence[Path]:
    """Version 1: a tree for each controller."""
    cpu = {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(_quota_us(task))}
    made = [_made(cgroups / "cpu" / name, cpu)]
    try:
        made.append(_made(cgroups / "memory" / name, {"memory.limit_in_bytes": _memory(task)}))
    except OSError:
        made[0].rmdir()
        raise
    return made


def _made(folder: Path, says: dict[str, str]) -> Path:
    folder.mkdir()
    try:
        for name, text in says.items():
            (folder / name).write_text(text)
    except OSError:
        with suppress(OSError):
            folder.rmdir()
        raise
    return folder


def _quota_us(task: Task) -> int:
    return task.cpu * _PERIOD_US // 1024


def _memory(task: Task) -> str:
    return str(task.memory_mib * 1024 * 1024)
