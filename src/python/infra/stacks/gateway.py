"""The way in: API Gateway with keys, limits and logs, and a private link to the load balancer."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_elasticloadbalancingv2_targets as elbv2_targets
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as route53_targets
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from infra.environment import Environment
from infra.nag import acknowledge, managed_policy
from infra.stacks.shared import NETWORK, SharedStack
from infra.stacks.stack import MercatoStack

STAGE = "v1"
_RATE, _BURST, _A_DAY = 2000, 5000, 100_000
# The gateway's own longest: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
_TIMEOUT = Duration.seconds(29)


class GatewayStack(MercatoStack):
    """Everything under `/api` goes to the load balancer; `/health` is answered here."""

    def __init__(self, scope: Construct, environment: Environment, shared: SharedStack) -> None:
        super().__init__(scope, "gateway", environment, "Mercato: API Gateway")
        self._shared = shared
        self._port = 443 if environment.domain_name else 80
        self.link_balancer = self._network_load_balancer()
        self.api = self._api()
        self._routes()
        self._usage_plan()
        if environment.domain_name:
            self._domain(environment.domain_name)
        if environment.enable_waf:
            self._firewall()
        # With a domain the address that AWS gives answers nobody.
        CfnOutput(
            self,
            "Url",
            value=f"https://{_name(environment.domain_name)}/" if environment.domain_name else self.api.url,
        )

    def _network_load_balancer(self) -> elbv2.NetworkLoadBalancer:
        """A link of a REST API leads to a network load balancer; that one leads to the application's."""
        shared = self._shared
        group = ec2.SecurityGroup(
            self, "LinkGroup", vpc=shared.vpc, description="The link of the gateway", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.ipv4(NETWORK), ec2.Port.tcp(self._port), "the load balancer")
        balancer = elbv2.NetworkLoadBalancer(
            self,
            "Link",
            vpc=shared.vpc,
            internet_facing=False,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=[group],
            # What comes by the link was let in by the gateway, and has no address that a rule could name:
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html
            enforce_security_group_inbound_rules_on_private_link_traffic=False,
            deletion_protection=self.environment_.deletion_protection,
        )
        target = elbv2.NetworkTargetGroup(
            self,
            "Targets",
            vpc=shared.vpc,
            port=self._port,
            target_type=elbv2.TargetType.ALB,
            targets=[elbv2_targets.AlbListenerTarget(shared.listener)],
            # The load balancer answers 404 for what no service claims: it is there.
            health_check=elbv2.HealthCheck(
                protocol=elbv2.Protocol.HTTPS if self._port == 443 else elbv2.Protocol.HTTP,
                path="/",
                healthy_http_codes="404",
            ),
        )
        balancer.add_listener("Listener", port=self._port, default_target_groups=[target])
        acknowledge(
            balancer, {"ELB2": "the load balancer behind it logs every request, and so does the gateway"}
        )
        return balancer

    def _api(self) -> apigateway.RestApi:
        environment = self.environment_
        access_logs = logs.LogGroup(
            self,
            "AccessLogs",
            log_group_name=f"/mercato/{environment.name}/gateway",
            retention=logs.RetentionDays.ONE_MONTH,
            encryption_key=self._shared.logs_key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=environment.prefix,
            description="The shop's API",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # The domain has a policy of its own, and the address that AWS gives would pass it by.
            disable_execute_api_endpoint=environment.domain_name is not None,
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            default_cors_preflight_options=apigateway.CorsOptions(
                allow_origins=[environment.origin],
                allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
                allow_headers=[
                    "Authorization",
                    "Content-Type",
                    "Idempotency-Key",
                    "X-Api-Key",
                    "traceparent",
                ],
                max_age=Duration.hours(1),
            ),
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=_RATE,
                throttling_burst_limit=_BURST,
                metrics_enabled=True,
                tracing_enabled=True,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,  # it would write bodies, and with them passwords
                access_log_destination=apigateway.LogGroupLogDestination(access_logs),
                access_log_format=apigateway.AccessLogFormat.json_with_standard_fields(
                    caller=False,
                    http_method=True,
                    ip=True,
                    protocol=True,
                    request_time=True,
                    resource_path=True,
                    response_length=True,
                    status=True,
                    user=False,
                ),
            ),
        )
        # What the gateway refuses itself, a browser must be able to read, too.
        for name, kind in (
            ("Refused", apigateway.ResponseType.DEFAULT_4_XX),
            ("Failed", apigateway.ResponseType.DEFAULT_5_XX),
        ):
            api.add_gateway_response(
                name, type=kind, response_headers={"Access-Control-Allow-Origin": f"'{environment.origin}'"}
            )
        acknowledge(
            api,
            {
                managed_policy(
                    "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
                ): "it writes logs, no more",
                "APIG4": "tokens are verified by the services, by the keys that the user service publishes",
                "COG4": "tokens are the user service's own, and verified by the services",
            },
        )
        if not environment.enable_waf:
            acknowledge(api, {"APIG3": "this environment has no firewall: nothing in it is worth its price"})
        return api

    def _routes(self) -> None:
        health = self.api.root.add_resource("health")
        health.add_method(
            "GET",
            apigateway.MockIntegration(
                request_templates={"application/json": '{"statusCode": 200}'},
                integration_responses=[
                    apigateway.IntegrationResponse(
                        status_code="200", response_templates={"application/json": '{"status": "ok"}'}
                    )
                ],
            ),
            method_responses=[apigateway.MethodResponse(status_code="200")],
        )
        self._validator = self.api.add_request_validator(
            "Validator", validate_request_body=True, validate_request_parameters=True
        )
        self._link = apigateway.VpcLink(self, "VpcLink", targets=[self.link_balancer])
        api = self.api.root.add_resource("api")
        self._forward(api.add_resource("{proxy+}"))
        # A provider has no key of ours: the service knows it by its signature. What is beside has to be said
        # again, since a path that is named is no longer one of those that the proxy stands for.
        payments = api.add_resource("payments")
        self._forward(payments)
        self._forward(payments.add_resource("{proxy+}"))
        self._forward(payments.add_resource("webhook"), method="POST", key=False)

    @property
    def _origin(self) -> str:
        """What the gateway calls: by a name that is in the load balancer's certificate, where it has one."""
        if self._port == 443:
            return f"https://{self._shared.origin}"
        return f"http://{self.link_balancer.load_balancer_dns_name}"

    def _forward(self, resource: apigateway.Resource, *, method: str = "ANY", key: bool = True) -> None:
        """Have the services answer `resource`, whose callers have a key."""
        path = resource.path.replace("{proxy+}", "{proxy}")
        rest = {"path.proxy": True} if path != resource.path else {}
        resource.add_method(
            method,
            apigateway.Integration(
                type=apigateway.IntegrationType.HTTP_PROXY,
                integration_http_method=method,
                uri=f"{self._origin}{path}",
                options=apigateway.IntegrationOptions(
                    connection_type=apigateway.ConnectionType.VPC_LINK,
                    vpc_link=self._link,
                    timeout=_TIMEOUT,
                    request_parameters={
                        f"integration.request.{name}": f"method.request.{name}" for name in rest
                    },
                ),
            ),
            api_key_required=key,
            request_parameters={f"method.request.{name}": required for name, required in rest.items()},
            request_validator=self._validator,
        )

    def _usage_plan(self) -> None:
        key = self.api.add_api_key("Key", description="Who calls the shop's API")
        plan = self.api.add_usage_plan(
            "Plan",
            name=self.environment_.prefix,
            throttle=apigateway.ThrottleSettings(rate_limit=_RATE, burst_limit=_BURST),
            quota=apigateway.QuotaSettings(limit=_A_DAY, period=apigateway.Period.DAY),
        )
        plan.add_api_key(key)
        plan.add_api_stage(stage=self.api.deployment_stage)

    def _domain(self, domain: str) -> None:
        assert self.environment_.hosted_zone_id is not None
        zone = route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=self.environment_.hosted_zone_id, zone_name=domain
        )
        name = _name(domain)
        certificate = acm.Certificate(
            self, "Certificate", domain_name=name, validation=acm.CertificateValidation.from_dns(zone)
        )
        self.api.add_domain_name(
            "Domain",
            domain_name=name,
            certificate=certificate,
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )
        route53.ARecord(
            self,
            "Record",
            zone=zone,
            record_name=name,
            target=route53.RecordTarget.from_alias(route53_targets.ApiGateway(self.api)),
        )

    def _firewall(self) -> None:
        groups = [
            "AWSManagedRulesCommonRuleSet",
            "AWSManagedRulesKnownBadInputsRuleSet",
            "AWSManagedRulesSQLiRuleSet",
        ]
        rules = [_limit_by_address(priority=0, requests=2000)]
        rules += [_managed_rules(group, priority=index) for index, group in enumerate(groups, start=1)]
        acl = wafv2.CfnWebACL(
            self,
            "Firewall",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visibility("Firewall"),
            rules=rules,
        )
        wafv2.CfnWebACLAssociation(
            self,
            "FirewallOfStage",
            resource_arn=self.api.deployment_stage.stage_arn,
            web_acl_arn=acl.attr_arn,
        )


def _name(domain: str) -> str:
    return f"api.{domain}"


def _limit_by_address(*, priority: int, requests: int) -> wafv2.CfnWebACL.RuleProperty:
    """No more than `requests` of one address in five minutes."""
    return wafv2.CfnWebACL.RuleProperty(
        name="RateByAddress",
        priority=priority,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                limit=requests, aggregate_key_type="IP"
            )
        ),
        visibility_config=_visibility("RateByAddress"),
    )


def _managed_rules(name: str, *, priority: int) -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS", name=name
            )
        ),
        visibility_config=_visibility(name),
    )


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
