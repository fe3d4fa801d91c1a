"""From an environment to templates: broken rules are refused, variants are right, nothing is by chance.

Each synthesis takes seconds: there are three, and what else is asked of templates is asked of those that the
build made once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks

from contracts.services import SERVICES
from infra import environment, synthesis, template, testing
from infra.synthesis import PolicyViolated
from infra.testing import Deployment, ingress, named

IMAGES = {f"{service}_image": "1.0.0" for service in SERVICES}
CA = "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/11111111-2222-3333-4444-555555555555"
TEMPLATES = Path("cdk.out")


# --- rules


def test_a_bucket_without_tls_is_refused(tmp_path: Path) -> None:
    """The rules are on, and what breaks one is said: where, which rule, what it asks for."""

    def build(app: cdk.App, _: environment.Environment) -> None:
        s3.Bucket(cdk.Stack(app, "careless"), "Bucket", block_public_access=s3.BlockPublicAccess.BLOCK_ALL)
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    made = environment.load({"environment": "dev"} | IMAGES)
    with pytest.raises(PolicyViolated) as caught:
        synthesis.synthesise(made, tmp_path / "out", build)
    lines = str(caught.value).splitlines()
    assert ["AwsSolutions-S1", "AwsSolutions-S10"] == sorted(line.split(": ")[1] for line in lines)
    assert all(line.startswith("careless/Bucket") for line in lines)
    assert any("require requests to use SSL" in line for line in lines)


# --- chance


def test_the_same_environment_comes_to_the_same_templates(tmp_path: Path) -> None:
    """Byte by byte, in another process and another folder: what differs was meant.

    What the build made is of the same arguments.
    """
    made = environment.load({"environment": "dev"} | IMAGES)
    paths = synthesis.synthesise(made, tmp_path / "dev")
    assert [path.name for path in template.paths(TEMPLATES / "dev").values()] == [path.name for path in paths]
    for path in paths:
        assert (TEMPLATES / "dev" / path.name).read_bytes() == path.read_bytes(), path.name


# --- variants: blue/green, TLS of the mesh, and EC2 instances, of one synthesis


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Prod with everything that comes by context only."""
    made = environment.load(
        {
            "environment": "prod",
            "domain_name": "mercato.example.com",
            "hosted_zone_id": "Z0123456789ABC",
            "alert_email": "oncall@mercato.example.com",
            "blue_green": "true",
            "private_ca_arn": CA,
            "ec2_capacity": "true",
        }
        | IMAGES
    )
    output = tmp_path_factory.mktemp("variant")
    synthesis.synthesise(made, output)
    found = template.read(output)
    return testing.plain("prod", {name.removeprefix("mercato-prod-"): each for name, each in found.items()})


def service_of(deployment: Deployment, service: str) -> dict[str, Any]:
    """The properties of an ECS service."""
    return dict(deployment[service].only("AWS::ECS::Service").properties)


@pytest.mark.parametrize("service", SERVICES)
def test_blue_green_turns_all_traffic_over_at_once(variant: Deployment, service: str) -> None:
    """By ECS itself, at the service's own rule. The old tasks stay for ten minutes, to go back to."""
    properties = service_of(variant, service)
    assert {"Type": "ECS"} == properties["DeploymentController"]
    deployment = properties["DeploymentConfiguration"]
    assert ("BLUE_GREEN", 10, {"Enable": True, "Rollback": True}) == (
        deployment["Strategy"],
        deployment["BakeTimeInMinutes"],
        deployment["DeploymentCircuitBreaker"],
    )
    (balancer,) = properties["LoadBalancers"]
    assert "${ServiceTargets}" == balancer["TargetGroupArn"]
    advanced = balancer["AdvancedConfiguration"]
    assert ("${ServiceOtherTargets}", "${ServiceRule}") == (
        advanced["AlternateTargetGroupArn"],
        advanced["ProductionListenerRule"],
    )


@pytest.mark.parametrize("service", SERVICES)
def test_ecs_may_turn_the_traffic_over(variant: Deployment, service: str) -> None:
    """By a role that only it takes, with AWS' own policy for that."""
    role = named(variant[service], "ServiceFargateOtherRole").properties
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert {"Service": "ecs.amazonaws.com"} == trust["Principal"]
    policy = "AmazonECSInfrastructureRolePolicyForLoadBalancers"
    assert [f"arn:${{AWS::Partition}}:iam::aws:policy/{policy}"] == role["ManagedPolicyArns"]
    advanced = service_of(variant, service)["LoadBalancers"][0]["AdvancedConfiguration"]
    assert "${ServiceFargateOtherRole.Arn}" == advanced["RoleArn"]


@pytest.mark.parametrize("service", SERVICES)
def test_both_target_groups_are_alike(variant: Deployment, service: str) -> None:
    """Else a version would be judged by another measure than the one before."""
    one, other = (
        named(variant[service], name).properties for name in ("ServiceTargets", "ServiceOtherTargets")
    )
    assert one == other


@pytest.mark.parametrize("service", SERVICES)
def test_alarms_look_at_both_target_groups(variant: Deployment, service: str) -> None:
    """After each deployment the traffic is in the other one."""
    for name in ("ServiceLatencyHigh", "ServiceObjectiveFastLong", "ServiceObjectiveSlowShort"):
        metrics = named(variant[service], name).properties["Metrics"]
        groups: dict[str, set[str]] = {}
        for each in metrics:
            if "MetricStat" in each:
                metric = each["MetricStat"]["Metric"]
                groups.setdefault(metric["MetricName"], set()).add(testing.dimensions(metric)["TargetGroup"])
        both = {"${ServiceTargets.TargetGroupFullName}", "${ServiceOtherTargets.TargetGroupFullName}"}
        assert groups
        assert all(both == found for found in groups.values()), name


@pytest.mark.parametrize("service", SERVICES)
def test_with_a_private_ca_services_talk_by_tls(variant: Deployment, service: str) -> None:
    """Certificates are ECS' to ask for, by a role without which it gets none."""
    (of_mesh,) = service_of(variant, service)["ServiceConnectConfiguration"]["Services"]
    assert {
        "IssuerCertificateAuthority": {"AwsPcaAuthorityArn": CA},
        "RoleArn": "${ServiceMeshTls.Arn}",
    } == of_mesh["Tls"]
    role = named(variant[service], "ServiceMeshTls").properties
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert {"Service": "ecs.amazonaws.com"} == trust["Principal"]
    (policy,) = role["ManagedPolicyArns"]
    assert policy.endswith("/AmazonECSInfrastructureRolePolicyForServiceConnectTransportLayerSecurity")


@pytest.mark.parametrize("service", SERVICES)
def test_with_a_private_ca_the_load_balancer_talks_by_tls_as_well(variant: Deployment, service: str) -> None:
    """The mesh takes what comes to the port: without TLS no task would ever be healthy."""
    group = named(variant[service], "ServiceTargets").properties
    assert ("HTTPS", "HTTPS", 8000) == (group["Protocol"], group["HealthCheckProtocol"], group["Port"])


def test_the_cluster_can_have_two_to_ten_instances(variant: Deployment) -> None:
    """t3.medium, in private subnets, with an encrypted disk and a metadata service that asks for a token."""
    shared = variant["shared"]
    group = shared.only("AWS::AutoScaling::AutoScalingGroup")
    assert ("2", "10") == (group.properties["MinSize"], group.properties["MaxSize"])
    assert [f"${{VpcprivateSubnet{zone}Subnet}}" for zone in (1, 2, 3)] == group.properties[
        "VPCZoneIdentifier"
    ]
    data = shared.only("AWS::EC2::LaunchTemplate").properties["LaunchTemplateData"]
    assert ("t3.medium", {"HttpTokens": "required"}) == (data["InstanceType"], data["MetadataOptions"])
    assert [True] == [each["Ebs"]["Encrypted"] for each in data["BlockDeviceMappings"]]
    provider = shared.only("AWS::ECS::CapacityProvider")
    assert {"Status": "ENABLED", "TargetCapacity": 100} == provider.properties["AutoScalingGroupProvider"][
        "ManagedScaling"
    ]
    providers = shared.only("AWS::ECS::ClusterCapacityProviderAssociations").properties["CapacityProviders"]
    assert ["FARGATE", "FARGATE_SPOT", f"${{{provider.id}}}"] == providers


def test_nobody_reaches_the_instances(variant: Deployment) -> None:
    """They fetch what they do; tasks on them have groups of their own."""
    assert set() == ingress(variant, "shared:InstanceGroup")


@pytest.mark.parametrize("service", SERVICES)
def test_services_stay_on_fargate(variant: Deployment, service: str) -> None:
    """Instances are for what comes: where a service is, its own stack says."""
    assert "FARGATE" == service_of(variant, service)["LaunchType"]
