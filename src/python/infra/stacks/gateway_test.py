"""The gateway: keys, limits and logs at the way in, a private link behind it, a firewall before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.routes import path_of
from contracts.services import SERVICES
from infra.stacks.testing import routing
from infra.testing import Deployment, attributes, named


def methods(deployment: Deployment) -> dict[tuple[str, str], dict[str, Any]]:
    """What the API answers, by method and path."""
    template = deployment["gateway"]
    parts = {
        f"${{{resource.id}}}": (resource.properties["ParentId"], resource.properties["PathPart"])
        for resource in template.resources("AWS::ApiGateway::Resource")
    }

    def path(resource: str) -> Iterator[str]:
        if resource in parts:
            parent, part = parts[resource]
            yield from path(parent)
            yield part

    return {
        (method.properties["HttpMethod"], "/" + "/".join(path(method.properties["ResourceId"]))): dict(
            method.properties
        )
        for method in template.resources("AWS::ApiGateway::Method")
    }


def stage(deployment: Deployment) -> dict[str, Any]:
    """The one stage."""
    return dict(deployment["gateway"].only("AWS::ApiGateway::Stage").properties)


# --- what it answers


def test_every_path_of_a_service_is_forwarded(anywhere: Deployment) -> None:
    """Whatever its method: what is refused is for the service to say."""
    origin = "http://${Link.DNSName}" if anywhere.name == "dev" else "https://origin.mercato.example.com"
    forwarded = {
        key: method["Integration"]["Uri"]
        for key, method in methods(anywhere).items()
        if method["Integration"]["Type"] == "HTTP_PROXY"
    }
    assert {
        ("ANY", "/api/{proxy+}"): f"{origin}/api/{{proxy}}",
        ("ANY", "/api/payments"): f"{origin}/api/payments",
        ("ANY", "/api/payments/{proxy+}"): f"{origin}/api/payments/{{proxy}}",
        ("POST", "/api/payments/webhook"): f"{origin}/api/payments/webhook",
    } == forwarded


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_forwarded_a_service_claims(anywhere: Deployment, service: str) -> None:
    """Both `/api/users` and what is below it are under `/api/`, which the gateway forwards."""
    paths, _ = routing(anywhere[service])
    assert [path_of(service), f"{path_of(service)}/*"] == paths


def test_what_is_forwarded_goes_by_the_link(anywhere: Deployment) -> None:
    """As long as the gateway may wait, with the rest of the path."""
    for (_, path), method in methods(anywhere).items():
        integration = method["Integration"]
        if integration["Type"] != "HTTP_PROXY":
            continue
        assert ("VPC_LINK", "${VpcLink}", 29_000) == (
            integration["ConnectionType"],
            integration["ConnectionId"],
            integration["TimeoutInMillis"],
        )
        assert method["HttpMethod"] == integration["IntegrationHttpMethod"]
        rest = {"integration.request.path.proxy": "method.request.path.proxy"} if "{proxy+}" in path else {}
        assert rest == integration["RequestParameters"]
        assert dict.fromkeys(rest.values(), True) == method["RequestParameters"]


def test_requests_are_validated_before_they_are_forwarded(anywhere: Deployment) -> None:
    """Their parameters and bodies, as far as the gateway knows of them."""
    validator = anywhere["gateway"].only("AWS::ApiGateway::RequestValidator")
    assert (True, True) == (
        validator.properties["ValidateRequestBody"],
        validator.properties["ValidateRequestParameters"],
    )
    assert {f"${{{validator.id}}}"} == {
        method["RequestValidatorId"]
        for method in methods(anywhere).values()
        if method["Integration"]["Type"] == "HTTP_PROXY"
    }


def test_whoever_calls_a_service_has_a_key_but_the_payment_provider(anywhere: Deployment) -> None:
    """It cannot be given one, and signs what it sends. Health and preflights tell nothing that is secret."""
    assert {("ANY", "/api/{proxy+}"), ("ANY", "/api/payments"), ("ANY", "/api/payments/{proxy+}")} == {
        key for key, method in methods(anywhere).items() if method.get("ApiKeyRequired")
    }
    without = {key for key, method in methods(anywhere).items() if not method.get("ApiKeyRequired")}
    assert {("GET", "/health"), ("POST", "/api/payments/webhook")} == {
        (method, path) for method, path in without if method != "OPTIONS"
    }


def test_the_gateway_answers_health_itself(anywhere: Deployment) -> None:
    """It says whether customers reach the shop's door, and not whether somebody is in."""
    health = methods(anywhere)["GET", "/health"]
    (response,) = health["Integration"]["IntegrationResponses"]
    assert "MOCK" == health["Integration"]["Type"]
    assert {"statusCode": 200} == json.loads(health["Integration"]["RequestTemplates"]["application/json"])
    assert "200" == response["StatusCode"]
    assert {"status": "ok"} == json.loads(response["ResponseTemplates"]["application/json"])


def test_browsers_may_read_what_the_gateway_refuses_itself(anywhere: Deployment) -> None:
    """Without a key, over the limit, or while no service answers."""
    origin = "'*'" if anywhere.name == "dev" else "'https://mercato.example.com'"
    found = {
        each.properties["ResponseType"]: each.properties["ResponseParameters"]
        for each in anywhere["gateway"].resources("AWS::ApiGateway::GatewayResponse")
    }
    allowed = {"gatewayresponse.header.Access-Control-Allow-Origin": origin}
    assert {"DEFAULT_4XX": allowed, "DEFAULT_5XX": allowed} == found


def test_browsers_are_told_who_may_call_and_how(anywhere: Deployment) -> None:
    """By a preflight at every path that is forwarded: the origins of the environment, in dev anybody's."""
    preflights = {path: each for (method, path), each in methods(anywhere).items() if method == "OPTIONS"}
    assert {path for _, path in methods(anywhere)} <= set(preflights)
    origin = "'*'" if anywhere.name == "dev" else "'https://mercato.example.com'"
    for preflight in preflights.values():
        assert "MOCK" == preflight["Integration"]["Type"]
        (response,) = preflight["Integration"]["IntegrationResponses"]
        (declared,) = preflight["MethodResponses"]
        assert "204" == response["StatusCode"] == declared["StatusCode"]
        # What is not declared the gateway leaves out.
        assert dict.fromkeys(response["ResponseParameters"], True) == declared["ResponseParameters"]
        said = {
            name.removeprefix("method.response.header.Access-Control-"): value
            for name, value in response["ResponseParameters"].items()
        }
        assert origin == said["Allow-Origin"]
        assert "'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS'" == said["Allow-Methods"]
        assert "'Authorization,Content-Type,Idempotency-Key,X-Api-Key,traceparent'" == said["Allow-Headers"]
        assert "'3600'" == said["Max-Age"]


def test_everything_is_of_the_one_api_and_in_its_stage(anywhere: Deployment) -> None:
    """In the region: what it answers is not for the whole world to cache."""
    template = anywhere["gateway"]
    assert {"${Api}"} == {
        resource.properties["RestApiId"]
        for resource in template.resources()
        if "RestApiId" in resource.properties
    }
    deployment = template.only("AWS::ApiGateway::Deployment")
    assert f"${{{deployment.id}}}" == stage(anywhere)["DeploymentId"]
    assert {method.id for method in template.resources("AWS::ApiGateway::Method")} <= set(
        deployment.attributes["DependsOn"]
    )
    api = template.only("AWS::ApiGateway::RestApi").properties
    assert {"Types": ["REGIONAL"]} == api["EndpointConfiguration"]


def test_tokens_are_none_of_the_gateway_s_business(anywhere: Deployment) -> None:
    """The services verify them, by the keys that the user service publishes."""
    assert {"NONE"} == {method["AuthorizationType"] for method in methods(anywhere).values()}


# --- limits


def test_the_stage_v1_takes_2000_requests_a_second_and_5000_at_once(anywhere: Deployment) -> None:
    """From all callers together."""
    assert "v1" == stage(anywhere)["StageName"]
    (settings,) = stage(anywhere)["MethodSettings"]
    assert ("/*", "*", 2000, 5000) == (
        settings["ResourcePath"],
        settings["HttpMethod"],
        settings["ThrottlingRateLimit"],
        settings["ThrottlingBurstLimit"],
    )


def test_a_key_is_good_for_2000_a_second_5000_at_once_and_100_000_a_day(anywhere: Deployment) -> None:
    """By the plan that the key and the stage belong to: a key without a plan is refused."""
    template = anywhere["gateway"]
    plan = template.only("AWS::ApiGateway::UsagePlan")
    assert {"RateLimit": 2000, "BurstLimit": 5000} == plan.properties["Throttle"]
    assert {"Limit": 100_000, "Period": "DAY"} == plan.properties["Quota"]
    (of_stage,) = plan.properties["ApiStages"]
    assert ("${Api}", "${ApiDeploymentStagev1}") == (of_stage["ApiId"], of_stage["Stage"])
    member = template.only("AWS::ApiGateway::UsagePlanKey").properties
    assert {"KeyId": "${ApiKey}", "KeyType": "API_KEY", "UsagePlanId": f"${{{plan.id}}}"} == member
    assert template.only("AWS::ApiGateway::ApiKey").properties["Enabled"]


def test_no_key_is_in_the_template(anywhere: Deployment) -> None:
    """AWS makes it; who may, reads it there."""
    assert "Value" not in anywhere["gateway"].only("AWS::ApiGateway::ApiKey").properties


# --- logs, metrics, traces


def test_every_request_is_logged_as_json(anywhere: Deployment) -> None:
    """With what one looks for: which request, whose, when, what came of it."""
    setting = stage(anywhere)["AccessLogSetting"]
    assert "${AccessLogs.Arn}" == setting["DestinationArn"]
    assert {
        "requestId": "$context.requestId",
        "ip": "$context.identity.sourceIp",
        "requestTime": "$context.requestTime",
        "httpMethod": "$context.httpMethod",
        "resourcePath": "$context.resourcePath",
        "status": "$context.status",
        "protocol": "$context.protocol",
        "responseLength": "$context.responseLength",
    } == json.loads(setting["Format"])


def test_access_logs_are_kept_for_a_month(anywhere: Deployment) -> None:
    """Encrypted, as every log."""
    group = anywhere["gateway"].only("AWS::Logs::LogGroup").properties
    assert (f"/mercato/{anywhere.name}/gateway", 30, "${shared:LogsKey.Arn}") == (
        group["LogGroupName"],
        group["RetentionInDays"],
        group["KmsKeyId"],
    )


def test_the_gateway_is_measured_and_traced_and_writes_no_bodies(anywhere: Deployment) -> None:
    """A body may hold a password."""
    (settings,) = stage(anywhere)["MethodSettings"]
    assert (True, False, "ERROR") == (
        settings["MetricsEnabled"],
        settings["DataTraceEnabled"],
        settings["LoggingLevel"],
    )
    assert stage(anywhere)["TracingEnabled"]


def test_the_gateway_may_write_logs_before_it_has_to(anywhere: Deployment) -> None:
    """The right is the account's: a stage that logs is refused without it."""
    template = anywhere["gateway"]
    account = template.only("AWS::ApiGateway::Account")
    assert "${ApiCloudWatchRole.Arn}" == account.properties["CloudWatchRoleArn"]
    assert [account.id] == template.only("AWS::ApiGateway::Stage").attributes["DependsOn"]


# --- link


def test_the_link_leads_to_a_network_load_balancer(anywhere: Deployment) -> None:
    """To an application load balancer that of a REST API cannot: AWS says so when it is deployed."""
    template = anywhere["gateway"]
    link = template.only("AWS::ApiGateway::VpcLink").properties
    balancer = template.only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert [f"${{{balancer.id}}}"] == link["TargetArns"]
    assert ("network", "internal") == (balancer.properties["Type"], balancer.properties["Scheme"])
    assert [f"${{shared:VpcprivateSubnet{zone}Subnet}}" for zone in (1, 2, 3)] == balancer.properties[
        "Subnets"
    ]


def test_the_network_load_balancer_leads_to_that_of_the_services(anywhere: Deployment) -> None:
    """On the port where it serves, with the certificate where there is one."""
    template = anywhere["gateway"]
    port = 80 if anywhere.name == "dev" else 443
    listener = template.only("AWS::ElasticLoadBalancingV2::Listener").properties
    group = template.only("AWS::ElasticLoadBalancingV2::TargetGroup")
    assert ("${Link}", port, "TCP") == (listener["LoadBalancerArn"], listener["Port"], listener["Protocol"])
    assert [{"Type": "forward", "TargetGroupArn": f"${{{group.id}}}"}] == listener["DefaultActions"]
    assert ("alb", port, "TCP") == (
        group.properties["TargetType"],
        group.properties["Port"],
        group.properties["Protocol"],
    )
    assert [{"Id": "${shared:LoadBalancer}", "Port": port}] == group.properties["Targets"]


def test_the_load_balancer_is_well_when_it_answers_404(anywhere: Deployment) -> None:
    """That is its answer to what no service claims; services that are away do not make it ill."""
    group = anywhere["gateway"].only("AWS::ElasticLoadBalancingV2::TargetGroup").properties
    protocol = "HTTP" if anywhere.name == "dev" else "HTTPS"
    assert (protocol, "/", {"HttpCode": "404"}) == (
        group["HealthCheckProtocol"],
        group["HealthCheckPath"],
        group["Matcher"],
    )


def test_nothing_but_the_gateway_comes_by_the_link(anywhere: Deployment) -> None:
    """No rule lets anybody in: what the gateway sends is not asked for one."""
    template = anywhere["gateway"]
    balancer = template.only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    group = template.only("AWS::EC2::SecurityGroup")
    assert [f"${{{group.id}.GroupId}}"] == balancer.properties["SecurityGroups"]
    assert "SecurityGroupIngress" not in group.properties
    assert [] == list(template.resources("AWS::EC2::SecurityGroupIngress"))
    assert "off" == balancer.properties["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"]
    port = 80 if anywhere.name == "dev" else 443
    (egress,) = group.properties["SecurityGroupEgress"]
    assert ("10.0.0.0/16", "tcp", port, port) == (
        egress["CidrIp"],
        egress["IpProtocol"],
        egress["FromPort"],
        egress["ToPort"],
    )


def test_the_link_of_prod_is_not_deleted_by_mistake(anywhere: Deployment) -> None:
    """It is the one way in."""
    balancer = anywhere["gateway"].only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    expected = "true" if anywhere.name == "prod" else "false"
    assert expected == attributes(balancer, "LoadBalancerAttributes")["deletion_protection.enabled"]


# --- domain


def test_with_a_domain_the_shop_is_at_api_of_it(with_domain: Deployment) -> None:
    """By TLS 1.2 at least, with a certificate that is proved by DNS."""
    template = with_domain["gateway"]
    name = template.only("AWS::ApiGateway::DomainName").properties
    assert ("api.mercato.example.com", "${Certificate}", "TLS_1_2") == (
        name["DomainName"],
        name["RegionalCertificateArn"],
        name["SecurityPolicy"],
    )
    certificate = named(template, "Certificate").properties
    assert ("api.mercato.example.com", "DNS") == (certificate["DomainName"], certificate["ValidationMethod"])
    assert [{"DomainName": "api.mercato.example.com", "HostedZoneId": "Z0123456789ABC"}] == certificate[
        "DomainValidationOptions"
    ]


def test_the_domain_leads_to_the_stage(with_domain: Deployment) -> None:
    """By a record in the zone, and without `/v1` in the path."""
    template = with_domain["gateway"]
    mapping = template.only("AWS::ApiGateway::BasePathMapping").properties
    assert {
        "DomainName": "${ApiDomain}",
        "RestApiId": "${Api}",
        "Stage": "${ApiDeploymentStagev1}",
    } == mapping
    record = template.only("AWS::Route53::RecordSet").properties
    assert ("api.mercato.example.com.", "A", "Z0123456789ABC") == (
        record["Name"],
        record["Type"],
        record["HostedZoneId"],
    )
    assert {
        "DNSName": "${ApiDomain.RegionalDomainName}",
        "HostedZoneId": "${ApiDomain.RegionalHostedZoneId}",
    } == record["AliasTarget"]


def test_with_a_domain_nobody_comes_by_the_address_of_aws(with_domain: Deployment) -> None:
    """It would pass by the domain's policy. What the stack says is the address that answers."""
    template = with_domain["gateway"]
    assert template.only("AWS::ApiGateway::RestApi").properties["DisableExecuteApiEndpoint"]
    assert "https://api.mercato.example.com/" == template.body["Outputs"]["Url"]["Value"]


def test_without_a_domain_the_shop_is_at_the_address_of_aws(in_dev: Deployment) -> None:
    """And nothing of a domain is there."""
    template = in_dev["gateway"]
    assert not template.only("AWS::ApiGateway::RestApi").properties["DisableExecuteApiEndpoint"]
    assert [] == list(template.resources("AWS::ApiGateway::DomainName"))
    assert [] == list(template.resources("AWS::Route53::RecordSet"))
    address = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${ApiDeploymentStagev1}/"
    assert address == template.body["Outputs"]["Url"]["Value"]


# --- firewall


def test_the_firewall_stops_2000_requests_of_one_address_in_five_minutes(with_domain: Deployment) -> None:
    """Five minutes are AWS' own."""
    rate = rules(with_domain)["RateByAddress"]
    assert {"Block": {}} == rate["Action"]
    assert {"RateBasedStatement": {"Limit": 2000, "AggregateKeyType": "IP"}} == rate["Statement"]


@pytest.mark.parametrize(
    "group",
    [
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesSQLiRuleSet",
    ],
)
def test_the_firewall_knows_what_aws_knows_of_attacks(with_domain: Deployment, group: str) -> None:
    """Common ones, inputs that are known to be bad, SQL injection: AWS says what becomes of each."""
    rule = rules(with_domain)[group]
    assert {"None": {}} == rule["OverrideAction"]
    assert {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": group}} == rule["Statement"]


def rules(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The rules of the firewall by their names, each of which is measured."""
    firewall = deployment["gateway"].only("AWS::WAFv2::WebACL").properties
    for each in firewall["Rules"]:
        assert each["VisibilityConfig"]["CloudWatchMetricsEnabled"]
    return {each["Name"]: each for each in firewall["Rules"]}


def test_the_firewall_lets_the_rest_in_and_stands_before_the_stage(with_domain: Deployment) -> None:
    """Its rules are asked in turn, the cheapest first."""
    template = with_domain["gateway"]
    firewall = template.only("AWS::WAFv2::WebACL").properties
    assert ("REGIONAL", {"Allow": {}}) == (firewall["Scope"], firewall["DefaultAction"])
    assert [0, 1, 2, 3] == [rule["Priority"] for rule in firewall["Rules"]]
    association = template.only("AWS::WAFv2::WebACLAssociation").properties
    assert {
        "WebACLArn": "${Firewall.Arn}",
        "ResourceArn": (
            "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/${ApiDeploymentStagev1}"
        ),
    } == association


def test_dev_has_no_firewall(in_dev: Deployment) -> None:
    """It comes by context: nothing in dev is worth its price."""
    assert [] == list(in_dev["gateway"].resources("AWS::WAFv2::WebACL"))
