"""The architecture as Mermaid flowcharts, drawn from the templates: what they do not say is not in it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.deployment import Deployment, Place, Service

_SERVICE = "AWS::ECS::Service"
_TOPIC = "AWS::SNS::Topic"
_QUEUE = "AWS::SQS::Queue"
_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_TARGETS = "AWS::ElasticLoadBalancingV2::TargetGroup"
_INSTANCE, _CLUSTER = "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"
_CACHE = "AWS::ElastiCache::ReplicationGroup"
_BUCKET = "AWS::S3::Bucket"
_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - a type
_SENDER = "AWS::SES::EmailIdentity"
_API = "AWS::ApiGateway::RestApi"
_ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
_FUNCTION = "AWS::Lambda::Function"

# How each kind of thing is drawn, as the README's picture does.
_SHAPES = {
    _TOPIC: "{{{{{}}}}}",
    _QUEUE: "[/{}/]",
    _INSTANCE: "[({})]",
    _CLUSTER: "[({})]",
    _CACHE: "[({})]",
    _BUCKET: "[({})]",
    _SECRET: "[[{}]]",
}
# What a stack is named for in the picture of all stacks: what one of it is called, and several.
_NOTABLE = {
    "AWS::EC2::VPC": ("network", "networks"),
    _BALANCER: ("load balancer", "load balancers"),
    "AWS::ECS::Cluster": ("cluster", "clusters"),
    "AWS::ECR::Repository": ("registry", "registries"),
    "AWS::IAM::OIDCProvider": ("pipeline's role", "pipelines' roles"),
    _TOPIC: ("topic", "topics"),
    _CACHE: ("cache", "caches"),
    _API: ("API", "APIs"),
    "AWS::WAFv2::WebACL": ("firewall", "firewalls"),
    _CLUSTER: ("database", "databases"),
    _BUCKET: ("bucket", "buckets"),
    _SECRET: ("secret", "secrets"),
    "Custom::Migration": ("migration", "migrations"),
    _SERVICE: ("service", "services"),
    "AWS::CloudWatch::Dashboard": ("dashboard", "dashboards"),
    "AWS::FIS::ExperimentTemplate": ("experiment", "experiments"),
}


@dataclass
class Chart:
    """A flowchart that is being drawn: nodes in groups, one for each stack, and arrows between them."""

    direction: str
    groups: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    arrows: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def node(self, group: str, id: str, shape: str, *lines: str) -> str:
        """Draw a node, once; returns its id. Outside any group if `group` is empty."""
        text = "<br/>".join(lines)
        self.groups[group].setdefault(id, id + shape.format(f'"{text}"'))
        return id

    def arrow(self, source: str, target: str, label: str = "", line: str = "-->") -> None:
        """Draw an arrow; several between the same two are one, with all their labels."""
        labels = self.arrows[source, target, line]
        if label and label not in labels:
            labels.append(label)

    def text(self) -> str:
        """The chart in Mermaid."""
        return "\n".join([f"flowchart {self.direction}", *self._groups(), *self._arrows()])

    def _groups(self) -> Iterator[str]:
        for group, nodes in self.groups.items():
            indent = "        " if group else "    "
            if group:
                yield f'    subgraph {_group_id(group)}["{group.partition(":")[0]}"]'
                # What has no arrows between it stands in a column: a row would be too wide to be read.
                yield "        direction LR"
            yield from (f"{indent}{node}" for node in nodes.values())
            if group:
                yield "    end"

    def _arrows(self) -> Iterator[str]:
        for (source, target, line), labels in self.arrows.items():
            text = "<br/>".join(labels)
            label = f'|"{text}"|' if text else ""
            yield f"    {source} {line}{label} {target}"


def requests(deployment: Deployment) -> str:
    """How a customer's request reaches a service, and what the service then asks."""
    chart = Chart("LR")
    client = chart.node("", "client", "([{}])", "client")
    (api,) = deployment.resources(_API)
    chart.arrow(client, _gateway(chart, deployment, api))
    for balancer in deployment.resources(_BALANCER):
        _balancer(chart, deployment, balancer)
        if balancer.properties["Scheme"] == "internet-facing":
            chart.arrow(client, _node_id(balancer))
    _link(chart, deployment, api)
    for service in deployment.services():
        _service(chart, service)
        _routes(chart, service)
        _stores(chart, service)
    _calls(chart, deployment)
    return chart.text()


def events(deployment: Deployment) -> str:
    """Who publishes what, which of it reaches which queue, and who reads that."""
    chart = Chart("LR")
    services = sorted(deployment.services(), key=lambda service: service.name)
    for service in services:
        for topic in service.granted("sns:Publish", _TOPIC):
            publisher = chart.node(
                "services that publish", _id("publish", service.name), "[{}]", service.name
            )
            chart.arrow(publisher, _topic(chart, deployment, topic), line="==>")
    for subscription in deployment.resources("AWS::SNS::Subscription"):
        _subscription(chart, deployment, subscription)
    for service in services:
        for queue in service.granted("sqs:ReceiveMessage", _QUEUE):
            reader = chart.node("services that listen", _id("listen", service.name), "[{}]", service.name)
            chart.arrow(_queue(chart, deployment, queue), reader, line="==>")
    return chart.text()


def watching(deployment: Deployment) -> str:
    """What alarms there are, and who hears of them."""
    chart = Chart("LR")
    for stack, telling in sorted(_telling(deployment).items()):
        for topic, count in telling:
            noun = "alarm" if count == 1 else "alarms"
            alarms = chart.node("alarms", _id("alarms", stack), "[{}]", f"{stack}: {count} {noun}")
            chart.arrow(alarms, _topic(chart, deployment, topic))
    for function in deployment.resources(_FUNCTION):
        _watcher(chart, deployment, function)
    for subscription in deployment.resources("AWS::SNS::Subscription"):
        if subscription.properties["Protocol"] == "email":
            mail = chart.node("", "mail", "([{}])", "who is on duty")
            for topic in deployment.referred(subscription.stack, subscription.properties["TopicArn"], _TOPIC):
                chart.arrow(_topic(chart, deployment, topic), mail, "e-mail")
    _experiments(chart, deployment)
    return chart.text()


def stacks(deployment: Deployment) -> str:
    """Which stack is deployed before which: an arrow leads from what is needed to who needs it."""
    chart = Chart("LR")
    pairs = _reduced(deployment.imports() | set(_images(deployment)))
    groups = {stack: _beside(deployment, pairs, stack) for stack in deployment.templates}
    for stack, group in groups.items():
        chart.node(group, _id(stack), "[{}]", f"<b>{stack}</b>", *_contents(deployment, stack))
    for before, after in sorted(pairs):
        chart.arrow(*(_group_id(groups[stack]) if groups[stack] else _id(stack) for stack in (before, after)))
    return chart.text()


# --- requests


def _gateway(chart: Chart, deployment: Deployment, api: Place) -> str:
    (stage,) = deployment.resources("AWS::ApiGateway::Stage")
    lines = ["API Gateway", f"stage {stage.properties['StageName']}"]
    if any(deployment.resources("AWS::WAFv2::WebACLAssociation")):
        lines.append("behind a firewall")
    return chart.node(api.stack, _node_id(api), "[{}]", *lines)


def _balancer(chart: Chart, deployment: Deployment, balancer: Place) -> None:
    kind, scheme = balancer.properties["Type"], balancer.properties["Scheme"]
    chart.node(balancer.stack, _node_id(balancer), "[{}]", f"{kind} load balancer", scheme.replace("-", " "))
    for listener in deployment.in_stack(balancer.stack, "AWS::ElasticLoadBalancingV2::Listener"):
        if balancer in _balancers(deployment, listener):
            for target in _targets(deployment, listener, listener.properties["DefaultActions"]):
                for behind in deployment.referred(
                    target.stack, target.properties.get("Targets", []), _BALANCER
                ):
                    chart.arrow(_node_id(balancer), _node_id(behind))


def _balancers(deployment: Deployment, listener: Place) -> list[Place]:
    return list(deployment.referred(listener.stack, listener.properties["LoadBalancerArn"], _BALANCER))


def _targets(deployment: Deployment, place: Place, actions: object) -> Iterator[Place]:
    return deployment.referred(place.stack, actions, _TARGETS)


def _link(chart: Chart, deployment: Deployment, api: Place) -> None:
    for link in deployment.resources("AWS::ApiGateway::VpcLink"):
        for balancer in deployment.referred(link.stack, link.properties["TargetArns"], _BALANCER):
            chart.arrow(_node_id(api), _node_id(balancer), "VPC link")


def _service(chart: Chart, service: Service) -> None:
    (least, most), task = service.bounds, service.task
    chart.node(
        service.stack,
        _node_id(service.place),
        "[{}]",
        f"<b>{service.name}</b>",
        f"{least} to {most} tasks",
        f"{int(task['Cpu']) / 1024:g} vCPU, {int(task['Memory']) / 1024:g} GiB",
    )


def _routes(chart: Chart, service: Service) -> None:
    deployment, place = service.deployment, service.place
    own = {each.key for each in _targets(deployment, place, place.properties["LoadBalancers"])}
    for rule in deployment.in_stack(service.stack, "AWS::ElasticLoadBalancingV2::ListenerRule"):
        if own.isdisjoint(each.key for each in _targets(deployment, rule, rule.properties["Actions"])):
            continue
        listeners = deployment.referred(rule.stack, rule.properties["ListenerArn"])
        for balancer in (each for listener in listeners for each in _balancers(deployment, listener)):
            chart.arrow(_node_id(balancer), _node_id(place), _path(rule))


def _path(rule: Place) -> str:
    """What of the API a rule takes, in short: `/api/orders` and `/api/orders/*` are one."""
    values = rule.properties["Conditions"][0]["PathPatternConfig"]["Values"]
    return ", ".join(value for value in values if f"{value}/*" not in values)


def _calls(chart: Chart, deployment: Deployment) -> None:
    """Calls between services. Whom all others ask, as for the keys of tokens, has one arrow for all."""
    services = list(deployment.services())
    for variable, pairs in _called(services).items():
        callee = pairs[0][1].place
        if len(pairs) == len(services) - 1 and all(other.place == callee for _, other in pairs):
            everybody = chart.node(callee.stack, _id(variable), "([{}])", "every other service")
            chart.arrow(everybody, _node_id(callee), variable.removesuffix("_URL").lower(), line="-.->")
            continue
        for caller, other in pairs:
            chart.arrow(_node_id(caller.place), _node_id(other.place), "calls", line="-.->")


def _called(services: list[Service]) -> dict[str, list[tuple[Service, Service]]]:
    """By the variable that names the callee's name in the mesh: who calls whom."""
    hosts = {
        alias["DnsName"]: service
        for service in services
        for each in service.place.properties["ServiceConnectConfiguration"]["Services"]
        for alias in each["ClientAliases"]
    }
    found: dict[str, list[tuple[Service, Service]]] = defaultdict(list)
    for service in services:
        for variable, value in service.variables():
            host = re.match(r"https?://([^:/]+)", value) if isinstance(value, str) else None
            if host and host[1] in hosts:
                found[variable].append((service, hosts[host[1]]))
    return found


def _stores(chart: Chart, service: Service) -> None:
    """What it keeps things in, and the secrets that it is given."""
    for store in service.given(_INSTANCE, _CLUSTER, _CACHE, _BUCKET, _SENDER, _SECRET):
        chart.arrow(_node_id(service.place), _store(chart, service, store))


def _store(chart: Chart, service: Service, store: Place) -> str:
    """Drawn in the stack of the service that has it; it says if it is of another."""
    deployment, properties = service.deployment, store.properties
    match store.type:
        case "AWS::RDS::DBInstance":
            zones = ", two zones" if properties["MultiAZ"] else ""
            lines = [f"PostgreSQL{zones}", properties["DBInstanceClass"]]
        case "AWS::RDS::DBCluster":
            size = properties["ServerlessV2ScalingConfiguration"]
            readers = sum(1 for _ in deployment.in_stack(store.stack, _INSTANCE)) - 1
            lines = [
                "Aurora PostgreSQL" + (", with a reader" if readers else ""),
                f"{size['MinCapacity']:g} to {size['MaxCapacity']:g} ACU",
            ]
        case "AWS::ElastiCache::ReplicationGroup":
            lines = [f"cache: {properties['Engine'].title()}", f"{properties['NumCacheClusters']} nodes"]
        case "AWS::SES::EmailIdentity":
            lines = ["mails: SES"]
        case "AWS::SecretsManager::Secret":
            lines = [f"secret: {deployment.named(properties.get('Name') or _words(store.resource.id))}"]
        case _:
            lines = [f"{_words(store.resource.id)}: S3"]
    if store.stack != service.stack:
        lines.append(f"(of {store.stack})")
    return chart.node(service.stack, _node_id(store), _SHAPES.get(store.type, "[{}]"), *lines)


# --- events


def _topic(chart: Chart, deployment: Deployment, topic: Place) -> str:
    name = deployment.named(topic.properties["TopicName"])
    return chart.node("topics", _node_id(topic), _SHAPES[_TOPIC], name)


def _queue(chart: Chart, deployment: Deployment, queue: Place) -> str:
    lines = [deployment.named(queue.properties["QueueName"])]
    redrive = queue.properties.get("RedrivePolicy")
    if redrive:
        lines.append(f"dead letters after {redrive['maxReceiveCount']} tries")
    return chart.node("queues", _node_id(queue), _SHAPES[_QUEUE], *lines)


def _subscription(chart: Chart, deployment: Deployment, subscription: Place) -> None:
    properties = subscription.properties
    topics = deployment.referred(subscription.stack, properties["TopicArn"], _TOPIC)
    queues = list(deployment.referred(subscription.stack, properties.get("Endpoint"), _QUEUE))
    for topic in topics:
        for queue in queues:
            chart.arrow(
                _topic(chart, deployment, topic),
                _queue(chart, deployment, queue),
                _filter(properties.get("FilterPolicy", {})),
            )


def _filter(policy: dict[str, list[str]]) -> str:
    """The types that pass, without the word that all of them begin with; `all` where nothing is filtered."""
    types = [each for values in policy.values() for each in values]
    if not types:
        return "all"
    first = {each.split("_")[0] for each in types}
    shown = [each.partition("_")[2] for each in types] if len(first) == 1 else types
    return ",<br/>".join(shown)


# --- watching


def _telling(deployment: Deployment) -> dict[str, list[tuple[Place, int]]]:
    """For each stack, how many alarms tell which topic. Those that only make up others tell none."""
    found: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    places: dict[tuple[str, str], Place] = {}
    for alarm in deployment.resources(*_ALARMS):
        for topic in deployment.referred(alarm.stack, alarm.properties.get("AlarmActions", []), _TOPIC):
            places[topic.key] = topic
            found[alarm.stack][topic.key] += 1
    return {stack: [(places[key], count) for key, count in counts.items()] for stack, counts in found.items()}


def _watcher(chart: Chart, deployment: Deployment, function: Place) -> None:
    """A function that publishes alerts of its own, and how often it looks at what."""
    values = function.properties.get("Environment", {}).get("Variables", {})
    topics = list(deployment.referred(function.stack, values, _TOPIC))
    if not topics:
        return
    schedules = [
        rule.properties["ScheduleExpression"]
        for rule in deployment.resources("AWS::Events::Rule")
        if function in deployment.referred(rule.stack, rule.properties["Targets"], _FUNCTION)
    ]
    node = chart.node("function", _node_id(function), "[{}]", "monitoring function", *schedules)
    for topic in topics:
        chart.arrow(node, _topic(chart, deployment, topic))
    for balancer in deployment.referred(function.stack, values, _BALANCER):
        kind = balancer.properties["Type"]
        watched = chart.node("", _node_id(balancer), "[{}]", f"{kind} load balancer")
        chart.arrow(watched, node, "5XX", line="-.->")


def _experiments(chart: Chart, deployment: Deployment) -> None:
    experiments = list(deployment.resources("AWS::FIS::ExperimentTemplate"))
    for experiment in experiments:
        for alarm in deployment.referred(experiment.stack, experiment.properties["StopConditions"], *_ALARMS):
            node = chart.node(
                "", _id("experiments", experiment.stack), "[{}]", f"{len(experiments)} experiments"
            )
            chart.arrow(_id("alarms", alarm.stack), node, "stops", line="-.->")


# --- stacks


def _contents(deployment: Deployment, stack: str) -> Iterator[str]:
    counts = Counter(place.type for place in deployment.in_stack(stack))
    # An instance of a cluster is no database of its own.
    counts[_CLUSTER] += sum(
        1 for place in deployment.in_stack(stack, _INSTANCE) if "DBClusterIdentifier" not in place.properties
    )
    # Each queue has one for its dead letters, and so has each subscription.
    queues = sum(1 for place in deployment.in_stack(stack, _QUEUE) if "RedrivePolicy" in place.properties)
    found = [
        one if counts[kind] == 1 else f"{counts[kind]} {several}"
        for kind, (one, several) in _NOTABLE.items()
        if counts[kind]
    ]
    found += [f"{queues} queues"] if queues else []
    for start in range(0, len(found), 2):
        yield ", ".join(found[start : start + 2])


def _beside(deployment: Deployment, pairs: set[tuple[str, str]], stack: str) -> str:
    """The group of those that need the same as `stack` and are needed by the same; empty if it is alone."""

    def around(name: str) -> tuple[set[str], set[str]]:
        return {a for a, b in pairs if b == name}, {b for a, b in pairs if a == name}

    like = [other for other in deployment.templates if around(other) == around(stack)]
    return f"side by side, each alone: {' '.join(like)}" if len(like) > 1 else ""


def _images(deployment: Deployment) -> Iterator[tuple[str, str]]:
    """A service's image is in a registry, which the task names and does not import."""
    registries = {
        place.properties["RepositoryName"]: place.stack
        for place in deployment.resources("AWS::ECR::Repository")
    }
    for task in deployment.resources("AWS::ECS::TaskDefinition"):
        text = str(task.properties["ContainerDefinitions"])
        for name, home in registries.items():
            if f"/{name}:" in text or f"/{name}@" in text:
                yield home, task.stack


def _reduced(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """`pairs` without those that follow from others."""

    def reaches(start: str, end: str) -> bool:
        return any(a == start and (b == end or reaches(b, end)) for a, b in pairs)

    return {
        (start, end)
        for start, end in pairs
        if not any(a == start and b != end and reaches(b, end) for a, b in pairs)
    }


# --- names


def _node_id(place: Place) -> str:
    # Without the hash, which says nothing to a reader and may change.
    return _id(place.stack, _words(place.resource.id))


def _group_id(group: str) -> str:
    return _id("group", group)


def _id(*parts: str) -> str:
    return re.sub(r"\W", "_", "_".join(parts))


def _words(logical_id: str) -> str:
    """`CacheTokenE16C3152` as people say it: cache token. CDK ends an id in eight digits of a hash."""
    name = re.sub(r"[0-9A-F]{8}$", "", logical_id)
    return " ".join(word.lower() for word in re.findall(r"[A-Z][a-z]*", name))
