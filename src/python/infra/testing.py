"""Templates as tests read them: every reference is a name, and leads to the stack where the thing is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.template import Resource, Template

_HASH = re.compile(r"[0-9A-F]{8}$")


@dataclass(frozen=True)
class Deployment:
    """The stacks of an environment by their names without `mercato-ENVIRONMENT-`.

    What CloudFormation would put in later is a text: `${Vpc}` is a resource of the same stack, `${Vpc.Arn}`
    an attribute of it, `${shared:Vpc}` a resource of another, `${AWS::Region}` the region.
    """

    name: str
    stacks: Mapping[str, Template]

    def __getitem__(self, stack: str) -> Template:
        return self.stacks[stack]

    def resources(self, type: str | None = None) -> Iterator[tuple[str, Resource]]:
        """Every resource of every stack, or those of one type, with the stack's name."""
        for stack, template in self.stacks.items():
            for resource in template.resources(type):
                yield stack, resource


@dataclass(frozen=True)
class Right:
    """An action that a role may do, on one resource; `condition` is a right's that has one."""

    action: str
    resource: str
    condition: str = ""


def plain(name: str, templates: Mapping[str, Template]) -> Deployment:
    """The deployment of `templates`, which are as CDK wrote them, by their stacks' short names."""
    ids = {stack: _short(template) for stack, template in templates.items()}
    exports = {
        output["Export"]["Name"]: (stack, output["Value"])
        for stack, template in templates.items()
        for output in template.body.get("Outputs", {}).values()
        if "Export" in output
    }
    return Deployment(
        name,
        {
            stack: Template(template.stack, _Reader(stack, ids, exports).body(template))
            for stack, template in templates.items()
        },
    )


def _short(template: Template) -> dict[str, str]:
    """Each logical id of `template` without its hash, where that leaves it the only one of its name."""
    short: dict[str, str] = {}
    for logical_id in template.body["Resources"]:
        name = _HASH.sub("", logical_id)
        short[logical_id] = logical_id if name in short.values() else name
    return short


@dataclass(frozen=True)
class _Reader:
    """Reads what is in `stack`; `seen_from` is the stack that the text is for."""

    stack: str
    ids: Mapping[str, Mapping[str, str]]
    exports: Mapping[str, tuple[str, Any]]
    seen_from: str | None = None

    def body(self, template: Template) -> dict[str, Any]:
        names = self.ids[self.stack]
        resources = {
            names[logical_id]: self.read(resource) | _depends_on(resource, names)
            for logical_id, resource in template.body["Resources"].items()
        }
        rest: dict[str, Any] = self.read({**template.body, "Resources": {}})
        return rest | {"Resources": resources}

    def read(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.read(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            function = getattr(self, f"_{name.removeprefix('Fn::').lower()}", None)
            if function is not None and (name == "Ref" or name.startswith("Fn::")):
                return function(argument)
        return {key: self.read(item) for key, item in value.items()}

    def _ref(self, argument: str) -> str:
        return f"${{{self._named(argument)}}}"

    def _getatt(self, argument: list[str]) -> str:
        logical_id, attribute = argument
        return f"${{{self._named(logical_id)}.{attribute}}}"

    def _importvalue(self, argument: str) -> Any:
        stack, value = self.exports[argument]
        return _Reader(stack, self.ids, self.exports, seen_from=self.stack).read(value)

    def _join(self, argument: tuple[str, list[Any]]) -> str:
        separator, parts = argument
        return separator.join(str(self.read(part)) for part in parts)

    def _select(self, argument: tuple[int, Any]) -> str:
        index, values = argument
        return f"{self.read(values)}[{index}]"

    def _getazs(self, _: str) -> str:
        return "${zones}"

    def _sub(self, argument: str) -> str:
        return argument

    def _named(self, logical_id: str) -> str:
        if logical_id.startswith("AWS::"):
            return logical_id
        name = self.ids[self.stack].get(logical_id, logical_id)  # else a parameter's
        return name if self.seen_from in (None, self.stack) else f"{self.stack}:{name}"


def _depends_on(resource: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    found = resource.get("DependsOn", [])
    return {"DependsOn": [names[each] for each in ([found] if isinstance(found, str) else found)]}


def named(template: Template, logical_id: str) -> Resource:
    """The resource of `template` with that id. Raises KeyError."""
    return {resource.id: resource for resource in template.resources()}[logical_id]


def statements(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy document, with actions and resources as sorted lists even of one."""
    return [
        statement
        | {key: sorted(_listed(statement[key])) for key in ("Action", "Resource") if key in statement}
        for statement in policy["Statement"]
    ]


def rights(template: Template, role: str) -> set[Right]:
    """What the policies that are attached to the role with the id `role` allow it; none denies anything."""
    said = [
        statement
        for policy in template.resources("AWS::IAM::Policy")
        if f"${{{role}}}" in policy.properties["Roles"]
        for statement in statements(policy.properties["PolicyDocument"])
    ]
    assert {"Allow"} >= {statement["Effect"] for statement in said}
    return {
        Right(action, resource, _condition(statement))
        for statement in said
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def may(actions: str, *resources: str, condition: str = "") -> set[Right]:
    """The rights to do each of `actions`, named like `sqs:ReceiveMessage DeleteMessage`, on `resources`."""
    service, _, names = actions.partition(":")
    return {
        Right(f"{service}:{name}", resource, condition) for name in names.split() for resource in resources
    }


def _condition(statement: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {operator} {value}"
        for operator, condition in statement.get("Condition", {}).items()
        for key, value in condition.items()
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def ingress(deployment: Deployment, group: str) -> set[tuple[int, str]]:
    """Which TCP ports the security group `group` (`stack:Id`) opens to whom, whatever stack says so."""
    stack, _, logical_id = group.partition(":")
    found = [
        rule | {"Whom": rule["CidrIp"]}
        for rule in named(deployment[stack], logical_id).properties.get("SecurityGroupIngress", [])
    ]
    for elsewhere, resource in deployment.resources("AWS::EC2::SecurityGroupIngress"):
        rule = resource.properties
        if _qualified(rule["GroupId"], elsewhere) == f"${{{group}.GroupId}}":
            found.append({**rule, "Whom": _qualified(rule["SourceSecurityGroupId"], elsewhere)})
    for rule in found:
        assert ("tcp", rule["FromPort"]) == (rule["IpProtocol"], rule["ToPort"]), f"{group}: {rule}"
    return {(rule["FromPort"], rule["Whom"].removeprefix("${").removesuffix(".GroupId}")) for rule in found}


def _qualified(reference: str, stack: str) -> str:
    return reference if ":" in reference else reference.replace("${", f"${{{stack}:", 1)


def attributes(resource: Resource, key: str) -> dict[str, str]:
    """What a load balancer's resource says by pairs of Key and Value."""
    return {pair["Key"]: pair["Value"] for pair in resource.properties[key]}


def dimensions(metric: Mapping[str, Any]) -> dict[str, str]:
    """The dimensions of an alarm's metric."""
    return {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
