"""A service into an environment: may it, then AWS CDK, then it is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from release.images import Images
from release.version import ReleaseError, Version

PREFIX = "mercato"


@dataclass(frozen=True)
class Step:
    """A command at the root of the checkout, and of what it is a part."""

    service: str
    words: tuple[str, ...]


def digests(images: Images, services: Mapping[str, Version]) -> dict[str, str]:
    """Of the image of each service. Raises ReleaseError where one is not published."""
    found = {name: images.digest(name, version) for name, version in services.items()}
    missing = [images.name(name, services[name]) for name, digest in found.items() if digest is None]
    if missing:
        raise ReleaseError(f"not published: {', '.join(missing)}; ./pants release publish does that")
    return {name: digest for name, digest in found.items() if digest}


def steps(
    service: str, version: Version, environment: str, digest: str, context: Sequence[str]
) -> tuple[Step, Step, Step]:
    """The question, the deployment and the record, in this order; one that fails is the last.

    The image is named by its digest: what was asked about is what runs. CloudFormation leaves a stack alone
    whose template is as it was.
    """
    which = ("--service", service, "--version", str(version), "--to", environment)
    given = (f"environment={environment}", f"{service}_image={digest}", *context)
    deploy = ("npx", "cdk", "deploy", "--exclusively", "--require-approval", "never")
    return (
        Step(service, ("./pants", "contracts", "can-i-deploy", *which)),
        Step(
            service,
            (*deploy, f"{PREFIX}-{environment}-{service}", *(word for it in given for word in ("-c", it))),
        ),
        Step(service, ("./pants", "contracts", "record-deployment", *which)),
    )
