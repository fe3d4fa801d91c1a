"""What every service is given alike: roles of its own, deployments that go back, a collector, a database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.routes import path_of
from contracts.services import SERVICES
from infra.stacks.testing import container, routing, variables
from infra.testing import Deployment, Right, attributes, dimensions, ingress, may, named, rights, statements

_QUEUES = {
    "order": "OrderProcessingQueue",
    "payment": "PaymentProcessingQueue",
    "notification": "NotificationQueue",
    "product": "InventoryUpdateQueue",
}
_TOPICS = {
    "user": ("UserEvents", "NotificationEvents"),
    "order": ("OrderEvents", "NotificationEvents"),
    "product": ("InventoryEvents",),
    "payment": ("PaymentEvents",),
}
# By their memory: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
# and https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
_CONNECTIONS = {"db.t3.micro": 112, "db.t3.small": 225, 4: 823}
# Kept by PostgreSQL and by RDS for themselves.
_RESERVED = 5
_ACCOUNT = "${AWS::Region}:${AWS::AccountId}"
_TMP = "/tmp"  # noqa: S108 - of the task alone


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each of the services: the test runs for every one."""
    name: str = request.param
    return name


def database_id(service: str) -> str:
    """What a service's database is in its template: product's is Aurora."""
    return "DatabaseCluster" if service == "product" else "DatabaseInstance"


# --- roles


def reach(service: str) -> set[Right]:
    """What a service's tasks need, and no more: its secret, its topics, its queue, its bucket, its sender."""
    publish = may("sns:Publish", *(f"${{messaging:{topic}}}" for topic in _TOPICS.get(service, ())))
    consume = (
        may(
            "sqs:ReceiveMessage DeleteMessage ChangeMessageVisibility",
            f"${{messaging:{_QUEUES[service]}.Arn}}",
        )
        if service in _QUEUES
        else set()
    )
    # Publishing encrypts; a data key that is used again is decrypted for it, as a message is.
    decrypt = may(f"kms:Decrypt{' GenerateDataKey' if publish else ''}", "${messaging:Key.Arn}")
    return {
        *may("secretsmanager:GetSecretValue", f"${{{database_id(service)}.MasterUserSecret.SecretArn}}"),
        *publish,
        *consume,
        *(decrypt if publish or consume else ()),
        *may(
            "logs:CreateLogStream PutLogEvents DescribeLogStreams", f"${{shared:{service.title()}Logs.Arn}}"
        ),
        *_OF_ONE.get(service, set()),
    }


_OF_ONE = {
    "product": {
        *may("s3:GetObject PutObject DeleteObject", "${Images.Arn}/*"),
        *may("s3:ListBucket", "${Images.Arn}"),
    },
    "notification": may(
        "ses:SendEmail SendRawEmail", f"arn:${{AWS::Partition}}:ses:{_ACCOUNT}:identity/${{Sender}}"
    ),
}

# X-Ray's actions know no resources:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
_TRACING = may("xray:PutTraceSegments PutTelemetryRecords", "*")
# Nor does the channel of a shell, and its agent looks for the log among all:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html#ecs-exec-required-iam-permissions
_SHELL = {
    *may("ssmmessages:CreateControlChannel CreateDataChannel OpenControlChannel OpenDataChannel", "*"),
    *may("logs:DescribeLogGroups", "*"),
}
# An activation has no name before it is made; the agent takes itself off the list by its id, once it has one:
# https://docs.aws.amazon.com/fis/latest/userguide/ecs-task-actions.html
_FAULT_AGENT = {
    *may("ssm:CreateActivation AddTagsToResource DeleteActivation", "*"),
    *may("ssm:DeregisterManagedInstance", f"arn:${{AWS::Partition}}:ssm:{_ACCOUNT}:managed-instance/*"),
    *may("iam:PassRole", "${ServiceFaultAgentRole.Arn}"),
}


def test_in_prod_a_service_reaches_what_is_its_own(in_prod: Deployment, service: str) -> None:
    """Its secret, its topics, its queue, its bucket: whoever takes it over has these, and traces."""
    assert reach(service) | _TRACING == rights(in_prod[service], "ServiceTaskRole")


def test_in_dev_a_service_has_a_shell_beside(in_dev: Deployment, service: str) -> None:
    """And nothing else that it has not in prod."""
    assert reach(service) | _TRACING | _SHELL == rights(in_dev[service], "ServiceTaskRole")


def test_in_staging_a_service_can_be_slowed_beside(in_staging: Deployment, service: str) -> None:
    """By an agent that registers itself, with rights that nothing has elsewhere."""
    expected = reach(service) | _TRACING | _SHELL | _FAULT_AGENT
    assert expected == rights(in_staging[service], "ServiceTaskRole")


def test_ecs_may_start_a_service_and_nothing_else(anywhere: Deployment, service: str) -> None:
    """It pulls the service's image, hands over its secrets, and writes its log."""
    secret = {
        "user": {"${shared:SigningKeys}"},
        "payment": {"${shared:Stripe}"},
        "product": {"${messaging:CacheToken}"},
    }.get(service, set())
    assert {
        *may(
            "ecr:BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage",
            f"arn:${{AWS::Partition}}:ecr:{_ACCOUNT}:repository/mercato/{service}",
        ),
        # The token is of the account: its action knows no resources.
        *may("ecr:GetAuthorizationToken", "*"),
        *may("logs:CreateLogStream PutLogEvents", f"${{shared:{service.title()}Logs.Arn}}"),
        *may("secretsmanager:GetSecretValue DescribeSecret", *secret),
    } == rights(anywhere[service], "ServiceExecutionRole")


def test_the_roles_of_a_service_are_ecs_tasks_to_take(anywhere: Deployment, service: str) -> None:
    """Its tasks' only for this account: nobody else's may be started with it."""
    trust = {
        role: named(anywhere[service], role).properties["AssumeRolePolicyDocument"]["Statement"]
        for role in ("ServiceTaskRole", "ServiceExecutionRole")
    }
    assert {"ecs-tasks.amazonaws.com"} == {each["Principal"]["Service"] for (each,) in trust.values()}
    (task,) = trust["ServiceTaskRole"]
    assert {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}} == task["Condition"]


# The reasons why a policy of AWS' own is good enough, or an action or resource has a wildcard.
_MANAGED = {
    "service-role/AmazonRDSEnhancedMonitoringRole": "writes to RDS' own log group",
    "service-role/AmazonAPIGatewayPushToCloudWatchLogs": "writes logs",
    "AmazonSSMManagedInstanceCore": "AWS' own for its agent, where things are broken on purpose",
    "service-role/AWSFaultInjectionSimulatorECSAccess": "what it is done to, the templates say",
    "service-role/AWSFaultInjectionSimulatorNetworkAccess": "likewise",
    "service-role/AWSFaultInjectionSimulatorSSMAccess": "likewise",
}
_ANY_RESOURCE = {
    "xray:PutTraceSegments": "knows no resources",
    "xray:PutTelemetryRecords": "knows no resources",
    "cloudwatch:GetMetricStatistics": "knows no resources, and only reads",
    "ecr:GetAuthorizationToken": "is of the account",
    **{right.action: "of a shell, where it is allowed" for right in _SHELL},
    "ssm:CreateActivation": "has no name before it is made",
    "ssm:AddTagsToResource": "as CreateActivation, which asks for it",
    "ssm:DeleteActivation": "its id is known when the agent runs",
}
_PART_OF_RESOURCES = {
    "managed-instance/*": "its id is known when the agent runs",
    "${Images.Arn}/*": "which images there are, is known when they are uploaded",
    "-migrate:*": "its revision is known when it is made",
    "task/mercato-dev/*": "its id is known when it runs",
    "task/mercato-staging/*": "likewise",
    "task/mercato-prod/*": "likewise",
}


def every_right(deployment: Deployment) -> list[tuple[str, Right]]:
    """What every policy of every stack allows, with the stack's name."""
    return [
        (stack, Right(action, resource))
        for stack, made in deployment.resources("AWS::IAM::Policy")
        for statement in statements(made.properties["PolicyDocument"])
        for action in statement["Action"]
        for resource in statement["Resource"]
    ]


def test_no_policy_allows_actions_that_it_does_not_name(anywhere: Deployment) -> None:
    """A wildcard would allow what AWS thinks of tomorrow."""
    assert [] == [right for right in every_right(anywhere) if "*" in right[1].action]


def test_a_policy_names_its_resources_but_for_actions_that_know_none(anywhere: Deployment) -> None:
    """Each exception is in the lists above, with its reason."""
    unexplained = [
        (stack, right)
        for stack, right in every_right(anywhere)
        if "*" in right.resource
        and not (right.resource == "*" and right.action in _ANY_RESOURCE)
        and not any(right.resource.endswith(part) for part in _PART_OF_RESOURCES)
    ]
    assert [] == unexplained


def test_every_exception_is_needed(in_staging: Deployment) -> None:
    """Staging has what there is: a reason that nothing needs any more goes."""
    found = {right for _, right in every_right(in_staging)}
    assert set(_ANY_RESOURCE) == {right.action for right in found if right.resource == "*"}


def test_roles_have_policies_of_their_own_or_one_of_aws_with_a_reason(anywhere: Deployment) -> None:
    """And none that is written into the role, where these tests would not see it."""
    roles = [role.properties for _, role in anywhere.resources("AWS::IAM::Role")]
    assert [] == [role for role in roles if "Policies" in role]
    attached = {arn.partition(":policy/")[2] for role in roles for arn in role.get("ManagedPolicyArns", [])}
    assert set() == attached - set(_MANAGED)


# --- tasks


def test_a_task_runs_the_image_of_its_version(anywhere: Deployment, service: str) -> None:
    """Out of the account's own registry; the migration the same, or it would be of other tables."""
    repository = "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}"
    images = {
        task: container(anywhere[service], service, task)["Image"]
        for task in ("ServiceTask", "ServiceMigrate")
    }
    assert {f"{repository}/mercato/{service}:1.0.0"} == set(images.values())


def test_a_service_is_its_task_in_the_cluster_with_its_roles(anywhere: Deployment, service: str) -> None:
    """On Fargate, under the name by which dashboard, alarms and experiments know it."""
    template = anywhere[service]
    properties = template.only("AWS::ECS::Service").properties
    assert ("${shared:Cluster}", "${ServiceTask}", service, "FARGATE", {"Type": "ECS"}) == (
        properties["Cluster"],
        properties["TaskDefinition"],
        properties["ServiceName"],
        properties["LaunchType"],
        properties["DeploymentController"],
    )
    for name, family in (("ServiceTask", ""), ("ServiceMigrate", "-migrate")):
        task = named(template, name).properties
        assert f"mercato-{anywhere.name}-{service}{family}" == task["Family"]
        assert ("${ServiceTaskRole.Arn}", "${ServiceExecutionRole.Arn}") == (
            task["TaskRoleArn"],
            task["ExecutionRoleArn"],
        )
        assert ("awsvpc", ["FARGATE"], {"OperatingSystemFamily": "LINUX", "CpuArchitecture": "X86_64"}) == (
            task["NetworkMode"],
            task["RequiresCompatibilities"],
            task["RuntimePlatform"],
        )


def test_a_migration_is_given_what_the_service_is(anywhere: Deployment, service: str) -> None:
    """The same variables and secrets, and as much of everything: it reads the same settings."""
    template = anywhere[service]
    serving, migrating = (container(template, service, task) for task in ("ServiceTask", "ServiceMigrate"))
    assert (serving["Environment"], serving.get("Secrets")) == (
        migrating["Environment"],
        migrating.get("Secrets"),
    )
    sizes = [named(template, task).properties for task in ("ServiceTask", "ServiceMigrate")]
    assert 1 == len({(task["Cpu"], task["Memory"]) for task in sizes})


def test_a_task_ends_when_its_service_does_and_not_before_it_has_finished(
    anywhere: Deployment, service: str
) -> None:
    """It has 30 seconds, for which the load balancer sends it nothing new; and a minute to come up."""
    made = container(anywhere[service], service)
    assert (True, 30) == (made["Essential"], made["StopTimeout"])
    group = attributes(named(anywhere[service], "ServiceTargets"), "TargetGroupAttributes")
    assert "30" == group["deregistration_delay.timeout_seconds"]
    assert 60 == anywhere[service].only("AWS::ECS::Service").properties["HealthCheckGracePeriodSeconds"]


def test_tasks_have_the_tags_of_their_service(anywhere: Deployment, service: str) -> None:
    """What a task costs is seen by them."""
    properties = anywhere[service].only("AWS::ECS::Service").properties
    assert ("SERVICE", True) == (properties["PropagateTags"], properties["EnableECSManagedTags"])


def test_a_task_cannot_change_its_image(anywhere: Deployment, service: str) -> None:
    """The file system is read-only, but where Python keeps temporary files."""
    for task in ("ServiceTask", "ServiceMigrate"):
        made = container(anywhere[service], service, task)
        assert made["ReadonlyRootFilesystem"]
        assert _TMP in {each["ContainerPath"] for each in made["MountPoints"]}
        volumes = {each["Name"] for each in named(anywhere[service], task).properties["Volumes"]}
        assert volumes == {each["SourceVolume"] for each in made["MountPoints"]}


def test_a_task_is_told_where_everything_is(anywhere: Deployment, service: str) -> None:
    """What its settings read, with no secret among it."""
    said = variables(anywhere[service], service)
    database = database_id(service)
    expected = {
        "HOST": "0.0.0.0",  # noqa: S104 - the task's own address
        "PORT": "8000",
        "ENVIRONMENT": anywhere.name,
        "DATABASE_URL": (
            f"postgresql://mercato@${{{database}.Endpoint.Address}}:5432/mercato_{service}?sslmode=require"
        ),
        "DATABASE_SECRET_ARN": f"${{{database}.MasterUserSecret.SecretArn}}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
    }
    assert expected.items() <= said.items()
    if service != "user":
        assert "http://user.microservices.local:8000" == said["JWKS_URL"]


def test_tasks_share_the_connections_of_their_database(anywhere: Deployment, service: str) -> None:
    """A pool and a listener for each task, of those that are not reserved; no more than asked for."""
    template = anywhere[service]
    database = named(template, database_id(service)).properties
    size = database.get("DBInstanceClass") or database["ServerlessV2ScalingConfiguration"]["MaxCapacity"]
    most = _CONNECTIONS[size] - _RESERVED
    asked = 20 if service == "payment" else 12
    pool = int(variables(template, service)["DATABASE_POOL_SIZE"])
    tasks = template.only("AWS::ApplicationAutoScaling::ScalableTarget").properties["MaxCapacity"]
    assert tasks * (pool + 1) <= most
    assert pool == asked or tasks * (pool + 2) > most


@pytest.mark.parametrize("service", _QUEUES)
def test_a_consumer_is_told_its_queue(anywhere: Deployment, service: str) -> None:
    """Under the name that the contracts give it: `order-processing-queue` is ORDER_PROCESSING_QUEUE_URL."""
    found = {
        name: value for name, value in variables(anywhere[service], service).items() if name.endswith("_URL")
    }
    queue = f"${{messaging:{_QUEUES[service]}}}"
    assert [queue] == [value for value in found.values() if value.startswith("${messaging:")]
    name = {value: key for key, value in found.items()}[queue]
    assert _QUEUES[service] == "".join(part.title() for part in name.removesuffix("_URL").split("_"))


def test_a_publisher_is_told_its_topics(anywhere: Deployment, service: str) -> None:
    """These, to which its role may publish."""
    said = variables(anywhere[service], service)
    found = {value for name, value in said.items() if name.endswith("_TOPIC_ARN")}
    assert {f"${{messaging:{topic}}}" for topic in _TOPICS.get(service, ())} == found


def test_a_task_has_a_collector_of_traces_and_metrics(anywhere: Deployment, service: str) -> None:
    """It is there before the service, which goes on without it."""
    collector = container(anywhere[service], "collector")
    assert collector["Image"].startswith("public.ecr.aws/aws-observability/aws-otel-collector:v")
    assert not collector["Essential"]
    assert [{"ContainerName": "collector", "Condition": "START"}] == container(anywhere[service], service)[
        "DependsOn"
    ]
    configuration = variables(anywhere[service], "collector")["AOT_CONFIG_CONTENT"]
    for part in (
        "endpoint: 127.0.0.1:4318",
        "awsxray: {}",
        "namespace: Microservices/Business",
        f"log_group_name: ${{shared:{service.title()}Logs}}",
        "exporters: [awsxray]",
    ):
        assert part in configuration


def test_what_is_written_goes_to_the_log_of_the_service(anywhere: Deployment, service: str) -> None:
    """Of every container, the migration and the mesh: one place to look at. It never stops a task."""
    template = anywhere[service]
    configurations = [
        made["LogConfiguration"]
        for task in template.resources("AWS::ECS::TaskDefinition")
        for made in task.properties["ContainerDefinitions"]
    ]
    mesh = template.only("AWS::ECS::Service").properties["ServiceConnectConfiguration"]
    logged = [*configurations, mesh["LogConfiguration"]]
    assert {"awslogs"} == {each["LogDriver"] for each in logged}
    options = [each["Options"] for each in logged]
    assert {"${AWS::Region}"} == {each["awslogs-region"] for each in options}
    assert {f"${{shared:{service.title()}Logs}}"} == {each["awslogs-group"] for each in options}
    assert {"non-blocking"} == {each["mode"] for each in options}


# --- a shell, and faults


def test_a_shell_can_be_opened_in_dev_and_staging_only(anywhere: Deployment, service: str) -> None:
    """In prod nobody looks over the shoulder of customers."""
    allowed = anywhere.name != "prod"
    assert allowed == anywhere[service].only("AWS::ECS::Service").properties["EnableExecuteCommand"]


def test_where_a_shell_can_be_opened_its_agent_can_write(anywhere: Deployment, service: str) -> None:
    """It wants three folders, and the image is read-only: without them it ends, and no shell opens."""
    mounts = {
        each["ContainerPath"]: each["ReadOnly"]
        for each in container(anywhere[service], service)["MountPoints"]
    }
    shell = {"/managed-agents": False, "/var/lib/amazon/ssm": False, "/var/log/amazon/ssm": False}
    assert {_TMP: False} | ({} if anywhere.name == "prod" else shell) == mounts


def test_only_staging_has_the_agent_that_adds_latency(anywhere: Deployment, service: str) -> None:
    """Whoever could slow tasks of prod by it could slow customers."""
    task = named(anywhere[service], "ServiceTask").properties
    containers = {made["Name"] for made in task["ContainerDefinitions"]}
    staging = anywhere.name == "staging"
    assert {service, "collector"} | ({"fault-agent"} if staging else set()) == containers
    assert (staging, "task" if staging else None) == (
        task.get("EnableFaultInjection", False),
        task.get("PidMode"),
    )


def test_the_fault_agent_is_no_reason_to_end_a_task(in_staging: Deployment, service: str) -> None:
    """It is there to break things, but in the way that an experiment says."""
    agent = container(in_staging[service], "fault-agent")
    assert not agent["Essential"]
    assert {"MANAGED_INSTANCE_ROLE_NAME": "${ServiceFaultAgentRole}"} == variables(
        in_staging[service], "fault-agent"
    )


# --- deployment


def test_a_deployment_goes_back_when_the_new_tasks_do_not_live(anywhere: Deployment, service: str) -> None:
    """And never has fewer tasks than before: new ones beside the old ones, up to twice as many."""
    deployment = anywhere[service].only("AWS::ECS::Service").properties["DeploymentConfiguration"]
    assert {"Enable": True, "Rollback": True} == deployment["DeploymentCircuitBreaker"]
    assert (100, 200) == (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"])
    assert "Strategy" not in deployment  # blue/green by context only


def test_the_tables_are_there_before_the_version_that_needs_them(anywhere: Deployment, service: str) -> None:
    """The service is changed after the migration has ended, whose task is the new version's."""
    template = anywhere[service]
    migration = template.only("Custom::Migration")
    assert migration.id in template.only("AWS::ECS::Service").attributes["DependsOn"]
    assert {
        "ServiceToken": "${ServiceMigratorFunction.Arn}",
        "ServiceTimeout": "900",
        "Cluster": "${shared:Cluster.Arn}",
        "TaskDefinition": "${ServiceMigrate}",
        "Subnets": [f"${{shared:VpcprivateSubnet{zone}Subnet}}" for zone in (1, 2, 3)],
        "SecurityGroups": ["${ServiceGroup.GroupId}"],
        "LogGroup": f"${{shared:{service.title()}Logs}}",
    } == migration.properties
    assert ["migrate"] == container(template, service, "ServiceMigrate")["Command"]
    assert ["serve"] == container(template, service)["Command"]


def test_a_migration_waits_for_the_database_and_the_way_to_it(anywhere: Deployment, service: str) -> None:
    """Its task may read the password, and is let in: else the first deployment fails."""
    template = anywhere[service]
    waits_for = set(template.only("Custom::Migration").attributes["DependsOn"])
    let_in = {
        rule.id
        for rule in template.resources("AWS::EC2::SecurityGroupIngress")
        if rule.properties["GroupId"] == "${DatabaseGroup.GroupId}"
    }
    databases = {database.id for database in template.resources("AWS::RDS::DBInstance")}
    roles = {"ServiceTaskRoleDefaultPolicy", "ServiceExecutionRoleDefaultPolicy"}
    assert let_in
    assert set() == (let_in | databases | roles) - waits_for


def test_who_migrates_may_run_that_one_task_in_the_cluster(anywhere: Deployment, service: str) -> None:
    """With the service's roles, and end it if it does not end."""
    cluster = "ecs:cluster ArnEquals ${shared:Cluster.Arn}"
    prefix = f"arn:${{AWS::Partition}}:ecs:{_ACCOUNT}"
    assert {
        *may("logs:CreateLogStream PutLogEvents", "${ServiceMigratorLogs.Arn}"),
        *may(
            "ecs:RunTask",
            f"{prefix}:task-definition/mercato-{anywhere.name}-{service}-migrate:*",
            condition=cluster,
        ),
        *may("ecs:DescribeTasks StopTask", f"{prefix}:task/mercato-{anywhere.name}/*", condition=cluster),
        *may(
            "iam:PassRole",
            "${ServiceTaskRole.Arn}",
            "${ServiceExecutionRole.Arn}",
            condition="iam:PassedToService StringEquals ecs-tasks.amazonaws.com",
        ),
    } == rights(anywhere[service], "ServiceMigratorRole")


def test_who_migrates_has_longer_than_it_waits(anywhere: Deployment, service: str) -> None:
    """A function may run for 15 minutes; this one gives up after 13, and says so."""
    function = anywhere[service].only("AWS::Lambda::Function").properties
    assert ("index.handler", 900, "${ServiceMigratorRole.Arn}", {"LogGroup": "${ServiceMigratorLogs}"}) == (
        function["Handler"],
        function["Timeout"],
        function["Role"],
        function["LoggingConfig"],
    )


def test_functions_run_on_a_python_that_is_kept_up(anywhere: Deployment) -> None:
    """3.14 has fixes until 2030: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
    functions = [function.properties for _, function in anywhere.resources("AWS::Lambda::Function")]
    assert {"python3.14"} == {function["Runtime"] for function in functions}
    # A file with tests, not a string.
    assert [] == [function for function in functions if "ZipFile" in function["Code"]]


# --- network


def test_a_service_is_reached_by_both_forms_of_its_paths(anywhere: Deployment, service: str) -> None:
    """`/api/users/*` alone would not match `/api/users`."""
    paths, _ = routing(anywhere[service])
    assert [path_of(service), f"{path_of(service)}/*"] == paths


def test_a_service_answers_at_the_listener_that_serves_customers(anywhere: Deployment, service: str) -> None:
    """With a domain that is the one with TLS; the other only leads there."""
    rule = anywhere[service].only("AWS::ElasticLoadBalancingV2::ListenerRule").properties
    listener = "LoadBalancerHttp" if anywhere.name == "dev" else "LoadBalancerHttps"
    assert f"${{shared:{listener}}}" == rule["ListenerArn"]


def test_the_load_balancer_sends_to_the_port_that_the_service_listens_on(
    anywhere: Deployment, service: str
) -> None:
    """By address, since tasks have one of their own; in HTTP, inside the network."""
    template = anywhere[service]
    assert [{"ContainerName": service, "ContainerPort": 8000, "TargetGroupArn": "${ServiceTargets}"}] == (
        template.only("AWS::ECS::Service").properties["LoadBalancers"]
    )
    assert [{"Name": "http", "ContainerPort": 8000, "Protocol": "tcp", "AppProtocol": "http"}] == container(
        template, service
    )["PortMappings"]
    group = named(template, "ServiceTargets").properties
    assert ("ip", 8000, "HTTP", "HTTP", 2) == (
        group["TargetType"],
        group["Port"],
        group["Protocol"],
        group["HealthCheckProtocol"],
        group["HealthyThresholdCount"],
    )
    assert "8000" == variables(template, service)["PORT"]


def test_what_scales_is_the_service(anywhere: Deployment, service: str) -> None:
    """By the count of its tasks, and by every policy of its stack."""
    template = anywhere[service]
    target = template.only("AWS::ApplicationAutoScaling::ScalableTarget")
    assert ("service/${shared:Cluster}/${ServiceFargateService.Name}", "ecs:service:DesiredCount", "ecs") == (
        target.properties["ResourceId"],
        target.properties["ScalableDimension"],
        target.properties["ServiceNamespace"],
    )
    assert {f"${{{target.id}}}"} == {
        scaled.properties["ScalingTargetId"]
        for scaled in template.resources("AWS::ApplicationAutoScaling::ScalingPolicy")
    }


def test_a_service_exists_after_the_load_balancer_sends_to_it(anywhere: Deployment, service: str) -> None:
    """ECS refuses a target group that no load balancer has."""
    assert "ServiceRule" in anywhere[service].only("AWS::ECS::Service").attributes["DependsOn"]


def test_tasks_have_no_address_that_the_world_reaches(anywhere: Deployment, service: str) -> None:
    """They are in private subnets, in every zone."""
    network = anywhere[service].only("AWS::ECS::Service").properties["NetworkConfiguration"]
    assert {
        "AssignPublicIp": "DISABLED",
        "Subnets": [f"${{shared:VpcprivateSubnet{zone}Subnet}}" for zone in (1, 2, 3)],
        "SecurityGroups": ["${ServiceGroup.GroupId}", "${shared:Mesh.GroupId}"],
    } == network["AwsvpcConfiguration"]


def test_tasks_are_reached_from_the_load_balancer_on_their_port(anywhere: Deployment, service: str) -> None:
    """What comes from other services comes by the mesh's group, which the shared stack keeps."""
    assert {(8000, "shared:LoadBalancerGroup")} == ingress(anywhere, f"{service}:ServiceGroup")


def test_services_find_each_other_by_the_mesh(anywhere: Deployment, service: str) -> None:
    """In the namespace that the network has: given its name, ECS would make another."""
    mesh = anywhere[service].only("AWS::ECS::Service").properties["ServiceConnectConfiguration"]
    assert mesh["Enabled"]
    assert "${shared:ClusterDefaultServiceDiscoveryNamespace.Arn}" == mesh["Namespace"]
    assert [
        {
            "PortName": "http",
            "DiscoveryName": service,
            "ClientAliases": [{"DnsName": f"{service}.microservices.local", "Port": 8000}],
            # As long as the gateway would wait for a service that waits for another.
            "Timeout": {"PerRequestTimeoutSeconds": 15},
        }
    ] == mesh["Services"]


# --- database


def test_a_database_is_reached_by_its_service_only(anywhere: Deployment, service: str) -> None:
    """From nowhere else, and in subnets that reach nothing."""
    template = anywhere[service]
    assert {(5432, f"{service}:ServiceGroup")} == ingress(anywhere, f"{service}:DatabaseGroup")
    subnets = template.only("AWS::RDS::DBSubnetGroup")
    isolated = [f"${{shared:VpcisolatedSubnet{zone}Subnet}}" for zone in (1, 2, 3)]
    assert isolated == subnets.properties["SubnetIds"]
    database = named(template, database_id(service)).properties
    assert (f"${{{subnets.id}}}", ["${DatabaseGroup.GroupId}"]) == (
        database["DBSubnetGroupName"],
        database.get("VPCSecurityGroups", database.get("VpcSecurityGroupIds")),
    )


def test_a_database_is_called_as_its_service_asks_for_it(anywhere: Deployment, service: str) -> None:
    """PostgreSQL 18, which the shop runs on one machine as well."""
    database = named(anywhere[service], database_id(service)).properties
    assert f"mercato_{service}" == database.get("DBName", database.get("DatabaseName"))
    assert 5432 == int(database.get("Port", 5432))
    engine = "aurora-postgresql" if service == "product" else "postgres"
    assert (engine, "18") == (database["Engine"], database["EngineVersion"].partition(".")[0])
    assert ["postgresql"] == database["EnableCloudwatchLogsExports"]


def test_a_database_is_encrypted_and_watched_each_minute(anywhere: Deployment, service: str) -> None:
    """Whatever it is otherwise."""
    template = anywhere[service]
    assert named(template, database_id(service)).properties["StorageEncrypted"]
    instances = [instance.properties for instance in template.resources("AWS::RDS::DBInstance")]
    assert {(60, "${DatabaseMonitoring.Arn}")} == {
        (instance["MonitoringInterval"], instance["MonitoringRoleArn"]) for instance in instances
    }
    assert {False} == {instance["PubliclyAccessible"] for instance in instances}


def test_a_password_is_made_kept_and_rotated_by_rds(anywhere: Deployment, service: str) -> None:
    """In Secrets Manager, and nowhere else: it is in no template."""
    database = named(anywhere[service], database_id(service)).properties
    assert (True, "mercato") == (database["ManageMasterUserPassword"], database["MasterUsername"])
    assert "MasterUserPassword" not in database


def test_a_database_outlives_its_stack_as_a_snapshot(anywhere: Deployment, service: str) -> None:
    """And in prod it is not deleted at all."""
    database = named(anywhere[service], database_id(service))
    assert "Snapshot" == database.attributes["DeletionPolicy"]
    assert (anywhere.name == "prod") == database.properties["DeletionProtection"]


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "product"])
def test_a_database_has_a_standby_where_its_absence_would_be_felt(anywhere: Deployment, service: str) -> None:
    """In prod, and in staging, which is as prod; not in dev. Aurora's is a reader, where there is one."""
    expected = anywhere.name != "dev"
    assert expected == named(anywhere[service], "DatabaseInstance").properties["MultiAZ"]


# --- alarms


def of_database(service: str) -> dict[str, Any]:
    """Whose metrics are looked at."""
    kind = "DBClusterIdentifier" if service == "product" else "DBInstanceIdentifier"
    return {"namespace": "AWS/RDS", "dimensions": {kind: f"${{{database_id(service)}}}"}}


def of_balancer() -> dict[str, Any]:
    """What the load balancer measures of the service."""
    return {
        "namespace": "AWS/ApplicationELB",
        "dimensions": {
            "LoadBalancer": "${shared:LoadBalancer.LoadBalancerFullName}",
            "TargetGroup": "${ServiceTargets.TargetGroupFullName}",
        },
    }


def alarm(deployment: Deployment, service: str, logical_id: str) -> dict[str, Any]:
    """Metric, comparison, threshold, periods and their length of an alarm that tells both of its ends."""
    made = named(deployment[service], logical_id).properties
    assert ["${observability:Alerts}"] == made["AlarmActions"] == made["OKActions"]
    assert "notBreaching" == made["TreatMissingData"]
    one = "MetricName" in made
    return {
        **({"namespace": made["Namespace"], "dimensions": dimensions(made)} if one else {}),
        "metric": made.get("MetricName"),
        "statistic": made.get("Statistic", made.get("ExtendedStatistic")),
        "above": made["ComparisonOperator"] == "GreaterThanThreshold",
        "threshold": made["Threshold"],
        "periods": made["EvaluationPeriods"],
        "period_s": made.get("Period"),
    }


def test_a_slow_service_is_told_of(anywhere: Deployment, service: str) -> None:
    """One request in a hundred takes more than a second, for a quarter of an hour."""
    assert {
        **of_balancer(),
        "metric": "TargetResponseTime",
        "statistic": "p99",
        "above": True,
        "threshold": 1,
        "periods": 3,
        "period_s": 300,
    } == alarm(anywhere, service, "ServiceLatencyHigh")


def test_fewer_tasks_than_desired_are_told_of(anywhere: Deployment, service: str) -> None:
    """After ten minutes: a deployment or a zone that is away takes some."""
    made = alarm(anywhere, service, "ServiceTasksMissing")
    assert (False, 0, 10) == (made["above"], made["threshold"], made["periods"])
    expression, *counts = named(anywhere[service], "ServiceTasksMissing").properties["Metrics"]
    assert ("running - desired", True) == (expression["Expression"], expression["ReturnData"])
    where = [
        {"Name": "ClusterName", "Value": f"mercato-{anywhere.name}"},
        {"Name": "ServiceName", "Value": service},
    ]
    assert {
        each["Id"]: (
            each["MetricStat"]["Metric"]["Namespace"],
            each["MetricStat"]["Metric"]["MetricName"],
            each["MetricStat"]["Metric"]["Dimensions"],
            each["MetricStat"]["Period"],
            each["MetricStat"]["Stat"],
        )
        for each in counts
    } == {
        "running": ("ECS/ContainerInsights", "RunningTaskCount", where, 60, "Average"),
        "desired": ("ECS/ContainerInsights", "DesiredTaskCount", where, 60, "Average"),
    }


def test_a_database_that_is_busy_is_told_of(anywhere: Deployment, service: str) -> None:
    """More than 80 % for a quarter of an hour."""
    assert {
        **of_database(service),
        "metric": "CPUUtilization",
        "statistic": "Average",
        "above": True,
        "threshold": 80,
        "periods": 3,
        "period_s": 300,
    } == alarm(anywhere, service, "DatabaseCpuHigh")


def test_connections_are_told_of_before_there_are_none_left(anywhere: Deployment, service: str) -> None:
    """By its memory a t3.micro has 112, a t3.small 225, and Aurora of at most 4 ACU 823."""
    most = {"order": 210, "payment": 210, "product": 640}.get(service, 105)
    assert {
        **of_database(service),
        "metric": "DatabaseConnections",
        "statistic": "Average",
        "above": True,
        "threshold": most,
        "periods": 2,
        "period_s": 300,
    } == alarm(anywhere, service, "DatabaseConnectionsHigh")


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "product"])
def test_storage_is_told_of_before_there_is_none_left(anywhere: Deployment, service: str) -> None:
    """Less than 2 GiB. Aurora's grows by itself, and Serverless v2 reports nothing of what is local."""
    assert {
        **of_database(service),
        "metric": "FreeStorageSpace",
        "statistic": "Minimum",
        "above": False,
        "threshold": 2 * 1024**3,
        "periods": 3,
        "period_s": 300,
    } == alarm(anywhere, service, "DatabaseStorageLow")


def test_no_template_holds_a_secret(anywhere: Deployment) -> None:
    """Whoever reads templates knows where passwords are, and not what they are."""
    for stack, template in anywhere.stacks.items():
        text = json.dumps(template.body)
        for sign in ("sk_live_", "sk_test_", "whsec_", "BEGIN PRIVATE KEY", '"MasterUserPassword"'):
            assert sign not in text, stack
