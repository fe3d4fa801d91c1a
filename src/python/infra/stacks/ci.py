"""What the pipeline needs in an account: a registry for each service's images, and a role without a key.

One for all environments of the account. GitHub's runners prove who they are by a token of the moment:
https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
"""

from __future__ import annotations

from aws_cdk import CfnOutput, CfnParameter, Duration, RemovalPolicy, Stack, Tags
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.services import SERVICES
from infra.nag import ANY_RESOURCE, acknowledge

_ISSUER = "token.actions.githubusercontent.com"
# The roles that `cdk bootstrap` makes; the pipeline deploys as these and has no rights of its own beside.
_BOOTSTRAP = "cdk-hnb659fds"
_BOOTSTRAP_ROLES = ("deploy-role", "file-publishing-role", "lookup-role")


class CiStack(Stack):
    """Deployed once, by a person, before anything else."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(
            scope,
            "mercato-ci",
            description="Mercato: registries and the pipeline's role",
            analytics_reporting=False,
        )
        for key, value in {
            "Project": "mercato",
            "Environment": "all",
            "Architecture": "microservices",
            "ManagedBy": "cdk",
        }.items():
            Tags.of(self).add(key, value)
        repositories = [self._repository(service) for service in SERVICES]
        role = self._role()
        for repository in repositories:
            repository.grant_pull_push(role)
        acknowledge(
            role, {ANY_RESOURCE: "the token for the registry is of the account: its action knows none"}
        )
        CfnOutput(self, "RoleArn", value=role.role_arn)

    def _repository(self, service: str) -> ecr.Repository:
        return ecr.Repository(
            self,
            service.title(),
            repository_name=f"mercato/{service}",
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            encryption=ecr.RepositoryEncryption.AES_256,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    description="pushed and never tagged",
                    tag_status=ecr.TagStatus.UNTAGGED,
                    max_image_age=Duration.days(7),
                ),
                ecr.LifecycleRule(description="enough to go back to", max_image_count=100),
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _role(self) -> iam.Role:
        repository = CfnParameter(
            self,
            "GitHubRepository",
            description="OWNER/NAME of the repository whose main branch may deploy",
            allowed_pattern=r"^[\w.-]+/[\w.-]+$",
        )
        provider = iam.OidcProviderNative(
            self, "GitHub", url=f"https://{_ISSUER}", client_ids=["sts.amazonaws.com"]
        )
        repo = f"repo:{repository.value_as_string}"
        # The subject of a job that names an environment says no branch: the branch is asked for beside it.
        # https://aws.amazon.com/about-aws/whats-new/2026/01/aws-sts-supports-validation-identity-provider-claims/
        subjects = [f"{repo}:ref:refs/heads/main", f"{repo}:environment:staging"]
        role = iam.Role(
            self,
            "Role",
            role_name="mercato-ci",
            description="Pushes images and deploys, from the main branch",
            max_session_duration=Duration.hours(1),
            assumed_by=iam.FederatedPrincipal(
                provider.oidc_provider_arn,
                {
                    "StringEquals": {
                        f"{_ISSUER}:aud": "sts.amazonaws.com",
                        f"{_ISSUER}:sub": subjects,
                        f"{_ISSUER}:ref": "refs/heads/main",
                    }
                },
                "sts:AssumeRoleWithWebIdentity",
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["sts:AssumeRole"],
                resources=[
                    f"arn:{self.partition}:iam::{self.account}:role/{_BOOTSTRAP}-{name}-{self.account}-{self.region}"
                    for name in _BOOTSTRAP_ROLES
                ],
            )
        )
        return role
