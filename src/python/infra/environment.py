"""What dev, staging and prod differ in: a file each, and what the command line sets in its place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.services import SERVICES

NAMES = ("dev", "staging", "prod")

_FOLDER = Path(__file__).parent / "environments"

DomainName = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[a-z]{2,63}$")]
Origin = Annotated[str, Field(pattern=r"^(\*|https://[a-z0-9.-]+(:\d+)?)$")]
# A tag of semantic versions, or the digest of the very image: https://docs.docker.com/reference/cli/docker/image/pull/
Image = Annotated[str, Field(pattern=r"^(\d+\.\d+\.\d+([-.][\w.-]+)?|sha256:[0-9a-f]{64})$")]


class ContextError(Exception):
    """The context cannot be deployed from; the message names each value that is wrong or missing."""


class Environment(BaseModel):
    """One environment. Every field can be set on the command line by its name: `-c enable_waf=true`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["dev", "staging", "prod"]
    alert_email: Annotated[Email | None, Field(description="who is told of alarms")] = None
    domain_name: Annotated[DomainName | None, Field(description="the shop is at api.DOMAIN")] = None
    hosted_zone_id: Annotated[
        str | None, Field(pattern=r"^Z[A-Z0-9]+$", description="Route 53's zone of the domain")
    ] = None
    # One: an answer can name no more, and the load balancer, which names it, does not see who asks.
    cors_origin: Annotated[
        Origin | None, Field(description="web origin that may call the API and upload images")
    ] = None
    enable_waf: bool
    public_load_balancer: Annotated[
        bool, Field(description="whether the load balancer has public addresses beside the gateway's way in")
    ]
    execute_command: Annotated[bool, Field(description="whether a shell may be opened in a task")]
    multi_az: Annotated[bool, Field(description="whether each database has a standby in another zone")]
    deletion_protection: bool
    aurora_reader: bool
    fault_injection: Annotated[bool, Field(description="whether tasks carry the agent that adds latency")]
    ec2_capacity: Annotated[bool, Field(description="EC2 instances in the cluster, beside Fargate")] = False
    blue_green: Annotated[bool, Field(description="new tasks beside the old ones, then all traffic")] = False
    private_ca_arn: Annotated[
        str | None,
        Field(pattern=r"^arn:aws[a-z-]*:acm-pca:", description="signs the certificates between services"),
    ] = None
    images: Annotated[Mapping[str, Image], Field(description="the image of each service, tag or digest")]

    @property
    def prefix(self) -> str:
        """What the names of this environment's resources start with."""
        return f"mercato-{self.name}"

    @property
    def is_prod(self) -> bool:
        """Whether customers depend on it."""
        return self.name == "prod"

    @property
    def origin(self) -> str:
        """The web origin that may call: the one that is named, else the shop's own."""
        return self.cors_origin or f"https://{self.domain_name}"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        problems = []
        if (self.domain_name is None) != (self.hosted_zone_id is None):
            problems.append("domain_name and hosted_zone_id go together")
        if self.cors_origin is None and self.domain_name is None:
            problems.append("cors_origin is missing, and no domain_name to take it from")
        if self.private_ca_arn is not None and self.domain_name is None:
            problems.append(
                "private_ca_arn needs domain_name: the mesh speaks TLS 1.3 only, and so does to it "
                "a load balancer that has a certificate of its own"
            )
        if self.name != "dev" and self.alert_email is None:
            problems.append(f"alert_email is missing: somebody must hear of alarms in {self.name}")
        if self.is_prod and self.cors_origin == "*":
            problems.append("cors_origin must not be * in prod")
        missing = [f"{service}_image" for service in SERVICES if service not in self.images]
        if missing:
            problems.append(f"{', '.join(missing)} missing: say which version of each service is deployed")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def load(context: Mapping[str, str]) -> Environment:
    """The environment that `context` names, with what `context` sets in the place of its file.

    `context` holds strings, as a command line does: `environment`, the fields by their names, and
    `SERVICE_image`. Raises ContextError.
    """
    given = dict(context)
    name = given.pop("environment", None)
    if name not in NAMES:
        found = "is missing" if name is None else f"is {name!r}"
        raise ContextError(f"environment {found}: it must be one of {', '.join(NAMES)}.")
    values: dict[str, Any] = tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
    images = {service: given.pop(f"{service}_image") for service in SERVICES if f"{service}_image" in given}
    _refuse_unknown(given)
    values |= {key: text or None for key, text in given.items()} | {"name": name, "images": images}
    try:
        return Environment(**values)
    except ValidationError as error:
        lines = [_explain(item["loc"], item["msg"]) for item in error.errors()]
        raise ContextError(f"environment {name}:\n" + "\n".join(lines)) from None


def _refuse_unknown(given: Mapping[str, str]) -> None:
    unknown = [key for key in given if key not in Environment.model_fields or key in ("name", "images")]
    if unknown:
        known = sorted(set(Environment.model_fields) - {"name", "images"})
        raise ContextError(
            f"{', '.join(sorted(unknown))} is no value of an environment: "
            f"there are environment, {', '.join(known)}, and SERVICE_image for {', '.join(SERVICES)}."
        )


def _explain(loc: tuple[int | str, ...], message: str) -> str:
    name = str(loc[0]) if loc else ""
    if name == "images" and len(loc) > 1:
        return f"{loc[1]}_image must be a version (1.4.0) or a digest (sha256:...)."
    message = message.removeprefix("Value error, ")
    field = Environment.model_fields.get(name)
    hint = f" ({field.description})" if field is not None and field.description else ""
    return f"{name}{hint}: {message}." if name else f"{message}."
