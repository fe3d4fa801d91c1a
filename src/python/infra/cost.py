"""What a deployment costs a month: counted in the templates, at the prices of the list.

Each type of resource is priced (PRICED), costs by its use (BY_USE), or is free (in the list); a test refuses
what is none of these.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from contracts.events.envelope import Event
from contracts.events.inventory import StockReserved
from contracts.events.notification import OrderConfirmedNotice
from contracts.events.order import OrderConfirmed, OrderCreated
from contracts.events.payment import PaymentAuthorized, PaymentCompleted
from contracts.topology import SUBSCRIPTIONS
from infra import prices
from infra.capacity import Tasks, tasks_at
from infra.deployment import Deployment, Place, Service
from infra.prices import Assumptions, PriceList

# An order that goes well, as docs/architecture.md draws it.
EVENTS: tuple[type[Event], ...] = (
    OrderCreated,
    StockReserved,
    PaymentAuthorized,
    OrderConfirmed,
    PaymentCompleted,
    OrderConfirmedNotice,
)
# How many messages they become: one for each subscription that lets them pass.
MESSAGES = sum(event in subscription.delivered for event in EVENTS for subscription in SUBSCRIPTIONS)

# Of the account, and not of an environment.
OF_THE_ACCOUNT = "mercato-ci"

_GB = 1e9
_MINUTE_S, _HOUR_S = 60, 3600
_QUEUE = "AWS::SQS::Queue"
_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"

# What rows of the table belong together, in its order.
NETWORK, TASKS, DATABASES, CACHE = "network", "tasks", "databases", "cache"
EVENTS_AND_MAILS, GATEWAY, WATCHING, OTHER = "events and mails", "gateway", "watching", "other"
GROUPS = (GATEWAY, NETWORK, TASKS, DATABASES, CACHE, EVENTS_AND_MAILS, WATCHING, OTHER)


@dataclass(frozen=True)
class Line:
    """So much of something that has a price, in a row of the table."""

    group: str
    row: str
    price: str
    quantity: float


@dataclass(frozen=True)
class Case:
    """A deployment that takes `orders_per_s`. At rest it takes none, with the tasks that it begins with."""

    deployment: Deployment
    orders_per_s: float
    assumed: Assumptions
    prices: PriceList

    @cached_property
    def tasks(self) -> Mapping[str, Tasks]:
        """How many tasks each service has."""
        return {service.name: tasks_at(service, self.orders_per_s) for service in self.deployment.services()}

    @property
    def hours(self) -> float:
        """Hours in a month."""
        return self.assumed["hours"]

    @property
    def orders(self) -> float:
        """Orders in a month."""
        return self.orders_per_s * self.hours * _HOUR_S

    @property
    def requests(self) -> float:
        """Requests at the gateway in a month."""
        return self.orders * (self.assumed["requests"] + self.assumed["webhooks"])

    @property
    def running(self) -> int:
        """Tasks of all services."""
        return sum(tasks.deployed for tasks in self.tasks.values())

    @property
    def task_minutes(self) -> float:
        """Minutes of all tasks in a month."""
        return self.running * self.hours * _MINUTE_S


def case(deployment: Deployment, orders_per_s: float = 0.0) -> Case:
    """`deployment` at a rate, by the price list and the assumptions of this folder."""
    return _case(deployment, orders_per_s, lambda stack: stack != OF_THE_ACCOUNT)


def account(deployment: Deployment) -> Case:
    """What all environments of an account have together."""
    return _case(deployment, 0.0, lambda stack: stack == OF_THE_ACCOUNT)


def _case(deployment: Deployment, orders_per_s: float, counts: Callable[[str], bool]) -> Case:
    templates = {stack: template for stack, template in deployment.templates.items() if counts(stack)}
    part = Deployment(deployment.environment, templates)
    return Case(part, orders_per_s, prices.assumptions(), prices.price_list())


def lines(case: Case) -> Iterator[Line]:
    """Everything that costs in `case`."""
    for place in case.deployment.resources():
        pricer = PRICED.get(place.type)
        if pricer is not None:
            yield from pricer(place, case)
    if any(case.deployment.services()):
        for use in USES:
            yield from use(case)


def costs(case: Case) -> dict[tuple[str, str], float]:
    """What each row costs a month, by its group and name."""
    quantities: Counter[tuple[str, str, str]] = Counter()
    for line in lines(case):
        quantities[line.group, line.row, line.price] += line.quantity  # type: ignore[assignment]
    found: Counter[tuple[str, str]] = Counter()
    for (group, row, name), quantity in quantities.items():
        found[group, row] += case.prices.of(name).cost(quantity)  # type: ignore[assignment]
    return dict(found)


def missing_tasks(case: Case) -> float:
    """What the tasks would cost that the rate asks for beyond what the service may be scaled to."""
    total = 0.0
    for service in case.deployment.services():
        tasks = case.tasks[service.name]
        for line in _fargate(service, max(0, tasks.needed - tasks.deployed), case):
            total += case.prices.of(line.price).cost(line.quantity)
    return total


# --- resources

Pricer = Callable[[Place, Case], Iterator[Line]]


def _nat(_: Place, case: Case) -> Iterator[Line]:
    yield Line(NETWORK, "NAT gateways, by the hour", "nat.hour", case.hours)


def _address(_: Place, case: Case) -> Iterator[Line]:
    yield Line(NETWORK, "public addresses", "ipv4.hour", case.hours)


def _balancer(place: Place, case: Case) -> Iterator[Line]:
    kind = place.properties["Type"]
    yield Line(NETWORK, "load balancers, by the hour", f"balancer.{kind}.hour", case.hours)
    if place.properties["Scheme"] == "internet-facing":
        zones = len(place.properties["Subnets"])
        yield Line(NETWORK, "public addresses", "ipv4.hour", zones * case.hours)
    # Bytes are what most is used of: connections are kept, and the first ten rules are free.
    gigabytes = case.requests * case.assumed["request_bytes"] / _GB
    yield Line(NETWORK, "load balancers, by use", f"balancer.{kind}.unit", gigabytes)


def _service(place: Place, case: Case) -> Iterator[Line]:
    service = Service(case.deployment, place)
    yield from _fargate(service, case.tasks[service.name].deployed, case)
    # What ECS publishes each minute is free.
    monitored = place.properties.get("MonitoringConfiguration", {}).get("MetricConfigurations", [])
    names = [name for each in monitored for name in each["MetricNames"]]
    yield Line(WATCHING, "metrics below a minute", "metric.fast", len(names))


def _fargate(service: Service, count: int, case: Case) -> Iterator[Line]:
    vcpus, gigabytes = int(service.task["Cpu"]) / 1024, int(service.task["Memory"]) / 1024
    yield Line(TASKS, "vCPUs of tasks", "fargate.vcpu", count * vcpus * case.hours)
    yield Line(TASKS, "memory of tasks", "fargate.gb", count * gigabytes * case.hours)


def _function(place: Place, case: Case) -> Iterator[Line]:
    """By its schedule, if it has one; the others run when something is deployed."""
    calls = 0.0
    for rule in case.deployment.in_stack(place.stack, "AWS::Events::Rule"):
        targets = case.deployment.referred(rule.stack, rule.properties["Targets"], place.type)
        if any(target.key == place.key for target in targets):
            minutes = float(rule.properties["ScheduleExpression"].removeprefix("rate(").split()[0])
            calls += case.hours * _MINUTE_S / minutes
    memory = place.properties["MemorySize"] / 1024
    yield Line(TASKS, "functions", "lambda.request", calls)
    yield Line(TASKS, "functions", "lambda.gb_s", calls * memory * case.assumed["function_s"])


def _instance(place: Place, case: Case) -> Iterator[Line]:
    properties = place.properties
    samples = case.hours * _HOUR_S / properties["MonitoringInterval"]
    gigabytes = samples * case.assumed["monitoring_bytes"] / _GB
    yield Line(DATABASES, "enhanced monitoring", "logs.gb", gigabytes)
    if "DBClusterIdentifier" in properties:
        yield Line(DATABASES, "Aurora's capacity", "aurora.acu", _acus(place, case) * case.hours)
        return
    zones = "multi" if properties["MultiAZ"] else "single"
    name = properties["DBInstanceClass"]
    yield Line(DATABASES, "RDS instances", f"rds.{name}.{zones}", case.hours)
    # With orders it grows until it may not any more.
    size = float(properties["MaxAllocatedStorage" if case.orders else "AllocatedStorage"])
    yield Line(DATABASES, "RDS storage", f"rds.{properties['StorageType']}.{zones}", size)
    kind = case.prices.database_class(name)
    above = min(_vcpus(place, case), kind.vcpus) - kind.vcpus * kind.baseline
    yield Line(DATABASES, "RDS above the baseline", "rds.credit", max(0.0, above) * case.hours)
    yield from _managed_password(place)


def _cluster(place: Place, case: Case) -> Iterator[Line]:
    kept = case.orders * case.assumed.of(place.stack).bytes / _GB
    yield Line(DATABASES, "Aurora's storage, with a month's orders", "aurora.gb", kept)
    yield Line(DATABASES, "Aurora's reads and writes", "aurora.io", case.orders * case.assumed["aurora_ios"])
    yield from _managed_password(place)


def _managed_password(place: Place) -> Iterator[Line]:
    if place.properties.get("ManageMasterUserPassword"):
        yield Line(OTHER, "secrets", "secret", 1)


def _vcpus(place: Place, case: Case) -> float:
    """What the orders need of the database of a stack, which has the name of its service."""
    return case.orders_per_s * case.assumed.of(place.stack).database_ms / 1000


def _acus(place: Place, case: Case) -> float:
    (cluster,) = case.deployment.in_stack(place.stack, "AWS::RDS::DBCluster")
    size = cluster.properties["ServerlessV2ScalingConfiguration"]
    needed = _vcpus(place, case) / case.assumed["acu_vcpus"]
    return float(min(max(needed, size["MinCapacity"]), size["MaxCapacity"]))


def _cache(place: Place, case: Case) -> Iterator[Line]:
    properties = place.properties
    name = f"cache.{properties['CacheNodeType']}.{properties['Engine']}"
    yield Line(CACHE, "cache", name, properties["NumCacheClusters"] * case.hours)


def _key(_: Place, __: Case) -> Iterator[Line]:
    yield Line(OTHER, "keys, and calls of KMS", "kms.key", 1)


def _secret(_: Place, __: Case) -> Iterator[Line]:
    yield Line(OTHER, "secrets", "secret", 1)


def _zone(_: Place, __: Case) -> Iterator[Line]:
    yield Line(OTHER, "names", "dns.zone", 1)


def _registry(place: Place, case: Case) -> Iterator[Line]:
    """As many images as it keeps, which it reaches after so many releases."""
    policy = place.properties["LifecyclePolicy"]["LifecyclePolicyText"]
    selections = [rule["selection"] for rule in json.loads(policy)["rules"]]
    most = max(each["countNumber"] for each in selections if each["countType"] == "imageCountMoreThan")
    yield Line(OTHER, "images of services", "ecr.gb", most * case.assumed["image_gb"])


def _firewall(place: Place, case: Case) -> Iterator[Line]:
    yield Line(GATEWAY, "firewall", "firewall.list", 1)
    yield Line(GATEWAY, "firewall", "firewall.rule", len(place.properties["Rules"]))
    yield Line(GATEWAY, "firewall", "firewall.request", case.requests)


def _alarm(place: Place, _: Case) -> Iterator[Line]:
    """By the metrics that it looks at; an expression over them is none."""
    metrics = [each for each in place.properties.get("Metrics", []) if "MetricStat" in each]
    fast = place.properties.get("Period", _MINUTE_S) < _MINUTE_S
    yield Line(WATCHING, "alarms", "alarm.fast" if fast else "alarm.metric", len(metrics) or 1)


def _scaling(place: Place, _: Case) -> Iterator[Line]:
    """Tracking a target makes two alarms of its own: one above, one below."""
    tracked = place.properties.get("TargetTrackingScalingPolicyConfiguration")
    if tracked is not None:
        metric = tracked.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "")
        fast = metric.endswith("HighResolution")
        yield Line(WATCHING, "alarms", "alarm.fast" if fast else "alarm.metric", 2)


def _composite(_: Place, __: Case) -> Iterator[Line]:
    yield Line(WATCHING, "alarms", "alarm.composite", 1)


def _dashboard(_: Place, __: Case) -> Iterator[Line]:
    yield Line(WATCHING, "dashboard", "dashboard", 1)


def _insights(place: Place, case: Case) -> Iterator[Line]:
    settings = {each["Name"]: each["Value"] for each in place.properties.get("ClusterSettings", [])}
    if settings.get("containerInsights") == "enhanced":
        count = case.assumed["insights_cluster"] + case.running * case.assumed["insights_task"]
        yield Line(WATCHING, "Container Insights", "insights.metric", count)


def _stage(place: Place, case: Case) -> Iterator[Line]:
    if any(setting["MetricsEnabled"] for setting in place.properties["MethodSettings"]):
        methods = sum(1 for _ in case.deployment.in_stack(place.stack, "AWS::ApiGateway::Method"))
        yield Line(WATCHING, "metrics of our own", "metric", methods * case.assumed["api_metrics"])


def _flow_log(_: Place, case: Case) -> Iterator[Line]:
    tens = case.task_minutes / 10
    yield from _log("network's log", tens * case.assumed["flow_log_bytes"], case)


def _log(row: str, size: float, case: Case) -> Iterator[Line]:
    """Taken in, and kept for a month, as all log groups keep theirs."""
    yield Line(WATCHING, row, "logs.gb", size / _GB)
    yield Line(WATCHING, row, "logs.kept", size * case.assumed["log_compression"] / _GB)


PRICED: Mapping[str, Pricer] = {
    "AWS::ApiGateway::Stage": _stage,
    "AWS::ApplicationAutoScaling::ScalingPolicy": _scaling,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _composite,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::EC2::EIP": _address,
    "AWS::EC2::FlowLog": _flow_log,
    "AWS::EC2::NatGateway": _nat,
    "AWS::ECR::Repository": _registry,
    "AWS::ECS::Cluster": _insights,
    "AWS::ECS::Service": _service,
    "AWS::ElastiCache::ReplicationGroup": _cache,
    _BALANCER: _balancer,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::Function": _function,
    "AWS::RDS::DBCluster": _cluster,
    "AWS::RDS::DBInstance": _instance,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::ServiceDiscovery::PrivateDnsNamespace": _zone,
    "AWS::WAFv2::WebACL": _firewall,
}

# --- uses


def _through_nat(case: Case) -> Iterator[Line]:
    """Whatever goes to AWS or to the payment provider, but for S3, which has a way of its own."""
    size = (
        case.orders * (case.assumed["aws_bytes"] + case.assumed["provider_bytes"])
        + _traces(case) * case.assumed["trace_bytes"]
        + _service_log_bytes(case)
    )
    yield Line(NETWORK, "NAT gateways, by use", "nat.gb", size / _GB)


def _between_zones(case: Case) -> Iterator[Line]:
    size = case.orders * (case.assumed["sql_bytes"] + case.assumed["mesh_bytes"]) * 2 / 3
    # Charged where it leaves and where it arrives.
    yield Line(NETWORK, "between zones", "zones.gb", 2 * size / _GB)


def _to_the_internet(case: Case) -> Iterator[Line]:
    answers = case.requests * case.assumed["request_bytes"] / 2
    size = answers + case.orders * case.assumed["provider_bytes"] / 2
    yield Line(NETWORK, "to the internet", "internet.gb", size / _GB)


def _publishing(case: Case) -> Iterator[Line]:
    calls = case.orders * len(EVENTS) * case.assumed["publish_calls"]
    yield Line(EVENTS_AND_MAILS, "topics (SNS)", "sns.request", calls)


def _receiving(case: Case) -> Iterator[Line]:
    """Receiving and deleting; where nothing comes, a task asks as often as the queue lets it wait."""
    calls = case.orders * MESSAGES * case.assumed["receive_calls"] * 2
    for service in case.deployment.services():
        for queue in service.granted("sqs:ReceiveMessage", _QUEUE):
            waits = case.hours * _HOUR_S / queue.properties["ReceiveMessageWaitTimeSeconds"]
            calls += waits * case.tasks[service.name].deployed if case.orders == 0 else 0
    yield Line(EVENTS_AND_MAILS, "queues (SQS)", "sqs.request", calls)


def _data_keys(case: Case) -> Iterator[Line]:
    """AWS' own formula, for topics and for queues: by who publishes and who receives, not by how much.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#sse-estimate-kms-usage-costs
    """
    calls = 0.0
    month_s = case.hours * _HOUR_S
    for service in case.deployment.services():
        calls += sum(month_s / 300 * 2 for _ in service.granted("sns:Publish", "AWS::SNS::Topic"))
        for queue in service.granted("sqs:ReceiveMessage", _QUEUE):
            calls += month_s / queue.properties["KmsDataKeyReusePeriodSeconds"] * (2 * 1 + 1)
    yield Line(OTHER, "keys, and calls of KMS", "kms.request", calls)


def _mails(case: Case) -> Iterator[Line]:
    yield Line(EVENTS_AND_MAILS, "mails (SES)", "ses.mail", case.orders * case.assumed["mails"])


def _api(case: Case) -> Iterator[Line]:
    yield Line(GATEWAY, "requests", "api.request", case.requests)


def _service_log_bytes(case: Case) -> float:
    return case.orders * case.assumed["log_bytes"] + case.task_minutes * case.assumed["metric_log_bytes"]


def _logs(case: Case) -> Iterator[Line]:
    yield from _log("services' logs", _service_log_bytes(case), case)
    yield from _log("gateway's log", case.requests * case.assumed["access_log_bytes"], case)


def _metrics(case: Case) -> Iterator[Line]:
    yield Line(WATCHING, "metrics of our own", "metric", case.running * case.assumed["series"])


def _recorded(case: Case) -> Iterator[Line]:
    yield Line(WATCHING, "traces (X-Ray)", "trace", _traces(case))


def _traces(case: Case) -> float:
    """What the services record: of orders, of health checks, and of looking for work."""
    total = 0.0
    for service in case.deployment.services():
        minutes = case.tasks[service.name].deployed * case.hours * _MINUTE_S
        idle = case.assumed["idle_traces"] + _checks_a_minute(service)
        idle += case.assumed["deadline_traces"] if service.name == "order" else 0
        total += kept(service) * minutes * idle
    shares = [kept(service) for service in case.deployment.services()]
    return total + case.orders * case.assumed["traces"] * max(shares)


def _checks_a_minute(service: Service) -> float:
    """Each of the load balancer's zones asks for itself."""
    place = service.place
    (targets,) = service.deployment.referred(
        place.stack, place.properties["LoadBalancers"], "AWS::ElasticLoadBalancingV2::TargetGroup"
    )
    zones = len(place.properties["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"])
    return float(zones * _MINUTE_S / targets.properties["HealthCheckIntervalSeconds"])


def kept(service: Service) -> float:
    """The share of its traces that a service records: all, unless its environment says less.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    variables = dict(service.variables())
    sampler = variables.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").removeprefix("parentbased_")
    match sampler:
        case "always_on":
            return 1.0
        case "always_off":
            return 0.0
        case "traceidratio":
            return float(variables.get("OTEL_TRACES_SAMPLER_ARG", 1))
        case _:
            raise prices.PriceMissing(f"what the sampler {sampler} of {service.name} keeps is not known.")


def _stored(case: Case) -> Iterator[Line]:
    """The load balancer's log, for as long as the bucket keeps it."""
    size = case.requests * case.assumed["balancer_log_bytes"] / _GB
    days = max(
        rule.get("ExpirationInDays", 0)
        for bucket in case.deployment.resources("AWS::S3::Bucket")
        for rule in bucket.properties["LifecycleConfiguration"]["Rules"]
    )
    yield Line(OTHER, "buckets", "s3.gb", size * days / (case.hours / 24))


USES = (
    _through_nat,
    _between_zones,
    _to_the_internet,
    _publishing,
    _receiving,
    _mails,
    _api,
    _logs,
    _metrics,
    _recorded,
    _data_keys,
    _stored,
)

# Types that cost by what passes through them, and the row that has it.
BY_USE: Mapping[str, str] = {
    "AWS::ApiGateway::RestApi": "requests",
    "AWS::Logs::LogGroup": "services' logs",
    "AWS::S3::Bucket": "buckets",
    "AWS::SES::EmailIdentity": "mails (SES)",
    "AWS::SNS::Topic": "topics (SNS)",
    _QUEUE: "queues (SQS)",
}
