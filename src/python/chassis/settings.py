"""A service's environment, read once and validated at start."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

import pydantic_settings
from pydantic import AfterValidator, Field, HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.login import Login

EX_CONFIG = 78  # sysexits.h: the environment is wrong, starting again will not help


def _postgresql(url: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(url.get_secret_value())
        usable = parts.scheme in ("postgresql", "postgres") and parts.hostname and parts.path.strip("/")
        _ = parts.port  # raises where it is no number
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("it must look like postgresql://user:password@host:5432/name")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_postgresql)]
Port = Annotated[int, Field(ge=1, le=65535)]
TopicArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$")]
SecretArn = Annotated[
    str, Field(pattern=r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+$")
]
QueueUrl = Annotated[str, Field(pattern=r"^https?://")]


class SettingsError(Exception):
    """The environment lacks something or holds what cannot be used; the message names each variable."""


class _Environment(BaseSettings):
    """How the environment is read. A field's name in capitals is the variable's name."""

    model_config = SettingsConfigDict(
        frozen=True,
        hide_input_in_errors=True,
        extra="ignore",
        env_ignore_empty=True,  # as shells and OpenTelemetry have it: set to nothing is not set
    )


class CommonSettings(_Environment):
    """What every service reads."""

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[Port, Field(description="port to listen on")]
    environment: Literal["local", "test", "dev", "staging", "prod"] = "local"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    database_url: Annotated[
        DatabaseUrl,
        Field(description="the service's own database, postgresql://user:password@host:port/name"),
    ]
    database_secret_arn: Annotated[
        SecretArn | None,
        Field(description="secret with username and password of the database, where its URL has none"),
    ] = None
    database_pool_size: Annotated[int, Field(ge=2, le=100)] = 12
    otel_exporter_otlp_endpoint: Annotated[
        HttpUrl | None, Field(description="OpenTelemetry collector; without it nothing is exported")
    ] = None

    def login(self) -> Login:
        """The way into the database. Those who share one share what was read of the secret."""
        return Login(self.database_url.get_secret_value(), self.database_secret_arn)


class ServiceSettings(CommonSettings):
    """What every service reads but the one that signs the tokens itself."""

    jwks_url: Annotated[HttpUrl, Field(description="where the user service publishes its signing keys")]


class ConsumerSettings(_Environment):
    """What a service that reads a queue reads besides."""

    queue_wait_s: Annotated[int, Field(ge=0, le=20, description="how long to wait for a message")] = 20
    queue_visibility_timeout_s: Annotated[
        int | None, Field(ge=1, le=43200, description="instead of the topology's own")
    ] = None


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """Read `settings` from the environment.

    Raises SettingsError with a line for each variable that is missing or wrong; values are never shown.
    """
    try:
        return settings()
    except ValidationError as error:
        lines = [_explain(settings, item["loc"], item["type"], item["msg"]) for item in error.errors()]
        raise SettingsError("\n".join(lines)) from None
    except pydantic_settings.SettingsError as error:
        # A list or a mapping that is not JSON: pydantic-settings stops at the first and names its field.
        found = re.search(r'field "(\w+)"', str(error))
        name = found[1].upper() if found else "A variable"
        raise SettingsError(f"{name} cannot be used: it must be JSON.") from None


def _explain(settings: type[BaseSettings], loc: tuple[int | str, ...], kind: str, message: str) -> str:
    name = str(loc[0]) if loc else "settings"
    field = settings.model_fields.get(name)
    hint = f" ({field.description})" if field is not None and field.description else ""
    if kind == "missing":
        return f"{name.upper()} is not set{hint}."
    return f"{name.upper()} cannot be used{hint}: {message.removeprefix('Value error, ')}."
