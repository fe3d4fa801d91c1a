"""How templates are read for the tests: what CloudFormation would put in is a name that leads to it."""

from __future__ import annotations

import pytest

from infra import testing
from infra.template import Template
from infra.testing import Deployment, Right, may, named, rights

BELOW = Template(
    "mercato-dev-below",
    {
        "Resources": {
            "Vpc8378EB38": {"Type": "AWS::EC2::VPC", "Properties": {}},
            "GroupAAAAAAAA": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {
                    "SecurityGroupIngress": [
                        {"CidrIp": "0.0.0.0/0", "FromPort": 80, "ToPort": 80, "IpProtocol": "tcp"}
                    ]
                },
            },
            "GroupBBBBBBBB": {"Type": "AWS::EC2::SecurityGroup", "DependsOn": "GroupAAAAAAAA"},
        },
        "Outputs": {
            "Plain": {"Value": {"Ref": "Vpc8378EB38"}},
            "Exported": {"Value": {"Ref": "Vpc8378EB38"}, "Export": {"Name": "below:Vpc"}},
            "Group": {
                "Value": {"Fn::GetAtt": ["GroupAAAAAAAA", "GroupId"]},
                "Export": {"Name": "below:Group"},
            },
        },
    },
)
ABOVE = Template(
    "mercato-dev-above",
    {
        "Resources": {
            "Rule12345678": {
                "Type": "AWS::EC2::SecurityGroupIngress",
                "Properties": {
                    "GroupId": {"Fn::ImportValue": "below:Group"},
                    "SourceSecurityGroupId": {"Fn::GetAtt": ["OwnCCCCCCCC", "GroupId"]},
                    "FromPort": 443,
                    "ToPort": 443,
                    "IpProtocol": "tcp",
                },
            },
            "OwnCCCCCCCC": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {
                    "VpcId": {"Fn::ImportValue": "below:Vpc"},
                    "Zone": {"Fn::Select": [1, {"Fn::GetAZs": ""}]},
                    "Parameter": {"Ref": "GitHubRepository"},
                },
            },
            "Policy00000000": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "Roles": [{"Ref": "RoleDDDDDDDD"}],
                    "PolicyDocument": {
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "s3:GetObject",
                                "Resource": {
                                    "Fn::Join": [
                                        "",
                                        ["arn:", {"Ref": "AWS::Partition"}, ":s3:::", {"Ref": "B"}],
                                    ]
                                },
                                "Condition": {"ArnEquals": {"aws:SourceArn": {"Ref": "OwnCCCCCCCC"}}},
                            }
                        ]
                    },
                },
            },
        }
    },
)


@pytest.fixture
def deployment() -> Deployment:
    """Two stacks, one of which imports from the other."""
    return testing.plain("dev", {"below": BELOW, "above": ABOVE})


def test_a_reference_is_a_name_without_a_hash(deployment: Deployment) -> None:
    """A parameter's and a zone's as well."""
    own = named(deployment["above"], "Own").properties
    assert {"VpcId": "${below:Vpc}", "Zone": "${zones}[1]", "Parameter": "${GitHubRepository}"} == own
    assert "${Vpc}" == deployment["below"].body["Outputs"]["Plain"]["Value"]


def test_where_two_would_have_one_name_the_second_keeps_its_hash(deployment: Deployment) -> None:
    """Nothing is read for something else."""
    below = deployment["below"]
    assert ["Vpc", "Group", "GroupBBBBBBBB"] == [resource.id for resource in below.resources()]
    assert ["Group"] == named(below, "GroupBBBBBBBB").attributes["DependsOn"]


def test_a_group_opens_what_any_stack_says(deployment: Deployment) -> None:
    """To addresses, and to groups by the stacks where they are."""
    assert {(80, "0.0.0.0/0"), (443, "above:Own")} == testing.ingress(deployment, "below:Group")


def test_rights_are_actions_on_resources_with_their_condition(deployment: Deployment) -> None:
    """However the policy writes them down."""
    arn = "arn:${AWS::Partition}:s3:::${B}"
    condition = "aws:SourceArn ArnEquals ${Own}"
    assert {Right("s3:GetObject", arn, condition)} == rights(deployment["above"], "RoleDDDDDDDD")
    assert may("s3:GetObject", arn, condition=condition) == rights(deployment["above"], "RoleDDDDDDDD")


def test_what_the_templates_were_is_left_as_it_was(deployment: Deployment) -> None:
    """Others read them as CDK wrote them."""
    assert {"Ref": "Vpc8378EB38"} == BELOW.body["Outputs"]["Plain"]["Value"]
    assert deployment["below"].stack == BELOW.stack
