"""A service's environment, read once and validated at start."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

EX_CONFIG = 78  # sysexits.h: the environment is wrong, starting again will not help


def _postgresql(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("it must look like postgresql://user:password@host:5432/name")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_postgresql)]
Port = Annotated[int, Field(ge=1, le=65535)]
TopicArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$")]
QueueUrl = Annotated[str, Field(pattern=r"^https?://")]


class SettingsError(Exception):
    """The environment lacks something or holds something that cannot be used; the message names each variable."""


class ServiceSettings(BaseSettings):
    """What every service reads. A field's name in capitals is the variable's name."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True, extra="ignore")

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[Port, Field(description="port to listen on")]
    environment: Literal["local", "test", "dev", "staging", "prod"] = "local"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    database_url: Annotated[
        DatabaseUrl,
        Field(description="the service's own database, postgresql://user:password@host:port/name"),
    ]
    database_pool_size: Annotated[int, Field(ge=2, le=100)] = 12
    jwks_url: Annotated[HttpUrl, Field(description="where the user service publishes its signing keys")]
    otel_exporter_otlp_endpoint: Annotated[
        HttpUrl | None, Field(description="OpenTelemetry collector; without it nothing is exported")
    ] = None


class ConsumerSettings(BaseSettings):
    """What a service that reads a queue reads besides; the topology's visibility timeout holds unless one is set."""

    queue_wait_s: Annotated[int, Field(ge=0, le=20, description="how long to wait for a message")] = 20
    queue_visibility_timeout_s: Annotated[int | None, Field(ge=1, le=43200)] = None


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


def _explain(settings: type[BaseSettings], loc: tuple[int | str, ...], kind: str, message: str) -> str:
    name = str(loc[0]) if loc else "settings"
    field = settings.model_fields.get(name)
    hint = f" ({field.description})" if field is not None and field.description else ""
    if kind == "missing":
        return f"{name.upper()} is not set{hint}."
    return f"{name.upper()} cannot be used{hint}: {message}."
