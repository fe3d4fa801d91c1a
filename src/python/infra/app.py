"""Every stack of an environment, in the order in which they are deployed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from contracts.services import SERVICES
from infra.environment import Environment
from infra.stacks.ci import CiStack
from infra.stacks.fault_injection import FaultInjectionStack
from infra.stacks.gateway import GatewayStack
from infra.stacks.messaging import MessagingStack
from infra.stacks.notification import NotificationStack
from infra.stacks.observability import ObservabilityStack
from infra.stacks.order import OrderStack
from infra.stacks.payment import PaymentStack
from infra.stacks.plain import PlainStack
from infra.stacks.product import ProductStack
from infra.stacks.service import Ground, ServiceStack
from infra.stacks.shared import SharedStack
from infra.stacks.user import UserStack

# What these have besides a database is in modules of their own.
_OWN: Mapping[str, Callable[[cdk.App, Ground], ServiceStack]] = {
    "user": UserStack,
    "product": ProductStack,
    "order": OrderStack,
    "payment": PaymentStack,
    "notification": NotificationStack,
}


def build(app: cdk.App, environment: Environment) -> None:
    """Put every stack of `environment` into `app`, and have its policy checked when it is synthesised."""
    CiStack(app)
    shared = SharedStack(app, environment)
    messaging = MessagingStack(app, environment, shared)
    observability = ObservabilityStack(app, environment, shared)
    ground = Ground(environment, shared, messaging, observability.alerts)
    for name in SERVICES:
        own = _OWN.get(name)
        if own is None:
            PlainStack(app, name, ground)
        else:
            own(app, ground)
    GatewayStack(app, environment, shared)
    FaultInjectionStack(app, environment, shared, observability.gateway_errors)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
