"""What holds for every stack: names, where it can be deployed, and on whom it waits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

import pytest

from contracts.services import SERVICES
from infra.environment import NAMES
from infra.template import Template
from infra.testing import Deployment, statements

_STACKS = {
    "mercato-ci",
    "shared",
    "messaging",
    "observability",
    "gateway",
    "fault-injection",
    *SERVICES,
}
# A stack that another imports from cannot take away what is imported: these are few, and below all others.
_MAY_IMPORT = {
    "mercato-ci": set(),
    "shared": set(),
    "messaging": {"shared"},
    "observability": {"shared"},
    "gateway": {"shared"},
    "fault-injection": {"shared", "observability"},
    **{service: {"shared", "messaging", "observability"} for service in SERVICES},
}


@pytest.fixture(params=NAMES)
def written(request: pytest.FixtureRequest) -> dict[str, Template]:
    """The templates of each environment as CDK wrote them: the test runs for every one."""
    templates: dict[str, Template] = request.getfixturevalue(request.param)
    return templates


def imports(value: Any) -> Iterator[str]:
    """The stacks of which a part of a template imports, by their full names."""
    if isinstance(value, dict):
        if "Fn::ImportValue" in value:
            yield value["Fn::ImportValue"].partition(":")[0]
        for item in value.values():
            yield from imports(item)
    elif isinstance(value, list):
        for item in value:
            yield from imports(item)


def imported(templates: Mapping[str, Template]) -> dict[str, set[str]]:
    """Of whom each stack imports, by short names."""
    short = {template.stack: name for name, template in templates.items()}
    return {name: {short[stack] for stack in imports(template.body)} for name, template in templates.items()}


def test_an_environment_is_eleven_stacks(anywhere: Deployment) -> None:
    """One of which, the pipeline's, is the account's."""
    assert _STACKS == set(anywhere.stacks)


def test_a_service_imports_from_what_is_below_it_and_from_no_other_service(
    written: dict[str, Template],
) -> None:
    """It is deployed alone: an export that another service needs could not be changed without that one."""
    found = imported(written)
    assert {} == {name: found[name] - _MAY_IMPORT[name] for name in found if found[name] - _MAY_IMPORT[name]}


def test_every_stack_can_be_deployed_after_those_that_it_imports_from(written: dict[str, Template]) -> None:
    """There is no circle: the first deployment finds an order."""
    order = list(TopologicalSorter(imported(written)).static_order())
    assert set(written) == set(order)
    assert order.index("shared") < order.index("messaging") < order.index("order")


def test_what_is_exported_is_imported(written: dict[str, Template]) -> None:
    """An export that nobody needs is one more name that cannot be changed."""
    exported = {
        output["Export"]["Name"]
        for template in written.values()
        for output in template.body.get("Outputs", {}).values()
        if "Export" in output
    }
    text = json.dumps([template.body for template in written.values()])
    assert exported == set(re.findall(r'"Fn::ImportValue": "([^"]+)"', text))


def test_no_template_names_an_account_or_a_region(written: dict[str, Template]) -> None:
    """It can be deployed anywhere, and by anybody."""
    region = re.compile(r"\b(?:us|eu|ap|sa|ca|me|af|il|mx)-(?:[a-z]+-)?[a-z]+-\d\b")
    for template in written.values():
        text = json.dumps(template.body)
        assert [] == region.findall(text), template.stack
        assert [] == re.findall(r"(?<![\w-])\d{12}(?![\w-])", text), template.stack


def test_names_carry_the_environment(anywhere: Deployment) -> None:
    """Several environments fit in one account: nothing of one is called like something of another.

    An ECS service is named in its cluster, and a namespace of private DNS in its network.
    """
    named = {
        (resource.type, name)
        for stack, resource in anywhere.resources()
        if stack != "mercato-ci"
        for key, name in resource.properties.items()
        if key.endswith("Name") and isinstance(name, str) and key in _NAMES_OF.get(resource.type, ())
    }
    assert named
    assert [] == [each for each in named if anywhere.name not in each[1]]


_NAMES_OF = {
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::ECS::Cluster": ("ClusterName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::CloudWatch::CompositeAlarm": ("AlarmName",),
    "AWS::SecretsManager::Secret": ("Name",),
    "AWS::ApiGateway::UsagePlan": ("UsagePlanName",),
    "AWS::ApiGateway::RestApi": ("Name",),
    "AWS::ApiGateway::VpcLink": ("Name",),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("PolicyName",),
}


def test_what_outlives_its_stack_outlives_being_replaced(anywhere: Deployment) -> None:
    """CloudFormation has a word for each, and deletes by either."""
    differ = [
        (stack, resource.id)
        for stack, resource in anywhere.resources()
        if resource.attributes.get("DeletionPolicy") != resource.attributes.get("UpdateReplacePolicy")
    ]
    assert [] == differ


def test_what_cannot_be_made_again_outlives_its_stack(anywhere: Deployment) -> None:
    """Keys, without which nothing is read any more, images, registries, databases, access logs."""
    kept = {
        "AWS::KMS::Key": "Retain",
        "AWS::S3::Bucket": "Retain",
        "AWS::ECR::Repository": "Retain",
        "AWS::RDS::DBCluster": "Snapshot",
        "AWS::ElastiCache::ReplicationGroup": "Snapshot",
    }
    for stack, resource in anywhere.resources():
        if resource.type in kept:
            assert kept[resource.type] == resource.attributes["DeletionPolicy"], (stack, resource.id)


def test_a_key_is_rotated_and_its_account_s_to_give(anywhere: Deployment) -> None:
    """Else no policy of a role could name it, and nobody could change it."""
    for stack, key in anywhere.resources("AWS::KMS::Key"):
        owner, *_ = statements(key.properties["KeyPolicy"])
        assert key.properties["EnableKeyRotation"], stack
        assert {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"},
            "Action": ["kms:*"],
            "Resource": ["*"],
        } == owner, stack


def test_every_bucket_is_closed(anywhere: Deployment) -> None:
    """Encrypted, versioned, without access control lists, never public, and by TLS only."""
    found = list(anywhere.resources("AWS::S3::Bucket"))
    assert {"shared", "product"} == {stack for stack, _ in found}
    for stack, bucket in found:
        properties = bucket.properties
        assert {True} == set(properties["PublicAccessBlockConfiguration"].values())
        assert 4 == len(properties["PublicAccessBlockConfiguration"])
        assert {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]} == properties["OwnershipControls"]
        assert {"Status": "Enabled"} == properties["VersioningConfiguration"]
        (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert {"SSEAlgorithm": "AES256"} == encryption["ServerSideEncryptionByDefault"]
        policy = anywhere[stack].only("AWS::S3::BucketPolicy").properties
        assert f"${{{bucket.id}}}" == policy["Bucket"]
        (denied,) = [each for each in statements(policy["PolicyDocument"]) if each["Effect"] == "Deny"]
        assert {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": ["s3:*"],
            "Resource": [f"${{{bucket.id}.Arn}}", f"${{{bucket.id}.Arn}}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        } == denied


def test_what_only_answers_calls_nobody(anywhere: Deployment) -> None:
    """Databases and the cache: their groups let nothing out, which CDK has to say by a rule for nobody."""
    closed = [
        (stack, group)
        for stack, group in anywhere.resources("AWS::EC2::SecurityGroup")
        if group.id in ("DatabaseGroup", "CacheGroup")
    ]
    assert len(SERVICES) + 1 == len(closed)
    for _, group in closed:
        (rule,) = group.properties["SecurityGroupEgress"]
        assert ("255.255.255.255/32", "icmp", 252, 86) == (
            rule["CidrIp"],
            rule["IpProtocol"],
            rule["FromPort"],
            rule["ToPort"],
        )


def test_everything_is_in_the_one_network(anywhere: Deployment) -> None:
    """What is in another is reached from nowhere."""
    networks = {
        resource.properties[key].replace("${shared:", "${")
        for _, resource in anywhere.resources()
        for key in ("VpcId", "Vpc")
        if isinstance(resource.properties.get(key), str)
    }
    assert {"${Vpc}"} == networks


def test_a_role_is_taken_by_one_service_of_aws(anywhere: Deployment) -> None:
    """By the one that needs it; but the pipeline's, which GitHub takes."""
    for stack, role in anywhere.resources("AWS::IAM::Role"):
        (trust,) = role.properties["AssumeRolePolicyDocument"]["Statement"]
        assert "Allow" == trust["Effect"]
        if stack == "mercato-ci":
            continue
        expected = next(who for ending, who in _TAKEN_BY.items() if role.id.endswith(ending))
        assert ("sts:AssumeRole", {"Service": f"{expected}.amazonaws.com"}) == (
            trust["Action"],
            trust["Principal"],
        ), (stack, role.id)


_TAKEN_BY = {
    "TaskRole": "ecs-tasks",
    "ExecutionRole": "ecs-tasks",
    "FaultAgentRole": "ssm",
    "MigratorRole": "lambda",
    "MonitorRole": "lambda",
    "DatabaseMonitoring": "monitoring.rds",
    "VpcAllIAMRole": "vpc-flow-logs",
    "CloudWatchRole": "apigateway",
    "Role": "fis",
}


def test_no_two_services_claim_a_priority(anywhere: Deployment) -> None:
    """The load balancer refuses the second, when it is deployed."""
    found = [
        rule.properties["Priority"]
        for _, rule in anywhere.resources("AWS::ElasticLoadBalancingV2::ListenerRule")
    ]
    assert [100 * number for number in range(1, len(SERVICES) + 1)] == sorted(found)
