"""What holds data."""

from __future__ import annotations

import pytest
from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from infra.difference.building import BUCKET, CACHE, DATABASE, KAFKA, QUEUE, TABLE, TOPIC, of, stack
from infra.difference.stacks import compare
from infra.difference.stateful import STATEFUL


@pytest.mark.parametrize(
    "resource_type",
    [
        *(QUEUE, TOPIC, BUCKET, DATABASE, CACHE, TABLE, KAFKA),
        *("AWS::RDS::DBCluster", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"),
        *("AWS::Cognito::UserPool", "AWS::ECR::Repository", "AWS::ElastiCache::ServerlessCache"),
    ],
)
def test_what_holds_data_is_known_to(resource_type: str) -> None:
    """Of what this project has, and what it may come to."""
    [change] = compare(stack(It=of(resource_type)), stack())
    assert change.stateful


@pytest.mark.parametrize("resource_type", sorted(STATEFUL))
def test_a_type_that_we_list_is_one_of_aws_that_cfn_lint_does_not_list(resource_type: str) -> None:
    """A mistyped one would guard nothing; one that is listed there can go here."""
    assert resource_type in PROVIDER_SCHEMA_MANAGER.get_resource_types("us-east-1")
    assert resource_type not in load_resource(AdditionalSpecs, "StatefulResources.json")["ResourceTypes"]
