"""The files of a checkout that load tests read and write, and what follows from them together."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from infra.scaling import policy
from infra.scaling.policy import PolicyError, ScalingPolicy
from loadtests import forecast, objectives, profile, replicas, scaling_file
from loadtests.derivation import Derivation
from loadtests.errors import LoadError
from loadtests.forecast import Forecast
from loadtests.objectives import Objective, Objectives
from loadtests.profile import Profile
from loadtests.replicas import RealRuns

# The checkout, as the launcher says; else where the command is run.
ROOT = Path(os.environ.get("MERCATO_ROOT", "."))


@dataclass(frozen=True)
class Checkout:
    """Profiles, objectives and the forecast of `root`, and its scaling files. All of it raises LoadError."""

    root: Path = ROOT

    @property
    def profiles(self) -> Path:
        """The folder of the profiles."""
        return self.root / "loadtests/profiles"

    @property
    def replicas(self) -> Path:
        """The folder of what several tasks at once were measured to carry."""
        return self.root / "loadtests/replicas"

    @property
    def scaling(self) -> Path:
        """The folder of the scaling files that infra deploys."""
        return self.root / "src/python/infra/scaling"

    @cached_property
    def objectives(self) -> Objectives:
        """What the shop promises."""
        return objectives.load(self.root / "loadtests/objectives.toml")

    @cached_property
    def forecast(self) -> Forecast:
        """How much is expected."""
        return forecast.load(self.root / "loadtests/forecast.toml")

    def profile(self, service: str) -> Profile:
        """What a task of a service was measured to carry."""
        return profile.load(service, self.profiles)

    def real_runs(self, service: str) -> RealRuns | None:
        """What several replicas of a service were measured to carry, if they were."""
        there = replicas.path_of(service, self.replicas).exists()
        return replicas.load(service, self.replicas) if there else None

    def by_hand(self, service: str) -> ScalingPolicy:
        """The policy of before there were measurements, kept to be compared with."""
        return _policy(service, self.root / "loadtests/hand_set")

    def deployed(self, service: str) -> ScalingPolicy:
        """The policy that infra deploys."""
        return _policy(service, self.scaling)

    def chosen(self, services: Sequence[str]) -> Sequence[str]:
        """The services that a command is to treat: those that it was given, else all that have a profile."""
        found = services or sorted(path.stem for path in self.profiles.glob("*.toml"))
        if not found:
            raise LoadError(
                f"there is no profile in {self.profiles}: "
                "measure one by ./pants load capacity --service NAME."
            )
        return found

    def derivation(self, service: str) -> Derivation:
        """What the policy of a service follows from."""
        measured = self.profile(service)
        return Derivation(measured, self.objectives.of(service), self._owed(measured), self.forecast)

    def _owed(self, measured: Profile) -> Objective | None:
        """What a service owes for a message: its part of order-to-confirmed, else an objective of its own."""
        order = self.objectives.order_to_confirmed
        if not any(measured.service in stage for stage in order.stages):
            return self.objectives.message.get(measured.service)
        return objectives.split(order, self._light_ms(order.stages))[measured.service]

    def _light_ms(self, stages: Sequence[Sequence[str]]) -> Mapping[str, float]:
        profiles = {service: self.profile(service) for stage in stages for service in stage}
        return {service: found.messages.light_ms[0] for service, found in profiles.items() if found.messages}

    def scaling_text(self, service: str) -> str:
        """The scaling file that a service is to have."""
        return scaling_file.text(self.derivation(service), profile.digest(service, self.profiles))

    def derived(self, service: str) -> ScalingPolicy:
        """The policy in that file."""
        return scaling_file.policy(self.derivation(service), profile.digest(service, self.profiles))

    def stale(self, service: str) -> bool:
        """Whether a scaling file is not what follows from profile, objectives and forecast as they are now.

        One that was set by hand follows from none, and is never stale.
        """
        if self.deployed(service).provenance.kind == "by hand":
            return False
        return (self.scaling / f"{service}.toml").read_text("utf-8") != self.scaling_text(service)


def commit(root: Path) -> str | None:
    """The commit that is checked out in `root`; None where git knows of none."""
    return _git(root, "rev-parse", "HEAD")


def changed(root: Path) -> bool:
    """Whether `root` is another than that commit."""
    return bool(_git(root, "status", "--porcelain"))


def _git(root: Path, *command: str) -> str | None:
    try:
        said = subprocess.run(["git", "-C", str(root), *command], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()


def _policy(service: str, folder: Path) -> ScalingPolicy:
    try:
        return policy.load(service, folder)
    except PolicyError as error:
        raise LoadError(f"{folder}: {error}") from None
