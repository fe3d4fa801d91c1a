"""What requests to the user service hold."""

from __future__ import annotations

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
)

from chassis.text import Line, ShortLine
from services.user.domain import Role


def _email(value: str) -> str:
    """The address in the form in which any mail server takes it; whether it exists is not asked."""
    try:
        return validate_email(value, check_deliverability=False, allow_smtputf8=False).ascii_email or value
    except EmailNotValidError as error:
        raise ValueError(f"is no e-mail address: {error}") from None


def _utf8(secret: SecretStr) -> SecretStr:
    """Half of a surrogate pair is no character, and nothing can be hashed of it."""
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text") from None
    return secret


Email = Annotated[
    str,
    StringConstraints(max_length=254, strip_whitespace=True, strict=True),
    AfterValidator(_email),
    Field(examples=["ada@example.com"], json_schema_extra={"format": "email"}),
]
# Long enough that no composition rules are needed, bounded so that hashing is (OWASP ASVS 5.0, 6.2).
NewPassword = Annotated[SecretStr, Field(min_length=12, max_length=128), AfterValidator(_utf8)]
GivenPassword = Annotated[SecretStr, Field(min_length=1, max_length=128), AfterValidator(_utf8)]
Country = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{2}$", strict=True),
    Field(description="ISO 3166-1 alpha-2", examples=["DE"]),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Register(_Body):
    """A new account."""

    email: Email
    password: NewPassword
    display_name: Line


class LogIn(_Body):
    """What proves who somebody is."""

    email: Email
    password: GivenPassword


class Refresh(_Body):
    """The newest refresh token of a session."""

    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=200)]


class ChangePassword(_Body):
    """The password in force, and the one that replaces it."""

    current: GivenPassword
    new: NewPassword


class ChangeProfile(_Body):
    """What is left out, or null, stays as it is."""

    display_name: Line | None = None
    email: Email | None = None


class GiveRoles(_Body):
    """All roles that somebody is to have."""

    roles: Annotated[list[Role], Field(min_length=1, max_length=len(Role))]


class AddressBody(_Body):
    """Where orders can go."""

    recipient: Line
    line1: Line
    line2: Line | None = None
    city: Line
    postal_code: ShortLine
    country: Country
