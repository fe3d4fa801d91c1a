"""What is released, each under a version of its own: the services, the contracts, the deployment."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.services import SERVICES
from release.version import Bump, ReleaseError

# Said of a release in the folder of the thing; their edit alone is no change of it.
VERSION, CHANGELOG = "VERSION", "CHANGELOG.md"

CONTRACTS_FOLDER = "src/python/contracts"
# How images are put together, of whatever service.
_RECIPE = "build-support/images:recipe"
_LOCKS = "3rdparty/python/{}/lock.txt"


@dataclass(frozen=True)
class Thing:
    """Something that is released.

    `roots` are the targets whose sources and libraries, with all they depend on, are what is shipped; `lock`
    pins the libraries. `least` is the bump of a change of which nothing more is known.
    """

    name: str
    folder: str
    roots: tuple[str, ...]
    lock: str
    least: Bump = Bump.PATCH

    @property
    def version_file(self) -> str:
        """Its path in the checkout."""
        return f"{self.folder}/{VERSION}"

    @property
    def changelog_file(self) -> str:
        """Its path in the checkout."""
        return f"{self.folder}/{CHANGELOG}"

    @property
    def is_service(self) -> bool:
        """Whether it has routes and publishes events."""
        return self.name in SERVICES

    def tag(self, version: object) -> str:
        """The name of the tag of one of its releases."""
        return f"{self.name}-v{version}"


def _service(name: str) -> Thing:
    folder = f"src/python/services/{name}"
    return Thing(name, folder, (f"{folder}:sources", f"{folder}:libraries", _RECIPE), _LOCKS.format("shop"))


CONTRACTS = Thing(
    "contracts",
    CONTRACTS_FOLDER,
    (f"{CONTRACTS_FOLDER}@resolve=shop", f"{CONTRACTS_FOLDER}/events@resolve=shop"),
    _LOCKS.format("shop"),
)
# What the templates are made of, not the commands that compare them. Whether a template loses what keeps data
# is judged with libraries that are not these (./pants infra-diff), so a breaking change is named by hand.
INFRA = Thing(
    "infra",
    "src/python/infra",
    ("src/python/infra/app.py:lib",),
    _LOCKS.format("infra"),
    least=Bump.MINOR,
)

THINGS = (*map(_service, sorted(SERVICES)), CONTRACTS, INFRA)


def named(name: str) -> Thing:
    """The thing of this name. Raises ReleaseError."""
    for thing in THINGS:
        if thing.name == name:
            return thing
    known = ", ".join(each.name for each in THINGS)
    raise ReleaseError(f"nothing called {name!r} is released; these are: {known}")
