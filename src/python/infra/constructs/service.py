"""A service on Fargate, whole: roles, tasks, mesh, target group and rule, migrations, scaling, alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from contracts.routes import path_of
from contracts.topology import Queue, Topic
from infra.constructs.database import Database
from infra.constructs.fault_agent import add_fault_agent
from infra.constructs.migration import migrate_before
from infra.constructs.scaling import scale
from infra.constructs.service_alarms import watch
from infra.environment import Environment
from infra.nag import ANY_RESOURCE, acknowledge, managed_policy
from infra.scaling.policy import ScalingPolicy
from infra.stacks.messaging import MessagingStack
from infra.stacks.shared import NAMESPACE, SERVICE_PORT, SharedStack

# The share of traces that is recorded.
SAMPLED = 0.1

# The newest release: https://github.com/aws-observability/aws-otel-collector/releases
COLLECTOR_IMAGE = "public.ecr.aws/aws-observability/aws-otel-collector:v0.45.1"
_COLLECTOR = Path(__file__).with_name("collector.yaml")

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/infrastructure_IAM_role.html
_MESH_TLS_POLICY = "service-role/AmazonECSInfrastructureRolePolicyForServiceConnectTransportLayerSecurity"

# Where the agent by which a shell is opened in a task has to write, which an image that is read-only forbids:
# https://github.com/aws/containers-roadmap/issues/1359
_SHELL_VOLUMES = {
    "managed-agents": "/managed-agents",
    "ssm-state": "/var/lib/amazon/ssm",
    "ssm-logs": "/var/log/amazon/ssm",
}

# As long as the application load balancer may still send to a task that it was told to leave.
_DEREGISTRATION = Duration.seconds(30)


@dataclass(frozen=True)
class Spec:
    """What one service is, beside the others. `publishes` and `consumes` give it topics and its queue."""

    name: str
    priority: int
    publishes: tuple[Topic, ...] = ()
    consumes: Queue | None = None
    health_timeout_s: int = 5
    pool_size: int = 12  # at most: fewer, where the database has not as many for each task that there may be
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, ecs.Secret] = field(default_factory=dict)
    statements: Sequence[iam.PolicyStatement] = ()

    @property
    def paths(self) -> list[str]:
        """What of the API it answers. `/api/users/*` alone would leave out `/api/users`."""
        return [path_of(self.name), f"{path_of(self.name)}/*"]


class Service(Construct):
    """`spec` in the cluster of `shared`, with `database` as its own, scaled by `policy`."""

    def __init__(
        self,
        scope: Construct,
        *,
        spec: Spec,
        environment: Environment,
        policy: ScalingPolicy,
        shared: SharedStack,
        messaging: MessagingStack,
        database: Database,
        alerts: sns.ITopic,
    ) -> None:
        super().__init__(scope, "Service")
        self._spec = spec
        self._environment = environment
        self._policy = policy
        self._shared = shared
        self._messaging = messaging
        self._database = database

        self.group = ec2.SecurityGroup(
            self, "Group", vpc=shared.vpc, description=f"The tasks of {spec.name}, as its database knows them"
        )
        database.allow(self.group)
        self._image = self._image_of_version()
        self.task_role = self._task_role()
        self.execution_role = self._execution_role()
        self.task = self._task()
        self.service = self._service()
        self.service.node.add_dependency(self._migration())
        queue = None if spec.consumes is None else messaging.queues[spec.consumes]
        scale(self.service, policy, queue)
        target_groups = self._target_group()
        watch(
            self,
            service=spec.name,
            cluster=environment.prefix,
            load_balancer=shared.load_balancer,
            target_groups=target_groups,
            alerts=alerts,
        )

    # --- roles

    def _task_role(self) -> iam.Role:
        spec, messaging = self._spec, self._messaging
        role = iam.Role(
            self,
            "TaskRole",
            description=f"What {spec.name} may do",
            assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com").with_conditions(
                # Only this account's tasks, whoever asks ECS: the confused deputy.
                {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
            ),
        )
        allow(role, ["secretsmanager:GetSecretValue"], [self._database.secret.secret_arn])
        if spec.publishes:
            allow(role, ["sns:Publish"], [messaging.topics[topic].topic_arn for topic in spec.publishes])
        if spec.consumes:
            allow(
                role,
                ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"],
                [messaging.queues[spec.consumes].queue_arn],
            )
        if spec.publishes:
            # A data key that is used again is decrypted for it.
            allow(role, ["kms:GenerateDataKey", "kms:Decrypt"], [messaging.key.key_arn])
        elif spec.consumes:
            allow(role, ["kms:Decrypt"], [messaging.key.key_arn])
        for statement in spec.statements:
            role.add_to_policy(statement)
        self._allow_telemetry(role)
        return role

    def _allow_telemetry(self, role: iam.Role) -> None:
        # It knows no resources:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
        allow(role, ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"])
        log_group = self._shared.log_groups[self._spec.name]
        allow(
            role,
            ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            [log_group.log_group_arn],
        )
        if self._environment.execute_command:
            # What is typed in a shell goes to the same log, which its agent looks for among all.
            allow(role, ["logs:DescribeLogGroups"], ["*"])
        acknowledge(
            role,
            {ANY_RESOURCE: "X-Ray's actions know no resources, nor do those of a shell in a task"},
        )

    def _execution_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "ExecutionRole",
            description=f"What ECS may do to start {self._spec.name}",
            assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
        )
        acknowledge(
            role, {ANY_RESOURCE: "the token for the registry is of the account: its action knows none"}
        )
        return role

    # --- tasks

    def _image_of_version(self) -> ecs.ContainerImage:
        repository = ecr.Repository.from_repository_name(self, "Repository", f"mercato/{self._spec.name}")
        return ecs.ContainerImage.from_ecr_repository(repository, self._environment.images[self._spec.name])

    def _task_definition(self, id: str, role: iam.Role) -> ecs.FargateTaskDefinition:
        fault_injection = id == "Task" and self._environment.fault_injection
        task = ecs.FargateTaskDefinition(
            self,
            id,
            family=f"{self._environment.prefix}-{self._spec.name}{'' if id == 'Task' else '-' + id.lower()}",
            cpu=self._policy.task.cpu,
            memory_limit_mib=self._policy.task.memory_mib,
            task_role=role,
            execution_role=self.execution_role,
            volumes=[ecs.Volume(name=name) for name in self._volumes(id)],
            runtime_platform=ecs.RuntimePlatform(
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
                cpu_architecture=ecs.CpuArchitecture.X86_64,
            ),
            enable_fault_injection=fault_injection or None,
            pid_mode=ecs.PidMode.TASK if fault_injection else None,
        )
        acknowledge(
            task, {"ECS2": "what is in the environment is no secret: those come from Secrets Manager"}
        )
        return task

    def _task(self) -> ecs.FargateTaskDefinition:
        task = self._task_definition("Task", self.task_role)
        container = self._container(task, ["serve"])
        container.add_port_mappings(
            ecs.PortMapping(
                name="http",
                container_port=SERVICE_PORT,
                app_protocol=ecs.AppProtocol.http,  # type: ignore[arg-type]  # jsii's class property
            )
        )
        collector = task.add_container(
            "collector",
            image=ecs.ContainerImage.from_registry(COLLECTOR_IMAGE),
            # The shop goes on without it.
            essential=False,
            cpu=32,
            memory_reservation_mib=64,
            readonly_root_filesystem=True,
            environment={"AOT_CONFIG_CONTENT": self._collector_configuration()},
            logging=self._logging("collector"),
        )
        container.add_container_dependencies(
            ecs.ContainerDependency(container=collector, condition=ecs.ContainerDependencyCondition.START)
        )
        if self._environment.fault_injection:
            add_fault_agent(self, task, self.task_role, self._logging("fault-agent"))
        return task

    def _collector_configuration(self) -> str:
        log_group = self._shared.log_groups[self._spec.name].log_group_name
        return _COLLECTOR.read_text("utf-8").replace("LOG_GROUP", log_group)

    def _container(self, task: ecs.FargateTaskDefinition, command: list[str]) -> ecs.ContainerDefinition:
        container = task.add_container(
            self._spec.name,
            image=self._image,
            command=command,
            environment=self._variables(),
            secrets=dict(self._spec.secrets),
            readonly_root_filesystem=True,
            # uvicorn is given 12 s for its requests and 15 s for its consumers.
            stop_timeout=Duration.seconds(30),
            logging=self._logging(self._spec.name),
        )
        container.add_mount_points(
            *(
                ecs.MountPoint(source_volume=name, container_path=path, read_only=False)
                for name, path in self._volumes(task.node.id).items()
            )
        )
        return container

    def _volumes(self, id: str) -> dict[str, str]:
        """Where the container of the task `id` may write, by name: all else of its image is read-only."""
        shell = _SHELL_VOLUMES if id == "Task" and self._environment.execute_command else {}
        return {"tmp": "/tmp"} | shell  # noqa: S108 - Python wants a place for temporary files

    def _variables(self) -> dict[str, str]:
        """What the service's `settings.py` reads that is no secret."""
        spec, messaging = self._spec, self._messaging
        variables = {
            "HOST": "0.0.0.0",  # noqa: S104 - the task's own address; security groups say who reaches it
            "PORT": str(SERVICE_PORT),
            "ENVIRONMENT": self._environment.name,
            "DATABASE_URL": self._database.url,
            "DATABASE_SECRET_ARN": self._database.secret.secret_arn,
            "DATABASE_POOL_SIZE": str(
                min(spec.pool_size, self._database.pool_of_each(self._policy.bounds.maximum))
            ),
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
            # As the rule in X-Ray has it, which OpenTelemetry's SDK does not ask for.
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": str(SAMPLED),
        }
        for topic in spec.publishes:
            variables[f"{_variable(topic.name)}_TOPIC_ARN"] = messaging.topics[topic].topic_arn
        if spec.consumes:
            variables[f"{_variable(spec.consumes.name)}_URL"] = messaging.queues[spec.consumes].queue_url
        if spec.name != "user":
            variables["JWKS_URL"] = service_url("user")
        return variables | dict(spec.environment)

    def _logging(self, stream: str) -> ecs.LogDriver:
        return ecs.LogDrivers.aws_logs(
            stream_prefix=stream,
            log_group=self._shared.log_groups[self._spec.name],
            mode=ecs.AwsLogDriverMode.NON_BLOCKING,
        )

    # --- deployment

    def _migration(self) -> CustomResource:
        task = self._task_definition("Migrate", self.task_role)
        self._container(task, ["migrate"])
        return migrate_before(
            self,
            task,
            service=self._spec.name,
            prefix=self._environment.prefix,
            shared=self._shared,
            group=self.group,
            roles=[self.task_role, self.execution_role],
            database=self._database,
        )

    def _service(self) -> ecs.FargateService:
        spec, environment = self._spec, self._environment
        return ecs.FargateService(
            self,
            "Fargate",
            service_name=spec.name,
            cluster=self._shared.cluster,
            task_definition=self.task,
            desired_count=self._policy.bounds.desired,
            security_groups=[self.group, self._shared.mesh],
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            assign_public_ip=False,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            min_healthy_percent=100,
            max_healthy_percent=200,
            health_check_grace_period=Duration.seconds(60),
            enable_execute_command=environment.execute_command,
            enable_ecs_managed_tags=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
            deployment_strategy=ecs.DeploymentStrategy.BLUE_GREEN if environment.blue_green else None,
            bake_time=Duration.minutes(10) if environment.blue_green else None,
            # Retries and ejection of tasks that fail are Service Connect's own:
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-concepts-deploy.html
            service_connect_configuration=ecs.ServiceConnectProps(
                # By its address: of a name ECS makes a namespace of its own, beside the one with private DNS.
                # https://github.com/aws/aws-cdk/issues/25616
                namespace=self._shared.namespace.namespace_arn,
                services=[
                    ecs.ServiceConnectService(
                        port_mapping_name="http",
                        discovery_name=spec.name,
                        dns_name=f"{spec.name}.{NAMESPACE}",
                        port=SERVICE_PORT,
                        per_request_timeout=Duration.seconds(15),
                        tls=self._mesh_tls(),
                    )
                ],
                log_driver=self._logging("mesh"),
            ),
        )

    def _mesh_tls(self) -> ecs.ServiceConnectTlsConfiguration | None:
        arn = self._environment.private_ca_arn
        if arn is None:
            return None
        role = iam.Role(
            self,
            "MeshTls",
            description=f"How ECS asks for the certificates of {self._spec.name}",
            assumed_by=iam.ServicePrincipal("ecs.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(_MESH_TLS_POLICY)],
        )
        acknowledge(role, {managed_policy(_MESH_TLS_POLICY): "AWS' own, by which ECS renews certificates"})
        return ecs.ServiceConnectTlsConfiguration(aws_pca_authority_arn=arn, role=role)

    # --- requests of customers

    def _target_group(self) -> list[elbv2.ApplicationTargetGroup]:
        """Where the load balancer sends the service's requests: two, one at a time, with blue/green."""
        targets = self._new_target_group("Targets")
        groups = [targets]
        rule = elbv2.ApplicationListenerRule(
            self,
            "Rule",
            listener=self._shared.listener,
            priority=self._spec.priority,
            conditions=[elbv2.ListenerCondition.path_patterns(self._spec.paths)],
            target_groups=[targets],
        )
        other = None
        if self._environment.blue_green:
            others = self._new_target_group("OtherTargets")
            groups.append(others)
            other = ecs.AlternateTarget(
                "Other",
                alternate_target_group=others,
                production_listener=ecs.ListenerRuleConfiguration.application_listener_rule(rule),
            )
        target = self.service.load_balancer_target(
            container_name=self._spec.name, container_port=SERVICE_PORT, alternate_target=other
        )
        target.attach_to_application_target_group(targets)
        if self._environment.blue_green:
            policy = "AmazonECSInfrastructureRolePolicyForLoadBalancers"
            acknowledge(
                self.service, {managed_policy(policy): "AWS' own, by which ECS turns the traffic over"}
            )
        # ECS refuses a target group that no load balancer has.
        self.service.node.add_dependency(rule)
        return groups

    def _new_target_group(self, id: str) -> elbv2.ApplicationTargetGroup:
        # The mesh's proxy takes what comes to the port, the load balancer's requests as well:
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-tls.html
        tls = self._environment.private_ca_arn is not None
        return elbv2.ApplicationTargetGroup(
            self,
            id,
            vpc=self._shared.vpc,
            port=SERVICE_PORT,
            protocol=elbv2.ApplicationProtocol.HTTPS if tls else elbv2.ApplicationProtocol.HTTP,
            target_type=elbv2.TargetType.IP,
            deregistration_delay=_DEREGISTRATION,
            health_check=elbv2.HealthCheck(
                protocol=elbv2.Protocol.HTTPS if tls else elbv2.Protocol.HTTP,
                path="/health",
                interval=Duration.seconds(30),
                timeout=Duration.seconds(self._spec.health_timeout_s),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )


def service_url(name: str) -> str:
    """Where other services find the service `name`."""
    return f"http://{name}.{NAMESPACE}:{SERVICE_PORT}"


def allow(role: iam.Role, actions: list[str], resources: list[str]) -> None:
    """Let `role` do `actions` on `resources`."""
    role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
