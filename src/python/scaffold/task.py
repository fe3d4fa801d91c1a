"""What the author of a new service has to decide: each with the line where it is decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from scaffold.name import Name, Refused


@dataclass(frozen=True)
class Task:
    """Something to decide, at the first line of `file` that has `mark`. Both may have `{name}` in them."""

    what: str
    file: str
    mark: str


_OWN = "src/python/services/{name}"
_INFRA = "src/python/infra"
TASKS = (
    Task(
        "what it keeps: the name of the thing and its fields; here, in store.py and in api.py",
        _OWN + "/domain.py",
        "class ",
    ),
    Task(
        "who may read it; access_test.py has a rule for each operation", _OWN + "/domain.py", "may_be_seen_by"
    ),
    Task(
        "what becomes of it: so far it is neither changed nor deleted", _OWN + "/ends_test.py", "GOING_ON ="
    ),
    Task(
        "for how long it is kept: so far for ever; answers that are saved, for two days",
        _OWN + "/app.py",
        "components=",
    ),
    Task("what it says of itself in its document", _OWN + "/app.py", "description="),
    Task(
        "how many tasks it has, and of which size: by hand, nothing was measured",
        _INFRA + "/scaling/{name}.toml",
        'kind = "by hand"',
    ),
    Task("that it is measured at night: a name more here", ".github/workflows/nightly.yml", "service: ["),
    Task("what an order takes of it: so far nothing", _INFRA + "/assumptions.toml", 'service = "{name}"'),
    Task(
        "the size of its database: the smallest, as plain services have it, and docs/deployment/cost.md says "
        "what it costs; for another one it needs a stack of its own, and a line in infra/app.py",
        _INFRA + "/stacks/plain.py",
        "SIZE = ",
    ),
    Task("its objective: that of all services", _INFRA + "/constructs/service_alarms.py", "OBJECTIVE = "),
    Task(
        "when it is too slow: its alarm's threshold is that of all services",
        _INFRA + "/constructs/service_alarms.py",
        '"LatencyHigh"',
    ),
    Task("who is told of its alarms: who is told of all", _INFRA + "/environment.py", "alert_email:"),
    Task(
        "which events it publishes and hears: so far none; README.md says how, under Add an event",
        "src/python/contracts/topology.py",
        "QUEUES = ",
    ),
    Task(
        "what others rely on, once somebody calls it: their pacts, states.py beside its own, a test in gate, "
        "and its name here; it relies on user's keys alone",
        "src/python/gate/verification.py",
        "PROVIDERS:",
    ),
    Task(
        "how one sees that the gates guard its routes: mutations of them, so far none",
        "src/python/gate/mutations.py",
        "BREAKING = ",
    ),
    Task(
        "what it may not leave undone, once it has jobs", "src/python/devstack/invariants.py", "_WAITING = "
    ),
    Task(
        "what people read of it: a row here, and its part in the pictures",
        "README.md",
        "| notification | `/api/",
    ),
    Task("who looks after it, and what is to be done when it fails", "docs/operations.md", "# Operations"),
)


def listed(name: Name, read: Callable[[PurePosixPath], str]) -> list[str]:
    """Each task as `FILE:LINE  WHAT`, in files as `read` has them. Raises Refused where a line is gone."""
    return [_said(task, name, read) for task in TASKS]


def _said(task: Task, name: Name, read: Callable[[PurePosixPath], str]) -> str:
    file, mark = (each.replace("{name}", name.text) for each in (task.file, task.mark))
    for number, line in enumerate(read(PurePosixPath(file)).splitlines(), start=1):
        if mark in line:
            return f"{file}:{number}  {task.what}"
    raise Refused(f"{file} has no line with {mark!r}: mend it, or src/python/scaffold/task.py.")
