"""What the pipeline may: push images that stay what they are, and deploy, from one branch, without a key."""

from __future__ import annotations

import json
import re

import pytest

from contracts.services import SERVICES
from infra.template import Template
from infra.testing import Deployment, may, rights

_BOOTSTRAP = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/cdk-hnb659fds-"


@pytest.fixture(scope="session")
def ci(in_prod: Deployment) -> Template:
    """The stack of the pipeline, of which an account has one."""
    return in_prod["mercato-ci"]


def test_one_stack_serves_every_environment(ci: Template, in_dev: Deployment, in_staging: Deployment) -> None:
    """Wherever it is made from it is the same: an account has one registry, and one way in for GitHub."""
    assert ci == in_dev["mercato-ci"] == in_staging["mercato-ci"]


def test_the_role_is_for_the_main_branch_of_one_repository(ci: Template) -> None:
    """Also for a job there that names staging; not for another branch, a tag, a pull request or a fork."""
    (trust,) = ci.only("AWS::IAM::Role").properties["AssumeRolePolicyDocument"]["Statement"]
    assert "sts:AssumeRoleWithWebIdentity" == trust["Action"]
    assert {"Federated": "${GitHub}"} == trust["Principal"]
    issuer = "token.actions.githubusercontent.com"
    assert {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": [
                "repo:${GitHubRepository}:ref:refs/heads/main",
                "repo:${GitHubRepository}:environment:staging",
            ],
            f"{issuer}:ref": "refs/heads/main",
        }
    } == trust["Condition"]


@pytest.mark.parametrize(
    ("repository", "allowed"),
    [
        ("mercato/shop", True),
        ("a.b_c-d/e.f", True),
        ("mercato", False),
        ("mercato/*", False),
        ("*/*", False),
        ("mercato/shop:ref:refs/heads/evil", False),
        ("", False),
    ],
)
def test_the_repository_is_one_and_no_pattern(ci: Template, repository: str, allowed: bool) -> None:
    """Whoever deploys cannot open the role to more than one, not even by mistake."""
    parameter = ci.body["Parameters"]["GitHubRepository"]
    assert "Default" not in parameter
    assert allowed == bool(re.fullmatch(parameter["AllowedPattern"], repository))


def test_github_proves_who_it_is_by_tokens_of_the_moment(ci: Template) -> None:
    """There is no user and no key that could be lost."""
    provider = ci.only("AWS::IAM::OIDCProvider").properties
    assert ("https://token.actions.githubusercontent.com", ["sts.amazonaws.com"]) == (
        provider["Url"],
        provider["ClientIdList"],
    )
    assert 3600 == ci.only("AWS::IAM::Role").properties["MaxSessionDuration"]


def test_nobody_has_a_long_lived_key(anywhere: Deployment) -> None:
    """In no stack."""
    types = {resource.type for _, resource in anywhere.resources()}
    assert set() == types & {"AWS::IAM::User", "AWS::IAM::AccessKey"}


def test_the_pipeline_pushes_images_and_deploys_and_no_more(ci: Template) -> None:
    """As the roles that `cdk bootstrap` made, which have the rights: it has none of its own beside."""
    push = (
        "ecr:BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage CompleteLayerUpload "
        "UploadLayerPart InitiateLayerUpload PutImage"
    )
    assert {
        *may(push, *(f"${{{service.title()}.Arn}}" for service in SERVICES)),
        # The token is of the account: its action knows no resources.
        *may("ecr:GetAuthorizationToken", "*"),
        *may(
            "sts:AssumeRole",
            *(
                f"{_BOOTSTRAP}{name}-${{AWS::AccountId}}-${{AWS::Region}}"
                for name in ("deploy-role", "file-publishing-role", "lookup-role")
            ),
        ),
    } == rights(ci, "Role")


def test_each_service_has_a_registry_whose_tags_stay_what_they_are(ci: Template) -> None:
    """What was tested as 1.4.0 is 1.4.0. It is looked at for known holes when it is pushed."""
    registries = {
        registry.properties["RepositoryName"]: registry.properties
        for registry in ci.resources("AWS::ECR::Repository")
    }
    assert {f"mercato/{service}" for service in SERVICES} == set(registries)
    assert {"IMMUTABLE"} == {each["ImageTagMutability"] for each in registries.values()}
    assert [{"ScanOnPush": True}] * len(SERVICES) == [
        each["ImageScanningConfiguration"] for each in registries.values()
    ]


def test_a_registry_keeps_a_hundred_images_and_nothing_without_a_tag(ci: Template) -> None:
    """For longer than a week; and it outlives its stack."""
    for registry in ci.resources("AWS::ECR::Repository"):
        untagged, enough = json.loads(registry.properties["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
        assert ("untagged", "sinceImagePushed", 7, "days") == (
            untagged["selection"]["tagStatus"],
            untagged["selection"]["countType"],
            untagged["selection"]["countNumber"],
            untagged["selection"]["countUnit"],
        )
        assert ("any", "imageCountMoreThan", 100) == (
            enough["selection"]["tagStatus"],
            enough["selection"]["countType"],
            enough["selection"]["countNumber"],
        )
        assert "Retain" == registry.attributes["DeletionPolicy"]


def test_tasks_are_started_from_these_registries(ci: Template, anywhere: Deployment) -> None:
    """By the names that they have here."""
    registries = {each.properties["RepositoryName"] for each in ci.resources("AWS::ECR::Repository")}
    images = {
        made["Image"].partition("/")[2].partition(":")[0]
        for _, task in anywhere.resources("AWS::ECS::TaskDefinition")
        for made in task.properties["ContainerDefinitions"]
        if made["Image"].startswith("${AWS::AccountId}.")
    }
    assert registries == images
