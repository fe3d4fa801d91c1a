"""A Lambda function of ours: a file in `functions/`, with a role and a log group of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

_FOLDER = Path(__file__).parents[1] / "functions"


class Function(Construct):
    """`functions/NAME/index.py`, which may do what `statements` say and write its log, no more."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        name: str,
        *,
        description: str,
        timeout: Duration,
        statements: list[iam.PolicyStatement],
        environment: Mapping[str, str] | None = None,
        logs_key: kms.IKey,
    ) -> None:
        super().__init__(scope, id)
        log_group = logs.LogGroup(
            self,
            "Logs",
            retention=logs.RetentionDays.ONE_MONTH,
            encryption_key=logs_key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        for statement in statements:
            role.add_to_policy(statement)
        self.function = lambda_.Function(
            self,
            "Function",
            code=lambda_.Code.from_asset(
                str(_FOLDER / name), exclude=["*_test.py", "__pycache__", "__init__.py"]
            ),
            handler="index.handler",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            description=description,
            timeout=timeout,
            memory_size=256,
            environment=environment,
            role=role,
            log_group=log_group,
        )
