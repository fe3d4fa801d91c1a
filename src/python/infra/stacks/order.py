"""The order service: the saga."""

from __future__ import annotations

from constructs import Construct

from contracts.topology import NOTIFICATION_EVENTS, ORDER_EVENTS, ORDER_QUEUE
from infra.constructs.database import InstanceSize
from infra.constructs.service import Spec, service_url
from infra.stacks.service import Ground, ServiceStack


class OrderStack(ServiceStack):
    """Calls product and user, and hears of stock and payments."""

    def __init__(self, scope: Construct, ground: Ground) -> None:
        super().__init__(scope, "order", ground)
        self.deploy(
            Spec(
                "order",
                priority=200,
                publishes=(ORDER_EVENTS, NOTIFICATION_EVENTS),
                consumes=ORDER_QUEUE,
                health_timeout_s=10,
                environment={"PRODUCT_URL": service_url("product"), "USER_URL": service_url("user")},
            ),
            InstanceSize(
                "t3.small",
                storage_gib=20,
                maximum_storage_gib=200,
                backup_days=14,
                performance_insights=True,
            ),
        )
