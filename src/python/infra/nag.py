"""What cdk-nag objects to and is meant: each finding with its reason, at the construct that it is about."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

# Findings, not rules: what else a rule finds on the same construct stays an error.
ANY_RESOURCE = "IAM5[Resource::*]"


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept findings of AwsSolutions on `construct` and what is below it: `{"ECS2": "why"}`."""
    for finding, reason in reasons.items():
        rule = Acknowledgment(id=f"AwsSolutions-{finding}", reason=reason)
        Validations.of(construct).acknowledge(rule)


def managed_policy(name: str) -> str:
    """The finding that a role has AWS' own policy `name`."""
    return f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{name}]"


def own_resource(service: str, resource: str) -> str:
    """The finding that a right is for `resource` of the account, which has a wildcard."""
    return f"IAM5[Resource::arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:{resource}]"
