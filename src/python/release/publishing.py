"""Images of what was released, built from this commit and pushed into the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from release.images import Images
from release.plan import Planned
from release.repository import Repository
from release.thing import named
from release.version import ReleaseError, Version


@dataclass(frozen=True)
class Published:
    """An image in the registry. `is_new` tells whether it was pushed now."""

    service: str
    version: Version
    name: str
    digest: str
    is_new: bool

    def __str__(self) -> str:
        was = "is published" if self.is_new else "was published before"
        return f"{self.service} {self.version} {was}: {self.name}@{self.digest}"


def released(
    planned: Mapping[str, Planned], names: Sequence[str]
) -> tuple[dict[str, Version], dict[str, str]]:
    """The services whose content is that of their last release, with its version; and why others are not.

    Raises ReleaseError for one that was asked for by its name, and for what has no image.
    """
    chosen: dict[str, Version] = {}
    refused: dict[str, str] = {}
    for name in names or [name for name, each in planned.items() if each.thing.is_service]:
        if not named(name).is_service:
            raise ReleaseError(f"{name} has no image: only services have")
        each = planned[name]
        if each.last is None:
            refused[name] = f"{name} was never released: ./pants release apply {name}"
        elif each.is_due or each.standing != each.last:
            refused[name] = f"{name} has changed since {name} {each.last}: ./pants release apply {name}"
        else:
            chosen[name] = each.last
    asked = [why for name, why in refused.items() if name in names]
    if asked:
        raise ReleaseError("\n".join(asked))
    return chosen, refused


def publish(
    repository: Repository,
    images: Images,
    services: Mapping[str, Version],
    build: Callable[[str], None],
    *,
    named_ones: bool,
) -> list[Published]:
    """Build and push the images of `services` that are not there yet.

    A tag stays what it is: one that is there is left alone, and refused where it was asked for by name
    (`named_ones`). Nothing is pushed where any is refused. Raises ReleaseError.
    """
    repository.refuse_unclean("an image is of a commit, and these are in none")
    there = {name: images.digest(name, version) for name, version in services.items()}
    taken = [images.name(name, services[name]) for name, digest in there.items() if digest]
    if taken and named_ones:
        raise ReleaseError(f"a version is published once, and there is {', '.join(taken)} already")
    return [
        Published(name, version, images.name(name, version), digest, is_new=False)
        if (digest := there[name])
        else _push(repository, images, name, version, build)
        for name, version in services.items()
    ]


def _push(
    repository: Repository, images: Images, name: str, version: Version, build: Callable[[str], None]
) -> Published:
    build(name)
    commit, said = repository.head, images.revision(name, version)
    if said != commit:
        raise ReleaseError(
            f"the image of {name} {version} says that it is of {said or 'no commit'}, and this is {commit}: "
            f"./pants package src/python/services/{name}:image builds it"
        )
    return Published(name, version, images.name(name, version), images.push(name, version), is_new=True)
