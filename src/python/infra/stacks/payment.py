"""The payment service: authorises, captures and refunds at the provider."""

from __future__ import annotations

from aws_cdk import aws_ecs as ecs
from constructs import Construct

from contracts.topology import PAYMENT_EVENTS, PAYMENT_QUEUE
from infra.constructs.database import InstanceSize
from infra.constructs.service import Spec
from infra.stacks.service import Ground, ServiceStack


class PaymentStack(ServiceStack):
    """Knows the provider's keys, and is the only one that is given them."""

    def __init__(self, scope: Construct, ground: Ground) -> None:
        super().__init__(scope, "payment", ground)
        stripe = ground.shared.secrets["stripe"]
        self.deploy(
            Spec(
                "payment",
                priority=400,
                # One for each call of the provider that waits: a micro has too few.
                pool_size=20,
                publishes=(PAYMENT_EVENTS,),
                consumes=PAYMENT_QUEUE,
                secrets={
                    "STRIPE_API_KEY": ecs.Secret.from_secrets_manager(stripe, "api_key"),
                    "STRIPE_WEBHOOK_SECRET": ecs.Secret.from_secrets_manager(stripe, "webhook_secret"),
                },
            ),
            InstanceSize("t3.small", storage_gib=20, maximum_storage_gib=100, backup_days=14),
        )
