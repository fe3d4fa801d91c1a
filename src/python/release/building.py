"""A small shop in a Git repository of its own, with the real contracts, for the tests of releases."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import contracts
from contracts import services
from release.graph import Graph
from release.plan import Planned, plan
from release.repository import Repository
from release.thing import THINGS

_CONTRACTS = Path(next(iter(contracts.__path__)))
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "test"), ("EMAIL", "test@localhost"))
}
# Whatever the machine has set for Git is none of the tests' business.
_ENVIRONMENT = {**_IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

SERVICES = "src/python/services"
CHASSIS = "src/python/chassis"
EVENTS = "src/python/contracts/events"
REGISTRY = "src/python/contracts/registry"
LOCK = "3rdparty/python/shop/lock.txt"

_TOPICS = {
    "order": ("order_events", "notification_events"),
    "payment": ("payment_events",),
    "product": ("inventory_events",),
    "user": ("user_events", "notification_events"),
}
# Besides pydantic, which all have. Those who refuse what is too long ship a module of the chassis for it.
_LIBRARIES = {"notification": ["jinja2"], "user": ["argon2-cffi"]}
_LIMITED = ("order", "payment")

_LOCK = """\
argon2-cffi==23.1.0 \\
    --hash=sha256:01
    # via -r requirements.txt
jinja2==3.1.4 \\
    --hash=sha256:02
    # via -r requirements.txt
markupsafe==2.1.5 \\
    --hash=sha256:03
    # via jinja2
pydantic==2.9.0 \\
    --hash=sha256:04
    # via
    #   -r requirements.txt
    #   pydantic-settings
pydantic-core==2.23.2 \\
    --hash=sha256:05
    # via pydantic
pytest==8.3.3 \\
    --hash=sha256:06
    # via -r requirements.txt
"""


class Shop:
    """The repository, and the graph that Pants would tell of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.targets = list(_targets())

    @property
    def repository(self) -> Repository:
        """As it is now: one remembers what it has seen."""
        return Repository(self.root)

    def plan(self) -> dict[str, Planned]:
        """What is to be released."""
        return plan(Graph(self.targets), self.repository)

    def due(self) -> dict[str, str]:
        """The next version of each thing that is to be released."""
        return {name: str(each.version()) for name, each in self.plan().items() if each.is_due}

    def git(self, *arguments: str) -> str:
        """What Git says."""
        environment = os.environ | _ENVIRONMENT
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def read(self, path: str) -> str:
        """The text of a file."""
        return (self.root / path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        """Write a file, as an editor would: without telling Git."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Put `new` in the place of `old`, which has to be there."""
        text = self.read(path)
        assert old in text, f"{path} has no {old!r}"
        self.write(path, text.replace(old, new))

    def edit_document(self, path: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change a document of the registry."""
        document = json.loads(self.read(f"{REGISTRY}/{path}"))
        change(document)
        self.write(f"{REGISTRY}/{path}", json.dumps(document, indent=2) + "\n")

    def commit(self, message: str) -> None:
        """Commit all there is."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def tag(self) -> None:
        """Release everything as 1.0.0."""
        for thing in THINGS:
            self.git("tag", thing.tag("1.0.0"))

    def state(self) -> tuple[str, str, str]:
        """All that a release could change: branches and tags, what differs from them, and what is staged."""
        refs = self.git("for-each-ref")
        return refs, self.git("status", "--porcelain"), self.git("ls-files", "--stage")


def shop(root: Path) -> Shop:
    """A shop of which everything is committed, and nothing was released."""
    made = Shop(root)
    for path, text in _files().items():
        made.write(path, text)
    shutil.copytree(
        _CONTRACTS,
        root / "src/python/contracts",
        ignore=shutil.ignore_patterns("__pycache__"),
        dirs_exist_ok=True,
    )
    for thing in THINGS:
        made.write(thing.version_file, "1.0.0\n")
        made.write(thing.changelog_file, f"# Changelog of {thing.name}\n\n## 1.0.0\n\n- All of it.\n")
    made.git("init", "--quiet", "--initial-branch=main")
    for key, value in (("user.name", "test"), ("user.email", "test@localhost")):
        made.git("config", key, value)
    made.commit("feat: a shop")
    return made


def _files() -> dict[str, str]:
    of_services = {
        f"{SERVICES}/{name}/{file}": text
        for name in services.SERVICES
        for file, text in (
            ("app.py", f"NAME = '{name}'\n"),
            ("app_test.py", "def test_it() -> None: ...\n"),
            ("settings.py", "".join(f"{topic}_topic_arn: str\n" for topic in _TOPICS.get(name, ()))),
            ("migrations/0001_first.py", "revision = 1\n"),
            ("migrations/0002_second.py", "revision = 2\n"),
        )
    }
    return of_services | {
        f"{CHASSIS}/clock.py": "def now() -> int: ...\n",
        f"{CHASSIS}/body_limit.py": "LIMIT = 1\n",
        "src/python/infra/app.py": "STACKS = ()\n",
        "src/python/infra/nag.py": "RULES = ()\n",
        "src/python/infra/environments/prod.toml": "copies = 2\n",
        LOCK: _LOCK,
        "3rdparty/python/infra/lock.txt": "aws-cdk-lib==2.1.0\n    # via -r requirements.txt\n",
    }


def target(address: str, dependencies: Iterable[str] = (), **fields: Any) -> dict[str, Any]:
    """As Pants describes one."""
    return {"address": address, "dependencies": list(dependencies)} | fields


def source(path: str, *dependencies: str, address: str | None = None) -> dict[str, Any]:
    """The target of a file."""
    return target(address or path, dependencies, sources=[path])


def _targets() -> Iterable[dict[str, Any]]:
    for name in services.SERVICES:
        yield from _service(name)
    yield source(f"{CHASSIS}/clock.py")
    yield source(f"{CHASSIS}/body_limit.py")
    for name in ("pydantic", "jinja2", "argon2-cffi", "pytest"):
        requirement = f"3rdparty/python/shop:reqs#{name}"
        yield target(requirement, [f"{LOCK}:_lock"], requirements=[f"{name}>=1"])
    yield source(LOCK, address=f"{LOCK}:_lock")
    yield from _contracts()
    yield target("3rdparty/python/infra:reqs#aws-cdk-lib", requirements=["aws-cdk-lib"])
    topology = "src/python/contracts/topology.py@resolve=shop"
    cdk = "3rdparty/python/infra:reqs#aws-cdk-lib"
    yield source(
        "src/python/infra/app.py",
        cdk,
        topology,
        "src/python/infra:data",
        address="src/python/infra/app.py:lib",
    )
    yield source("src/python/infra/environments/prod.toml", address="src/python/infra:data")


def _service(name: str) -> Iterable[dict[str, Any]]:
    folder = f"{SERVICES}/{name}"
    libraries = [f"3rdparty/python/shop:reqs#{each}" for each in ("pydantic", *_LIBRARIES.get(name, ()))]
    limited = [f"{CHASSIS}/body_limit.py"] if name in _LIMITED else []
    modules = [
        f"{folder}/settings.py",
        f"{folder}/migrations/0001_first.py",
        f"{folder}/migrations/0002_second.py",
    ]
    shared = [f"{CHASSIS}/clock.py", "src/python/contracts/topology.py@resolve=shop"]
    yield target(f"{folder}:sources", [f"{folder}/app.py"])
    yield target(f"{folder}:libraries", [f"{folder}/app.py"])
    yield source(f"{folder}/app.py", f"{folder}:version", *modules, *limited, *shared, *libraries)
    yield source(f"{folder}/VERSION", address=f"{folder}:version")
    yield source(f"{folder}/app_test.py", f"{folder}/app.py", "3rdparty/python/shop:reqs#pytest")
    for each in modules:
        yield source(each)


def _contracts() -> Iterable[dict[str, Any]]:
    folder = "src/python/contracts"
    events = [
        f"{EVENTS}/{each.name}"
        for each in sorted((_CONTRACTS / "events").glob("*.py"))
        if "_test" not in each.name
    ]
    modules = [f"{folder}/money.py", f"{folder}/topology.py"]
    yield target(f"{folder}@resolve=shop", [f"{each}@resolve=shop" for each in modules])
    yield target(f"{EVENTS}@resolve=shop", [f"{each}@resolve=shop" for each in events])
    for each in (f"{folder}/money.py", *events):
        yield source(each, address=f"{each}@resolve=shop")
    shipped = [f"{each}@resolve=shop" for each in (f"{folder}/money.py", *events)]
    yield source(f"{folder}/topology.py", *shipped, address=f"{folder}/topology.py@resolve=shop")
