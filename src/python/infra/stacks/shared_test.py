"""The shared stack: a network that opens no more than it says, the cluster, the load balancer, the logs."""

from __future__ import annotations

import pytest

from contracts.services import SERVICES
from infra.testing import Deployment, attributes, ingress, may, named, rights, statements

_ZONES = (0, 1, 2)
_NOT_FOUND = {
    "Type": "fixed-response",
    "FixedResponseConfig": {
        "StatusCode": "404",
        "ContentType": "text/plain",
        "MessageBody": "Service not found",
    },
}


def subnets(deployment: Deployment, kind: str) -> list[tuple[str, str]]:
    """Zone and size of each subnet of a kind: `${zones}[0]`, `/24`."""
    return [
        (subnet.properties["AvailabilityZone"], subnet.properties["CidrBlock"][-3:])
        for subnet in deployment["shared"].resources("AWS::EC2::Subnet")
        if {"Key": "aws-cdk:subnet-name", "Value": kind} in subnet.properties["Tags"]
    ]


def routes(deployment: Deployment, kind: str) -> set[str]:
    """Where the subnets of a kind send what is for the world: by the table that each of them has."""
    shared = deployment["shared"]
    tables = {
        each.properties["RouteTableId"]
        for each in shared.resources("AWS::EC2::SubnetRouteTableAssociation")
        if each.properties["SubnetId"].startswith(f"${{Vpc{kind}Subnet")
    }
    assert 3 == len(tables)
    return {
        route.properties.get("NatGatewayId") or route.properties["GatewayId"]
        for route in shared.resources("AWS::EC2::Route")
        if route.properties["RouteTableId"] in tables
        and route.properties["DestinationCidrBlock"] == "0.0.0.0/0"
    }


# --- network


def test_the_network_is_a_16_at_10_0(anywhere: Deployment) -> None:
    """Room for what comes, and names for what is in it: tasks find each other by DNS."""
    vpc = anywhere["shared"].only("AWS::EC2::VPC").properties
    assert ("10.0.0.0/16", True, True) == (
        vpc["CidrBlock"],
        vpc["EnableDnsSupport"],
        vpc["EnableDnsHostnames"],
    )


@pytest.mark.parametrize(("kind", "size"), [("public", "/24"), ("private", "/24"), ("isolated", "/28")])
def test_each_kind_of_subnet_is_in_three_zones(anywhere: Deployment, kind: str, size: str) -> None:
    """A zone that is away takes a third of everything with it, and no more."""
    assert [(f"${{zones}}[{zone}]", size) for zone in _ZONES] == subnets(anywhere, kind)


def test_there_are_two_nat_gateways_in_two_zones(anywhere: Deployment) -> None:
    """One that is away leaves the other; a third would cost as much as it is worth."""
    gateways = list(anywhere["shared"].resources("AWS::EC2::NatGateway"))
    assert {"${VpcpublicSubnet1Subnet}", "${VpcpublicSubnet2Subnet}"} == {
        gateway.properties["SubnetId"] for gateway in gateways
    }
    assert 2 == len(gateways)


def test_private_subnets_reach_out_by_nat_and_isolated_ones_not_at_all(anywhere: Deployment) -> None:
    """Databases have no business outside; tasks have, and are not reached from there."""
    assert {"${VpcpublicSubnet1NATGateway}", "${VpcpublicSubnet2NATGateway}"} == routes(anywhere, "private")
    assert {"${VpcIGW}"} == routes(anywhere, "public")
    assert set() == routes(anywhere, "isolated")
    attachment = anywhere["shared"].only("AWS::EC2::VPCGatewayAttachment").properties
    assert "${VpcIGW}" == attachment["InternetGatewayId"]


def test_images_and_layers_do_not_pass_a_nat_gateway(anywhere: Deployment) -> None:
    """Which charges for each byte: every subnet has a way to S3 of its own."""
    shared = anywhere["shared"]
    endpoint = shared.only("AWS::EC2::VPCEndpoint").properties
    assert ("Gateway", "com.amazonaws.${AWS::Region}.s3") == (
        endpoint["VpcEndpointType"],
        endpoint["ServiceName"],
    )
    tables = {f"${{{table.id}}}" for table in shared.resources("AWS::EC2::RouteTable")}
    assert tables == set(endpoint["RouteTableIds"])


def test_nothing_is_given_a_public_address_by_its_subnet(anywhere: Deployment) -> None:
    """What is in a public subnet is public only where it says so itself."""
    assert {False} == {
        subnet.properties["MapPublicIpOnLaunch"]
        for subnet in anywhere["shared"].resources("AWS::EC2::Subnet")
        if "MapPublicIpOnLaunch" in subnet.properties
    }


def test_all_traffic_is_in_the_flow_logs(anywhere: Deployment) -> None:
    """What was refused as well: that is what one looks for."""
    flow_log = anywhere["shared"].only("AWS::EC2::FlowLog").properties
    assert ("VPC", "${Vpc}", "ALL", "cloud-watch-logs", "${FlowLogs}", "${VpcAllIAMRole.Arn}") == (
        flow_log["ResourceType"],
        flow_log["ResourceId"],
        flow_log["TrafficType"],
        flow_log["LogDestinationType"],
        flow_log["LogGroupName"],
        flow_log["DeliverLogsPermissionArn"],
    )
    write = may("logs:CreateLogStream PutLogEvents DescribeLogStreams", "${FlowLogs.Arn}")
    assert write == rights(anywhere["shared"], "VpcAllIAMRole")


# --- cluster


def test_the_cluster_runs_on_fargate_with_container_insights(anywhere: Deployment) -> None:
    """Tasks missing is told by what Container Insights counts; instances come by context only."""
    shared = anywhere["shared"]
    cluster = named(shared, "Cluster").properties
    assert f"mercato-{anywhere.name}" == cluster["ClusterName"]
    assert [{"Name": "containerInsights", "Value": "enhanced"}] == cluster["ClusterSettings"]
    providers = shared.only("AWS::ECS::ClusterCapacityProviderAssociations").properties
    assert ("${Cluster}", ["FARGATE", "FARGATE_SPOT"]) == (
        providers["Cluster"],
        providers["CapacityProviders"],
    )
    assert [] == list(shared.resources("AWS::AutoScaling::AutoScalingGroup"))


def test_the_mesh_and_the_private_names_are_one_namespace(anywhere: Deployment) -> None:
    """A service is found under `microservices.local`, by the mesh and by DNS alike."""
    namespace = anywhere["shared"].only("AWS::ServiceDiscovery::PrivateDnsNamespace")
    assert ("microservices.local", "${Vpc}") == (namespace.properties["Name"], namespace.properties["Vpc"])
    defaults = named(anywhere["shared"], "Cluster").properties["ServiceConnectDefaults"]
    assert {"Namespace": f"${{{namespace.id}.Arn}}"} == defaults


# --- load balancer


def test_the_load_balancer_has_its_own_security_group(anywhere: Deployment) -> None:
    """The tutorial makes one, and leaves the balancer in another."""
    balancer = anywhere["shared"].only("AWS::ElasticLoadBalancingV2::LoadBalancer").properties
    assert ("application", ["${LoadBalancerGroup.GroupId}"]) == (balancer["Type"], balancer["SecurityGroups"])


def test_a_public_load_balancer_is_reached_from_anywhere_on_80_and_443(in_dev: Deployment) -> None:
    """On these ports and no other."""
    balancer = in_dev["shared"].only("AWS::ElasticLoadBalancingV2::LoadBalancer").properties
    assert "internet-facing" == balancer["Scheme"]
    assert [f"${{VpcpublicSubnet{zone}Subnet}}" for zone in (1, 2, 3)] == balancer["Subnets"]
    assert {(80, "0.0.0.0/0"), (443, "0.0.0.0/0")} == ingress(in_dev, "shared:LoadBalancerGroup")


def test_behind_the_gateway_the_load_balancer_is_reached_from_the_network_only(
    with_domain: Deployment,
) -> None:
    """Whoever wants in has to pass the gateway's keys, limits and firewall."""
    balancer = with_domain["shared"].only("AWS::ElasticLoadBalancingV2::LoadBalancer").properties
    assert "internal" == balancer["Scheme"]
    assert [f"${{VpcprivateSubnet{zone}Subnet}}" for zone in (1, 2, 3)] == balancer["Subnets"]
    assert {(80, "10.0.0.0/16"), (443, "10.0.0.0/16")} == ingress(with_domain, "shared:LoadBalancerGroup")


def test_the_load_balancer_reaches_services_and_nothing_else(anywhere: Deployment) -> None:
    """Should it ever be turned against the network, it finds their port."""
    group = named(anywhere["shared"], "LoadBalancerGroup").properties
    assert [] == group.get("SecurityGroupEgress", [])
    rules = [(stack, rule.properties) for stack, rule in anywhere.resources("AWS::EC2::SecurityGroupEgress")]
    assert {("shared", "${Mesh.GroupId}"), *((name, "${ServiceGroup.GroupId}") for name in SERVICES)} == {
        (stack, rule["DestinationSecurityGroupId"]) for stack, rule in rules
    }
    assert {("tcp", 8000, 8000)} == {
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for _, rule in rules
    }
    assert {"${LoadBalancerGroup.GroupId}"} == {
        rule["GroupId"].replace("${shared:", "${") for _, rule in rules
    }


def test_services_may_call_whom_they_need(anywhere: Deployment) -> None:
    """AWS, the payment provider: by names, which a security group does not know."""
    (rule,) = named(anywhere["shared"], "Mesh").properties["SecurityGroupEgress"]
    assert ("0.0.0.0/0", "-1") == (rule["CidrIp"], rule["IpProtocol"])


def test_services_are_reached_from_the_load_balancer_and_each_other_only(anywhere: Deployment) -> None:
    """On the port that they listen on."""
    assert {(8000, "shared:LoadBalancerGroup"), (8000, "shared:Mesh")} == ingress(anywhere, "shared:Mesh")


def test_without_a_domain_port_80_answers_what_nobody_claims(in_dev: Deployment) -> None:
    """A path of no service is told so by the load balancer itself."""
    (listener,) = in_dev["shared"].resources("AWS::ElasticLoadBalancingV2::Listener")
    assert ("${LoadBalancer}", 80, "HTTP") == (
        listener.properties["LoadBalancerArn"],
        listener.properties["Port"],
        listener.properties["Protocol"],
    )
    assert [_NOT_FOUND] == listener.properties["DefaultActions"]


def test_with_a_domain_port_80_leads_to_443(with_domain: Deployment) -> None:
    """Nothing is answered without TLS but where to go instead."""
    listeners = {
        listener.properties["Port"]: listener.properties
        for listener in with_domain["shared"].resources("AWS::ElasticLoadBalancingV2::Listener")
    }
    assert {80: "HTTP", 443: "HTTPS"} == {port: each["Protocol"] for port, each in listeners.items()}
    assert {"${LoadBalancer}"} == {each["LoadBalancerArn"] for each in listeners.values()}
    assert [
        {
            "Type": "redirect",
            "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
        }
    ] == listeners[80]["DefaultActions"]
    assert [_NOT_FOUND] == listeners[443]["DefaultActions"]
    assert [{"CertificateArn": "${Certificate}"}] == listeners[443]["Certificates"]
    # TLS 1.2 at least: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
    assert "ELBSecurityPolicy-TLS13-1-2-2021-06" == listeners[443]["SslPolicy"]


def test_the_load_balancer_is_called_by_the_name_in_its_certificate(with_domain: Deployment) -> None:
    """Else the gateway, which verifies it, would not talk to it."""
    shared = with_domain["shared"]
    certificate = shared.only("AWS::CertificateManager::Certificate").properties
    name, zone = "origin.mercato.example.com", "Z0123456789ABC"
    assert (name, "DNS", [{"DomainName": name, "HostedZoneId": zone}]) == (
        certificate["DomainName"],
        certificate["ValidationMethod"],
        certificate["DomainValidationOptions"],
    )
    record = shared.only("AWS::Route53::RecordSet").properties
    assert (f"{name}.", "A", zone) == (record["Name"], record["Type"], record["HostedZoneId"])
    assert {
        "DNSName": "dualstack.${LoadBalancer.DNSName}",
        "HostedZoneId": "${LoadBalancer.CanonicalHostedZoneID}",
    } == record["AliasTarget"]


def test_the_load_balancer_drops_invalid_headers_and_logs_every_request(anywhere: Deployment) -> None:
    """What a service would read in another way than the balancer is the way past its rules."""
    balancer = anywhere["shared"].only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    said = attributes(balancer, "LoadBalancerAttributes")
    assert {
        "routing.http.drop_invalid_header_fields.enabled": "true",
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": "${AccessLogs}",
        "access_logs.s3.prefix": "load-balancer",
        "deletion_protection.enabled": "true" if anywhere.name == "prod" else "false",
    } == said


def test_who_logs_may_write_to_the_bucket_of_access_logs_before_it_has_to(anywhere: Deployment) -> None:
    """A load balancer that may not write its logs is not made."""
    shared = anywhere["shared"]
    policy = shared.only("AWS::S3::BucketPolicy")
    allowed = {
        (statement["Principal"]["Service"], *statement["Action"], *statement["Resource"])
        for statement in statements(policy.properties["PolicyDocument"])
        if statement["Effect"] == "Allow"
        # Of this account: the bucket is nobody's to fill.
        and statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}}
    }
    assert {
        (
            "logdelivery.elasticloadbalancing.amazonaws.com",
            "s3:PutObject",
            "${AccessLogs.Arn}/load-balancer/*",
        ),
        ("logging.s3.amazonaws.com", "s3:PutObject", "${AccessLogs.Arn}/buckets/*"),
    } == allowed
    balancer = shared.only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert policy.id in balancer.attributes["DependsOn"]


def test_access_logs_are_kept_for_90_days(anywhere: Deployment) -> None:
    """Then they go, and a day later what was left of old versions."""
    (rule,) = named(anywhere["shared"], "AccessLogs").properties["LifecycleConfiguration"]["Rules"]
    assert {
        "Status": "Enabled",
        "ExpirationInDays": 90,
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    } == rule


# --- logs, secrets, outputs


def test_each_service_has_a_log_group_of_its_own(anywhere: Deployment) -> None:
    """Named after environment and service: that is how one looks for it."""
    names = {
        group.properties["LogGroupName"] for group in anywhere["shared"].resources("AWS::Logs::LogGroup")
    }
    assert {f"/mercato/{anywhere.name}/{name}" for name in (*SERVICES, "network")} == names


def test_every_log_group_is_kept_for_a_month_and_encrypted(anywhere: Deployment) -> None:
    """Of whatever stack: what functions and the gateway write, too."""
    groups = list(anywhere.resources("AWS::Logs::LogGroup"))
    assert {30} == {group.properties["RetentionInDays"] for _, group in groups}
    keys = {group.properties["KmsKeyId"].replace("${shared:", "${") for _, group in groups}
    assert {"${LogsKey.Arn}"} == keys


def test_the_key_of_the_logs_serves_log_groups_of_the_account(anywhere: Deployment) -> None:
    """CloudWatch Logs may use it for these, and for nobody else's."""
    key = anywhere["shared"].only("AWS::KMS::Key").properties
    assert key["EnableKeyRotation"]
    _, statement = statements(key["KeyPolicy"])
    assert {"Service": "logs.${AWS::Region}.amazonaws.com"} == statement["Principal"]
    assert [
        "kms:Decrypt",
        "kms:Describe*",
        "kms:Encrypt",
        "kms:GenerateDataKey*",
        "kms:ReEncrypt*",
    ] == statement["Action"]
    assert {
        "ArnLike": {
            "kms:EncryptionContext:aws:logs:arn": (
                "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*"
            )
        }
    } == statement["Condition"]


def test_what_people_fill_in_outlives_the_stack(anywhere: Deployment) -> None:
    """Signing keys that are gone sign everybody out; the provider's keys are asked for again by hand."""
    secrets = list(anywhere["shared"].resources("AWS::SecretsManager::Secret"))
    assert {f"mercato/{anywhere.name}/{name}" for name in ("signing-keys", "stripe")} == {
        secret.properties["Name"] for secret in secrets
    }
    assert {"Retain"} == {secret.attributes["DeletionPolicy"] for secret in secrets}


def test_the_stack_says_where_everything_is(anywhere: Deployment) -> None:
    """Network, cluster, load balancer and namespace: what others are told to look at."""
    outputs = anywhere["shared"].body["Outputs"]
    assert {
        "VpcId": "${Vpc}",
        "ClusterName": "${Cluster}",
        "LoadBalancerDns": "${LoadBalancer.DNSName}",
        "NamespaceName": "microservices.local",
    } == {name: output["Value"] for name, output in outputs.items() if "Export" not in output}


def test_browsers_may_read_what_the_services_answer(anywhere: Deployment) -> None:
    """The gateway passes answers on as they are: the load balancer says whose page may read them."""
    origin = "*" if anywhere.name == "dev" else "https://mercato.example.com"
    said = [
        {each["Key"]: each["Value"] for each in listener.properties["ListenerAttributes"]}
        for listener in anywhere["shared"].resources("AWS::ElasticLoadBalancingV2::Listener")
        if "ListenerAttributes" in listener.properties
    ]
    prefix = "routing.http.response.access_control"
    expected = {
        f"{prefix}_allow_origin.header_value": origin,
        f"{prefix}_expose_headers.header_value": "ETag,Location,Retry-After,Idempotency-Replayed",
    }
    assert [expected] == said
