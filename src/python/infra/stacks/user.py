"""The user service: accounts, and the keys that sign everybody's tokens."""

from __future__ import annotations

from aws_cdk import aws_ecs as ecs
from constructs import Construct

from contracts.topology import NOTIFICATION_EVENTS, USER_EVENTS
from infra.constructs.database import InstanceSize
from infra.constructs.service import Spec
from infra.stacks.service import Ground, ServiceStack


class UserStack(ServiceStack):
    """Signs with the keys of the shared secret, which the service alone is given."""

    def __init__(self, scope: Construct, ground: Ground) -> None:
        super().__init__(scope, "user", ground)
        keys = ground.shared.secrets["signing-keys"]
        self.deploy(
            Spec(
                "user",
                priority=100,
                publishes=(USER_EVENTS, NOTIFICATION_EVENTS),
                secrets={"SIGNING_KEYS": ecs.Secret.from_secrets_manager(keys)},
            ),
            InstanceSize("t3.micro", storage_gib=20, maximum_storage_gib=100, backup_days=7),
        )
