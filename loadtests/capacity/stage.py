"""The shop around the service that is measured: started without it, in a folder of its own."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.services import SERVICES
from contracts.topology import QUEUES
from loadtests.capacity import process
from loadtests.capacity.process import Left
from loadtests.capacity.queue import client
from loadtests.errors import LoadError
from loadtests.generator.process import free_port
from loadtests.generator.target import Target

# Packaged first, where it was not before.
_OPENS_WITHIN_S = 900.0
_CLOSES_WITHIN_S = 60.0
_URL_SUFFIX = "_QUEUE_URL"


@dataclass(frozen=True)
class Stage:
    """A shop that runs, but for the replicas `left` of one service."""

    service: str
    folder: Path
    running: Mapping[str, Any]
    left: Sequence[Left]

    @property
    def target(self) -> Target:
        """Behind the gateway, where there is no limit of rates."""
        admin = self.running["admin"]
        return Target(self.running["internal_url"], admin["email"], admin["password"])

    @property
    def aws(self) -> Mapping[str, str]:
        """The environment that names the broker."""
        return dict(self.running["aws"])

    @property
    def queue_url(self) -> str | None:
        """The queue that the service reads, if it does."""
        named = [queue.name for queue in QUEUES if queue.consumer == self.service]
        return self.running["queue_urls"][named[0]] if named else None

    @property
    def queue_variable(self) -> str:
        """The variable of the service's environment that has it."""
        return next(name for name in self.left[0].environment if name.endswith(_URL_SUFFIX))

    def substitute(self) -> str:
        """Another queue, in which nothing ever comes."""
        made = client(self.aws).create_queue(QueueName=f"nothing-for-{self.service}")
        return str(made["QueueUrl"])

    def others(self, *, but: Sequence[str] = ()) -> list[int]:
        """The processes of the services around it, without those named."""
        names = [
            name
            for name in self.running["pids"]
            if (service := re.sub(r"-\d$", "", name)) in SERVICES and service not in but
        ]
        return [int(self.running["pids"][name]) for name in names]

    def log(self, name: str) -> Path:
        """Where a replica that we start says what it does."""
        return self.folder / f"{name}.log"


@contextmanager
def stage(root: Path, service: str, replicas: int = 1) -> Iterator[Stage]:
    """The shop of the checkout `root` without `service`, of which there are to be so many replicas.

    Raises LoadError where it does not open.
    """
    with tempfile.TemporaryDirectory(prefix="mercato-capacity-") as name:
        folder = Path(name)
        state, log = folder / "state", folder / "up.log"
        # fmt: off
        command = [
            str(root / "pants"), "up", "--port", str(free_port()), "--state", str(state),
            "--leave", service, "--replicas", f"{service}={replicas}",
        ]
        # fmt: on
        with (
            log.open("wb") as out,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=root
            ) as shop,
        ):
            try:
                running = _opened(shop, state / "running.json", log)
                left = [
                    Left(each["name"], each["port"], each["command"], each["environment"])
                    for each in running["left"]
                ]
                found = Stage(service, folder, running, left)
                try:
                    yield found
                finally:
                    process.thaw(found.others())
            finally:
                _close(shop)


def _opened(shop: subprocess.Popen[bytes], file: Path, log: Path) -> Mapping[str, Any]:
    until = time.monotonic() + _OPENS_WITHIN_S
    while not file.exists():
        if shop.poll() is not None or time.monotonic() > until:
            raise LoadError(f"the shop did not open: {log.read_text('utf-8', errors='replace')[-2000:]}")
        time.sleep(0.1)
    found: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def _close(shop: subprocess.Popen[bytes]) -> None:
    shop.terminate()
    try:
        shop.wait(_CLOSES_WITHIN_S)
    except subprocess.TimeoutExpired:
        shop.kill()
