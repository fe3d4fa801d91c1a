"""What a property does to its resource."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from infra.difference.building import (
    BUCKET,
    CACHE,
    DATABASE,
    FUNCTION,
    KAFKA,
    NO_VALUE,
    QUEUE,
    SERVICE,
    TABLE,
    TOPIC,
    becomes,
    of,
    only,
    paths,
)
from infra.difference.change import What
from infra.difference.rules import KNOWN_BETTER


@pytest.mark.parametrize(
    ("resource_type", "name", "old", "new", "what"),
    [
        (DATABASE, "Engine", "postgres", "mysql", What.REPLACED),
        (DATABASE, "Engine", "oracle-se1", "oracle-se2", What.MODIFIED),
        (DATABASE, "StorageEncrypted", False, True, What.REPLACED),
        (DATABASE, "AvailabilityZone", "eu-central-1a", "eu-central-1b", What.MAY_BE_REPLACED),
        (DATABASE, "AllocatedStorage", "20", "30", What.MODIFIED),
        (DATABASE, "EngineVersion", "16.3", "16.4", What.MODIFIED),
        (DATABASE, "BackupRetentionPeriod", 7, 14, What.MODIFIED),
        (DATABASE, "MultiAZ", False, True, What.MODIFIED),
        ("AWS::RDS::DBCluster", "Engine", "aurora", "aurora-mysql", What.MODIFIED),
        ("AWS::RDS::DBCluster", "Engine", "aurora-mysql", "aurora-postgresql", What.REPLACED),
        (QUEUE, "QueueName", "orders", "sales", What.REPLACED),
        (QUEUE, "FifoQueue", True, NO_VALUE, What.REPLACED),
        (QUEUE, "VisibilityTimeout", 30, 60, What.MODIFIED),
        (TOPIC, "TopicName", "orders", "sales", What.REPLACED),
        (BUCKET, "BucketName", "mercato-a", "mercato-b", What.REPLACED),
        (BUCKET, "VersioningConfiguration", {"Status": "Enabled"}, {"Status": "Suspended"}, What.MODIFIED),
        (CACHE, "AtRestEncryptionEnabled", False, True, What.REPLACED),
        (CACHE, "Port", 6379, 6380, What.REPLACED),
        (CACHE, "AuthToken", "one", "other", What.MAY_BE_REPLACED),
        (CACHE, "NumNodeGroups", 1, 2, What.MAY_BE_REPLACED),
        (CACHE, "CacheNodeType", "cache.t4g.micro", "cache.t4g.small", What.MODIFIED),
        (SERVICE, "Cluster", "one", "other", What.REPLACED),
        (SERVICE, "LaunchType", "EC2", "FARGATE", What.MAY_BE_REPLACED),
        (SERVICE, "DesiredCount", 1, 2, What.MODIFIED),
        (FUNCTION, "FunctionName", "one", "other", What.REPLACED),
        (FUNCTION, "Code", {"S3Key": "a.zip"}, {"S3Key": "b.zip"}, What.MODIFIED),
        (TABLE, "TableName", "one", "other", What.REPLACED),
        ("AWS::Logs::LogGroup", "LogGroupName", "/one", "/other", What.REPLACED),
        ("AWS::SecretsManager::Secret", "Name", "one", "other", What.REPLACED),
        ("AWS::KMS::Key", "Description", "one", "other", What.MODIFIED),
        ("AWS::ECR::Repository", "RepositoryName", "one", "other", What.REPLACED),
        ("AWS::Cognito::UserPool", "UserPoolName", "one", "other", What.MODIFIED),
    ],
)
def test_a_property_does_to_its_resource_what_aws_says(
    resource_type: str, name: str, old: Any, new: Any, what: What
) -> None:
    """As in the user guide's "Update requires", and in what handles RDS, which knows more than its schema."""
    assert what == becomes(resource_type, {name: old}, {name: new})


@pytest.mark.parametrize(("old", "new"), [({}, {"QueueName": "orders"}), ({"QueueName": "orders"}, {})])
def test_a_name_that_comes_or_goes_replaces_its_resource(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Without one CloudFormation makes one up."""
    change = only(of(QUEUE, **old), of(QUEUE, **new))
    assert (What.REPLACED, ["QueueName"]) == (change.what, paths(change))
    [name] = change.properties
    assert (old.get("QueueName"), new.get("QueueName")) == (name.old, name.new)


def test_what_aws_says_is_read_when_something_changes() -> None:
    """Importing cfn-lint takes longer than all the rest."""
    program = (
        "import sys; from infra.difference.stacks import compare; from infra.template import Template;"
        "same = Template('orders', {'Resources': {'Queue': {'Type': 'AWS::SQS::Queue'}}});"
        "assert compare(same, same) == []; print('cfnlint' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, check=True, text=True
    )
    assert "False" == done.stdout.strip()


@pytest.mark.parametrize(
    "new",
    [
        {"Ref": "Name"},
        {"Fn::Sub": "orders-${Stage}"},
        {"Fn::ImportValue": "shared:Name"},
        "{{resolve:ssm:/orders/name}}",
    ],
)
def test_a_value_that_only_the_deployment_knows_may_be_another(new: Any) -> None:
    """It may as well be the one that was there."""
    assert What.MAY_BE_REPLACED == becomes(QUEUE, {"QueueName": "orders"}, {"QueueName": new})


def test_a_value_where_none_was_is_another_whatever_it_is() -> None:
    """But for a choice, which may be of none."""
    assert What.REPLACED == becomes(QUEUE, {}, {"QueueName": {"Ref": "Name"}})
    choice = {"Fn::If": ["InProd", "orders", NO_VALUE]}
    assert What.MAY_BE_REPLACED == becomes(QUEUE, {}, {"QueueName": choice})


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            {"BrokerNodeGroupInfo": {"InstanceType": "a"}},
            {"BrokerNodeGroupInfo": {"InstanceType": "b"}},
            What.MODIFIED,
        ),
        (
            {"BrokerNodeGroupInfo": {"ClientSubnets": ["a"]}},
            {"BrokerNodeGroupInfo": {"ClientSubnets": ["b"]}},
            What.REPLACED,
        ),
        ({}, {"EncryptionInfo": {"EncryptionAtRest": {"DataVolumeKMSKeyId": "key"}}}, What.REPLACED),
        ({}, {"EncryptionInfo": {"EncryptionInTransit": {"ClientBroker": "TLS"}}}, What.MODIFIED),
        ({}, {"EncryptionInfo": {"Fn::If": ["InProd", {"EncryptionAtRest": {}}, {}]}}, What.MAY_BE_REPLACED),
    ],
)
def test_what_is_create_only_within_an_object_is_looked_for_there(
    old: dict[str, Any], new: dict[str, Any], what: What
) -> None:
    """Whether it changes alone, comes with the object, or cannot be seen."""
    assert what == becomes(KAFKA, old, new)


def test_what_is_create_only_in_every_element_of_a_list_is_so_in_each() -> None:
    """That another element comes is up to the provider."""

    def replicator(*compressions: str) -> dict[str, Any]:
        return of(
            "AWS::MSK::Replicator",
            ReplicationInfoList=[{"TargetCompressionType": each} for each in compressions],
        )

    assert What.REPLACED == only(replicator("NONE", "GZIP"), replicator("NONE", "ZSTD")).what
    assert What.MAY_BE_REPLACED == only(replicator("NONE", "GZIP"), replicator("GZIP", "NONE")).what
    assert What.MAY_BE_REPLACED == only(replicator("NONE"), replicator("NONE", "ZSTD")).what


def test_the_type_of_a_key_may_replace_a_table_and_another_attribute_does_not() -> None:
    """Attributes are added with an index; that they change is what the schema does not say."""

    def table(**types: str) -> dict[str, Any]:
        attributes = [{"AttributeName": name, "AttributeType": each} for name, each in types.items()]
        return of(TABLE, AttributeDefinitions=attributes)

    assert What.MAY_BE_REPLACED == only(table(id="S"), table(id="N")).what
    assert What.MODIFIED == only(table(id="S"), table(id="S", at="N")).what


def test_a_type_that_nobody_knows_may_be_replaced_by_anything() -> None:
    """It is not for lack of knowing that something is safe."""
    assert What.MAY_BE_REPLACED == becomes("Acme::Cache::Thing", {"Size": 1}, {"Size": 2})


def test_a_resource_of_our_own_code_is_as_its_code_is() -> None:
    """What replaces it is another code alone."""
    assert What.MODIFIED == becomes(
        "Custom::Seed", {"ServiceToken": "a", "Rows": 1}, {"ServiceToken": "a", "Rows": 2}
    )
    assert What.REPLACED == becomes("Custom::Seed", {"ServiceToken": "a"}, {"ServiceToken": "b"})


@pytest.mark.parametrize(
    ("resource_type", "name", "on", "off"),
    [
        (DATABASE, "DeletionProtection", True, False),
        (TABLE, "DeletionProtectionEnabled", "true", None),
        ("AWS::Cognito::UserPool", "DeletionProtection", "ACTIVE", "INACTIVE"),
    ],
)
def test_a_protection_that_is_taken_off_counts_as_a_loss(
    resource_type: str, name: str, on: Any, off: Any
) -> None:
    """Putting it on does not."""
    protected, bare = (
        of(resource_type, **{name: on}),
        of(resource_type, **({name: off} if off is not None else {})),
    )
    assert (What.LOOSENED, True) == (only(protected, bare).what, only(protected, bare).refused)
    assert (What.MODIFIED, False) == (only(bare, protected).what, only(bare, protected).refused)


@pytest.mark.parametrize(("resource_type", "known"), KNOWN_BETTER.items())
def test_a_property_of_which_we_know_better_is_one(resource_type: str, known: Mapping[str, What]) -> None:
    """A mistyped one would be left to the schema."""
    properties = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema["properties"]
    assert [] == [pointer for pointer in known if pointer.partition("/")[0] not in properties]
