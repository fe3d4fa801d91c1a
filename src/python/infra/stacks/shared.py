"""What the services share: network, cluster, load balancer, logs, and the secrets that people fill."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import ArnFormat, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from contracts.services import SERVICES
from infra.environment import Environment
from infra.nag import ANY_RESOURCE, acknowledge
from infra.stacks.stack import ZONES, MercatoStack

NETWORK = "10.0.0.0/16"
NAMESPACE = "microservices.local"
SERVICE_PORT = 8000


class SharedStack(MercatoStack):
    """What is there before any service, and what every service stands in."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, "shared", environment, "Mercato: network, cluster, load balancer, logs")
        self.logs_key = self._key_for_logs()
        self.vpc = self._network()
        self.logs_bucket = self._bucket_for_access_logs()
        self.mesh = ec2.SecurityGroup(
            self, "Mesh", vpc=self.vpc, description="The tasks of all services, which may call each other"
        )
        self.mesh.add_ingress_rule(self.mesh, ec2.Port.tcp(SERVICE_PORT), "a service calls another")
        self.cluster = self._cluster()
        self.load_balancer_group = self._load_balancer_group()
        self.load_balancer = self._load_balancer()
        self.listener = self._listener()
        self.log_groups = self._log_groups()
        self.secrets = self._secrets()
        self._outputs()

    def _key_for_logs(self) -> kms.Key:
        key = kms.Key(self, "LogsKey", description="Encrypts logs", enable_key_rotation=True)
        stack = Stack.of(self)
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        key.add_to_resource_policy(
            iam.PolicyStatement(
                actions=[
                    "kms:Encrypt",
                    "kms:Decrypt",
                    "kms:ReEncrypt*",
                    "kms:GenerateDataKey*",
                    "kms:Describe*",
                ],
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                resources=["*"],
                conditions={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": stack.format_arn(
                            service="logs",
                            resource="log-group",
                            resource_name="*",
                            arn_format=ArnFormat.COLON_RESOURCE_NAME,
                        )
                    }
                },
            )
        )
        return key

    def _network(self) -> ec2.Vpc:
        flow_logs = self._log_group("FlowLogs", f"/mercato/{self.environment_.name}/network")
        return ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(NETWORK),
            max_azs=ZONES,
            nat_gateways=2,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=24,
                    map_public_ip_on_launch=False,
                ),
                ec2.SubnetConfiguration(
                    name="private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=24
                ),
                ec2.SubnetConfiguration(
                    name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=28
                ),
            ],
            # Pulled layers and images of products do not pass a NAT gateway, which charges for each byte.
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)
            },
            flow_logs={
                "All": ec2.FlowLogOptions(destination=ec2.FlowLogDestination.to_cloud_watch_logs(flow_logs))
            },
        )

    def _bucket_for_access_logs(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            encryption=s3.BucketEncryption.S3_MANAGED,  # load balancers write to no other kind
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                s3.LifecycleRule(expiration=Duration.days(90), noncurrent_version_expiration=Duration.days(1))
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )
        acknowledge(bucket, {"S1": "it holds access logs itself: to log access to it would never end"})
        account = Stack.of(self).account
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
        for prefix, service in {
            "load-balancer": "logdelivery.elasticloadbalancing.amazonaws.com",
            "buckets": "logging.s3.amazonaws.com",
        }.items():
            bucket.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["s3:PutObject"],
                    principals=[iam.ServicePrincipal(service)],
                    resources=[bucket.arn_for_objects(f"{prefix}/*")],
                    conditions={"StringEquals": {"aws:SourceAccount": account}},
                )
            )
        return bucket

    def _cluster(self) -> ecs.Cluster:
        environment = self.environment_
        cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=environment.prefix,
            vpc=self.vpc,
            container_insights_v2=ecs.ContainerInsights.ENHANCED,
            enable_fargate_capacity_providers=True,
        )
        self.namespace = cluster.add_default_cloud_map_namespace(
            name=NAMESPACE, vpc=self.vpc, use_for_service_connect=True
        )
        if environment.ec2_capacity:
            self._add_ec2_capacity(cluster)
        return cluster

    def _add_ec2_capacity(self, cluster: ecs.Cluster) -> None:
        role = iam.Role(self, "InstanceRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        why = "what ECS' agent on an instance needs; before there is an instance there is nothing to name"
        acknowledge(role, {ANY_RESOURCE: why, "IAM5[Action::ecs:Submit*]": why})
        template = ec2.LaunchTemplate(
            self,
            "Instances",
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.T3, ec2.InstanceSize.MEDIUM),
            machine_image=ecs.EcsOptimizedImage.amazon_linux2023(),
            user_data=ec2.UserData.for_linux(),
            require_imdsv2=True,
            role=role,
            security_group=ec2.SecurityGroup(self, "InstanceGroup", vpc=self.vpc),
            block_devices=[
                ec2.BlockDevice(device_name="/dev/xvda", volume=ec2.BlockDeviceVolume.ebs(30, encrypted=True))
            ],
        )
        group = autoscaling.AutoScalingGroup(
            self,
            "Capacity",
            vpc=self.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            launch_template=template,
            min_capacity=2,
            max_capacity=10,
        )
        provider = ecs.AsgCapacityProvider(
            self,
            "CapacityProvider",
            auto_scaling_group=group,
            enable_managed_termination_protection=False,
            enable_managed_draining=True,
        )
        cluster.add_asg_capacity_provider(provider)
        acknowledge(group, {"AS3": "the cluster scales it by itself: nobody is to be told"})

    def _load_balancer_group(self) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            "LoadBalancerGroup",
            vpc=self.vpc,
            description="The load balancer",
            allow_all_outbound=False,
        )
        group.add_egress_rule(self.mesh, ec2.Port.tcp(SERVICE_PORT), "requests to the services")
        self.mesh.add_ingress_rule(group, ec2.Port.tcp(SERVICE_PORT), "requests of customers")
        public = self.environment_.public_load_balancer
        peer = ec2.Peer.any_ipv4() if public else ec2.Peer.ipv4(NETWORK)
        whence = "from anywhere" if public else "from the gateway's link, which is in the network"
        for port in (80, 443):
            group.add_ingress_rule(peer, ec2.Port.tcp(port), whence)
        if public:
            acknowledge(
                group, {"EC23": "this environment's load balancer is public; it serves 80 and 443 only"}
            )
        return group

    def _load_balancer(self) -> elbv2.ApplicationLoadBalancer:
        public = self.environment_.public_load_balancer
        balancer = elbv2.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            vpc=self.vpc,
            internet_facing=public,
            vpc_subnets=ec2.SubnetSelection(
                subnet_type=ec2.SubnetType.PUBLIC if public else ec2.SubnetType.PRIVATE_WITH_EGRESS
            ),
            security_group=self.load_balancer_group,
            drop_invalid_header_fields=True,
            deletion_protection=self.environment_.deletion_protection,
        )
        # CDK's own way wants to know the region.
        balancer.set_attribute("access_logs.s3.enabled", "true")
        balancer.set_attribute("access_logs.s3.bucket", self.logs_bucket.bucket_name)
        balancer.set_attribute("access_logs.s3.prefix", "load-balancer")
        policy = self.logs_bucket.policy
        assert policy is not None
        balancer.node.add_dependency(policy)  # it tries to write as soon as it is there
        return balancer

    def _listener(self) -> elbv2.ApplicationListener:
        """The listener that the services add their rules to."""
        listener = self._routing_listener()
        # A browser reads only an answer that names its origin; the gateway passes them on as they are.
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html
        for header, value in {
            "allow_origin": self.environment_.origin,
            "expose_headers": "ETag,Location,Retry-After,Idempotency-Replayed",
        }.items():
            listener.set_attribute(f"routing.http.response.access_control_{header}.header_value", value)
        return listener

    def _routing_listener(self) -> elbv2.ApplicationListener:
        environment = self.environment_
        not_found = elbv2.ListenerAction.fixed_response(
            404, content_type="text/plain", message_body="Service not found"
        )
        if environment.domain_name is None:
            return self.load_balancer.add_listener("Http", port=80, open=False, default_action=not_found)
        self.load_balancer.add_listener(
            "Http",
            port=80,
            open=False,
            default_action=elbv2.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True),
        )
        return self.load_balancer.add_listener(
            "Https",
            port=443,
            open=False,
            certificates=[self._certificate(environment.domain_name)],
            ssl_policy=elbv2.SslPolicy.RECOMMENDED_TLS,
            default_action=not_found,
        )

    def _certificate(self, domain: str) -> acm.Certificate:
        """Of the load balancer's own name, under which the gateway calls it."""
        assert self.environment_.hosted_zone_id is not None
        zone = route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=self.environment_.hosted_zone_id, zone_name=domain
        )
        self.origin = f"origin.{domain}"
        route53.ARecord(
            self,
            "Origin",
            zone=zone,
            record_name=self.origin,
            target=route53.RecordTarget.from_alias(targets.LoadBalancerTarget(self.load_balancer)),
        )
        return acm.Certificate(
            self,
            "Certificate",
            domain_name=self.origin,
            validation=acm.CertificateValidation.from_dns(zone),
        )

    def _log_group(self, id: str, name: str) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            id,
            log_group_name=name,
            retention=logs.RetentionDays.ONE_MONTH,
            encryption_key=self.logs_key,
            removal_policy=RemovalPolicy.RETAIN if self.environment_.is_prod else RemovalPolicy.DESTROY,
        )

    def _log_groups(self) -> Mapping[str, logs.LogGroup]:
        return {
            service: self._log_group(f"{service.title()}Logs", f"/mercato/{self.environment_.name}/{service}")
            for service in SERVICES
        }

    def _secrets(self) -> Mapping[str, secretsmanager.Secret]:
        """What only people or another company can give; no service starts before these are filled."""
        prefix = f"mercato/{self.environment_.name}"
        described = {
            "signing-keys": "Private JWK Set with which the user service signs tokens",
            "stripe": "JSON: api_key and webhook_secret of the payment provider",
        }
        secrets = {}
        for name, description in described.items():
            secret = secretsmanager.Secret(
                self,
                name.title().replace("-", ""),
                secret_name=f"{prefix}/{name}",
                description=description,
                removal_policy=RemovalPolicy.RETAIN,
            )
            acknowledge(
                secret,
                {"SMG4": "people rotate it, as the page on deploying says: others know it too"},
            )
            secrets[name] = secret
        return secrets

    def _outputs(self) -> None:
        for name, value in {
            "VpcId": self.vpc.vpc_id,
            "ClusterName": self.cluster.cluster_name,
            "LoadBalancerDns": self.load_balancer.load_balancer_dns_name,
            "NamespaceName": self.namespace.namespace_name,
        }.items():
            CfnOutput(self, name, value=value)
