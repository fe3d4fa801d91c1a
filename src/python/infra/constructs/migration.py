"""A service's migrations, run once by its own image before the service is changed."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, CustomResource, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.database import Database
from infra.constructs.function import Function
from infra.nag import acknowledge, own_resource
from infra.stacks.shared import SharedStack


def migrate_before(
    scope: Construct,
    task: ecs.FargateTaskDefinition,
    *,
    service: str,
    prefix: str,
    shared: SharedStack,
    group: ec2.ISecurityGroup,
    roles: Sequence[iam.Role],
    database: Database,
) -> CustomResource:
    """A resource that is there once `task` has migrated `database`: what depends on it waits for that.

    `roles` are those of `task`, whose family is `prefix-service-migrate`; it runs in `group`.
    """
    function = _function(scope, service, prefix, shared, roles)
    subnets = shared.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
    migration = CustomResource(
        scope,
        "Migration",
        service_token=function.function.function_arn,
        resource_type="Custom::Migration",
        service_timeout=Duration.minutes(15),
        properties={
            "Cluster": shared.cluster.cluster_arn,
            "TaskDefinition": task.task_definition_arn,
            "Subnets": subnets.subnet_ids,
            "SecurityGroups": [group.security_group_id],
            "LogGroup": shared.log_groups[service].log_group_name,
        },
    )
    # Not before the rights to do it, and the way to the database, are there.
    migration.node.add_dependency(*roles, database)
    return migration


def _function(
    scope: Construct, service: str, prefix: str, shared: SharedStack, roles: Sequence[iam.Role]
) -> Function:
    family = f"task-definition/{prefix}-{service}-migrate:*"
    tasks = f"task/{prefix}/*"
    function = Function(
        scope,
        "Migrator",
        "migrate",
        description=f"Brings {service}'s database to the version that is deployed",
        timeout=Duration.minutes(15),
        statements=_rights(Stack.of(scope), family, tasks, shared, roles),
        logs_key=shared.logs_key,
    )
    acknowledge(
        function,
        {
            own_resource("ecs", family): "its revision is known when it is made",
            own_resource("ecs", tasks): "its id is known when it runs",
        },
    )
    return function


def _rights(
    stack: Stack, family: str, tasks: str, shared: SharedStack, roles: Sequence[iam.Role]
) -> list[iam.PolicyStatement]:
    in_cluster = {"ArnEquals": {"ecs:cluster": shared.cluster.cluster_arn}}
    return [
        iam.PolicyStatement(actions=["ecs:RunTask"], resources=[_arn(stack, family)], conditions=in_cluster),
        iam.PolicyStatement(
            actions=["ecs:DescribeTasks", "ecs:StopTask"],
            resources=[_arn(stack, tasks)],
            conditions=in_cluster,
        ),
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[role.role_arn for role in roles],
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
    ]


def _arn(stack: Stack, resource: str) -> str:
    kind, _, name = resource.partition("/")
    return stack.format_arn(
        service="ecs", resource=kind, resource_name=name, arn_format=ArnFormat.SLASH_RESOURCE_NAME
    )
