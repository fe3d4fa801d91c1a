"""The user service's environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from chassis.settings import CommonSettings, TopicArn
from services.user.bodies import NewPassword
from services.user.tokens import SigningKeys


def _signing_keys(keys: SecretStr) -> SecretStr:
    SigningKeys(keys.get_secret_value())
    return keys


class Settings(CommonSettings):
    """What the user service reads, beyond what every service does."""

    signing_keys: Annotated[
        SecretStr,
        AfterValidator(_signing_keys),
        Field(
            description="private JWK Set of Ed25519 keys, the first of which signs; "
            "python -m services.user.tokens makes one"
        ),
    ]
    user_events_topic_arn: Annotated[TopicArn, Field(description="SNS topic user-events")]
    notification_events_topic_arn: Annotated[TopicArn, Field(description="SNS topic notification-events")]
    # https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id
    argon2_time_cost: Annotated[int, Field(ge=1, le=20, description="passes over the memory")] = 2
    argon2_memory_kib: Annotated[int, Field(ge=8, le=1024 * 1024, description="memory of one hash, KiB")] = (
        19456
    )
    admin_password: Annotated[
        NewPassword | None, Field(description="password of the account that create-admin makes")
    ] = None
