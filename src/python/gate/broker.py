"""A real Pact broker, through the Pact Foundation's own client. https://docs.pact.io/pact_broker"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from pact import Verifier

from gate.registry import Documents, RegistryError

URL_VARIABLE = "PACT_BROKER_BASE_URL"
BRANCH = "main"

_ANSWERS_WITHIN_S = 10


class Broker:
    """The broker at a URL. What it says goes to the terminal, its exit codes are passed on.

    Credentials are those of the client: PACT_BROKER_TOKEN, or PACT_BROKER_USERNAME and _PASSWORD.
    """

    def __init__(self, url: str, environment: Mapping[str, str] = os.environ) -> None:
        """Raises RegistryError where no broker answers at `url`."""
        self._url = url
        self._environment = environment
        self._check()

    def publish(self, service: str, version: str, pacts: Documents) -> int:
        """Publish the pacts of a consumer; of one that has none, its version."""
        if not pacts:
            return self._run("create-or-update-version", "--pacticipant", service, "--version", version)
        with tempfile.TemporaryDirectory() as folder:
            for provider, pact in pacts.items():
                (Path(folder) / f"{service}-{provider}.json").write_text(json.dumps(pact))
            return self._run("publish", folder, "--consumer-app-version", version, "--branch", BRANCH)

    def can_i_deploy(self, service: str, version: str, environment: str, ignored: Sequence[str]) -> int:
        """Ask whether a version may go where others are deployed; who is `ignored` does not count."""
        ignore = [word for name in ignored for word in ("--ignore", name)]
        what = ("--pacticipant", service, "--version", version, "--to-environment", environment)
        return self._run("can-i-deploy", *what, *ignore)

    def record_deployment(self, service: str, version: str, environment: str) -> int:
        """Note that a version is deployed."""
        what = ("--pacticipant", service, "--version", version, "--environment", environment)
        return self._run("record-deployment", *what)

    def prepare(self, verifier: Verifier, version: str) -> None:
        """Let `verifier` take what is deployed and what is on the main branch, and publish its results."""
        sources = verifier.broker_source(self._url, selector=True)
        sources.provider_branch(BRANCH).include_pending()
        sources.consumer_version(deployed_or_released=True).consumer_version(main_branch=True).build()
        verifier.set_publish_options(version, branch=BRANCH)

    def _run(self, verb: str, *arguments: str) -> int:
        command = [_client(), "broker", verb, *arguments, "--broker-base-url", self._url]
        return subprocess.run(command, env=dict(self._environment), check=False).returncode

    def _check(self) -> None:
        try:
            if not self._url.startswith(("http://", "https://")):
                raise ValueError("it is no URL of http or https")
            with urllib.request.urlopen(self._url, timeout=_ANSWERS_WITHIN_S):  # noqa: S310 - as above
                return
        except urllib.error.HTTPError:
            return  # it answers; what it wants, such as a token, the client gives or asks for
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", error)
            raise RegistryError(
                f"the broker at {self._url} does not answer ({why}): "
                f"start it, or mend or unset {URL_VARIABLE}"
            ) from error


def _client() -> str:
    beside = Path(sys.executable).with_name("pact")
    found = str(beside) if beside.exists() else shutil.which("pact")
    if found is None:
        raise RegistryError("the broker's client, pact of pact-python-cli, is not installed")
    return found
