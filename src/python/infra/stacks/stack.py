"""What every stack has: its name, its tags, and three zones wherever it is deployed."""

from __future__ import annotations

import jsii
from aws_cdk import Fn, Stack, Tags
from constructs import Construct

from infra.environment import Environment

ZONES = 3


class MercatoStack(Stack):
    """A stack of an environment, `mercato-ENVIRONMENT-NAME`; it names no account and no region."""

    def __init__(self, scope: Construct, name: str, environment: Environment, description: str) -> None:
        super().__init__(
            scope,
            f"{environment.prefix}-{name}",
            description=description,
            termination_protection=environment.is_prod,
            # Whoever deploys sees in the account what the code is called.
            analytics_reporting=False,
        )
        self.environment_ = environment
        # A shell in a task may write its own log. Without this CDK lets it write every log of the account.
        self.node.set_context("@aws-cdk/aws-ecs:reduceEc2FargateCloudWatchPermissions", True)
        for key, value in {
            "Project": "mercato",
            "Environment": environment.name,
            "Architecture": "microservices",
            "ManagedBy": "cdk",
        }.items():
            Tags.of(self).add(key, value)

    @property
    @jsii.member(jsii_name="availabilityZones")
    def availability_zones(self) -> list[str]:
        """The first three zones of whatever region: without a region CDK knows of two only."""
        return [Fn.select(index, Fn.get_azs()) for index in range(ZONES)]
