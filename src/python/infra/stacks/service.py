"""What the stacks of the five services have in common: a database, and the service that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.database import Database, InstanceSize, ServerlessSize
from infra.constructs.service import Service, Spec
from infra.environment import Environment
from infra.scaling import policy
from infra.stacks.messaging import MessagingStack
from infra.stacks.shared import SharedStack
from infra.stacks.stack import MercatoStack


@dataclass(frozen=True)
class Ground:
    """What a service's stack stands on: these are deployed before it, and never with it."""

    environment: Environment
    shared: SharedStack
    messaging: MessagingStack
    alerts: sns.ITopic


class ServiceStack(MercatoStack):
    """A service that is deployed alone, at its own version."""

    def __init__(self, scope: Construct, name: str, ground: Ground) -> None:
        super().__init__(scope, name, ground.environment, f"Mercato: the {name} service and its database")
        self.ground = ground

    def deploy(self, spec: Spec, size: InstanceSize | ServerlessSize) -> Service:
        """Make the database and the service."""
        ground = self.ground
        database = Database(
            self,
            spec.name,
            size=size,
            vpc=ground.shared.vpc,
            environment=ground.environment,
            alerts=ground.alerts,
        )
        return Service(
            self,
            spec=spec,
            environment=ground.environment,
            policy=policy.load(spec.name),
            shared=ground.shared,
            messaging=ground.messaging,
            database=database,
            alerts=ground.alerts,
        )
