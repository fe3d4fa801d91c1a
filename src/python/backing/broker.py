"""The broker: SNS, SQS and S3 in a process of their own, reached as AWS is reached."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from backing.ports import LOOPBACK, answers, free_port
from backing.process import python_module

REGION = "us-east-1"
ACCOUNT = "000000000000"
SECRET = "local"  # noqa: S105 - keeps nobody out


@dataclass(frozen=True)
class Provisioned:
    """Where the parts of the topology are, by the names of topics and of queues (dead-letter queues too)."""

    topic_arns: dict[str, str]
    queue_urls: dict[str, str]
    bucket: str


class Broker:
    """The broker's process. It keeps accounts apart: the access key id, twelve digits, is the account."""

    def __init__(
        self,
        *,
        log: Path,
        port: int | None = None,
        state: Path | None = None,
        module: str = "backing.broker_server",
    ) -> None:
        """With a `state` directory the broker saves itself there when stopped, and goes on from it.

        `module` is the program: `backing.cloudformation_server` deploys templates, too.
        """
        self.port = port or free_port()
        args = [str(self.port)] + ([str(state)] if state else [])
        # A long stop: the state of a large backlog takes its time.
        # It checks the signature of presigned URLs against the secret in its own environment.
        secret = {"AWS_SECRET_ACCESS_KEY": SECRET}
        self.process = python_module("broker", module, *args, log=log, env=secret)

    @property
    def endpoint(self) -> str:
        """The URL of every AWS service here."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start the broker; see `wait_ready`."""
        self.process.start()

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Return once the broker answers; ProcessError otherwise."""
        self.process.wait_ready(lambda: answers(self.port, "/_ministack/health"), timeout_s)

    def stop(self) -> None:
        """Stop the broker and have it save its state."""
        self.process.stop()


def aws_environment(endpoint: str, account: str = ACCOUNT) -> dict[str, str]:
    """The environment in which any AWS client reaches `account` of the broker at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        # No configuration of the person at the machine, no look-up of credentials in the network.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
