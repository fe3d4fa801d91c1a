"""The templates of an environment as one: what their values refer to, and what its services are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infra.template import Resource, Template


@dataclass(frozen=True)
class Place:
    """A resource, and the stack that it is in."""

    stack: str
    resource: Resource

    @property
    def properties(self) -> Mapping[str, Any]:
        """The resource's properties."""
        return self.resource.properties

    @property
    def type(self) -> str:
        """The resource's type."""
        return self.resource.type

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other."""
        return self.stack, self.resource.id


class UnknownExport(Exception):
    """A stack imports what none exports: they were not synthesised together."""


@dataclass(frozen=True)
class Deployment:
    """The stacks of `environment`, by their names without `mercato-ENVIRONMENT-`."""

    environment: str
    templates: Mapping[str, Template]

    def resources(self, *types: str) -> Iterator[Place]:
        """Every resource of the types, or every one, in the order of the stacks' names."""
        for stack, template in sorted(self.templates.items()):
            for resource in template.resources():
                if not types or resource.type in types:
                    yield Place(stack, resource)

    def in_stack(self, stack: str, *types: str) -> Iterator[Place]:
        """The same, of one stack."""
        return (place for place in self.resources(*types) if place.stack == stack)

    def referred(self, stack: str, value: object, *types: str) -> Iterator[Place]:
        """What `value` in the template of `stack` refers to, however deep; of `types` alone if any are given.

        Raises UnknownExport.
        """
        for home, logical_id in self._references(stack, value):
            resource = self._by_id.get((home, logical_id))
            # Parameters and what AWS knows by itself (AWS::Region) are no resources.
            if resource is not None and (not types or resource.type in types):
                yield Place(home, resource)

    def imports(self) -> set[tuple[str, str]]:
        """Pairs of stacks: the second cannot be deployed before the first, whose exports it imports."""
        return {
            (home, stack)
            for stack, template in self.templates.items()
            for home, _ in self._references(stack, template.body)
            if home != stack
        }

    def services(self) -> Iterator[Service]:
        """The services, in the order in which the load balancer asks them."""
        priorities = {
            rule.stack: rule.properties["Priority"]
            for rule in self.resources("AWS::ElasticLoadBalancingV2::ListenerRule")
        }
        places = sorted(self.resources("AWS::ECS::Service"), key=lambda place: priorities[place.stack])
        return (Service(self, place) for place in places)

    def named(self, text: str) -> str:
        """A resource's name without what all names of the environment begin with."""
        return text.removeprefix(f"mercato-{self.environment}-").removeprefix(f"mercato/{self.environment}/")

    @cached_property
    def _by_id(self) -> Mapping[tuple[str, str], Resource]:
        return {place.key: place.resource for place in self.resources()}

    @cached_property
    def _exports(self) -> Mapping[str, tuple[str, object]]:
        return {
            output["Export"]["Name"]: (stack, output["Value"])
            for stack, template in self.templates.items()
            for output in template.body.get("Outputs", {}).values()
            if "Export" in output
        }

    def _references(self, stack: str, value: object) -> Iterator[tuple[str, str]]:
        match value:
            case {"Ref": str(logical_id)} | {"Fn::GetAtt": [str(logical_id), *_]}:
                yield stack, logical_id
            case {"Fn::ImportValue": str(name)}:
                yield from self._references(*self._exported(name, stack))
            case dict():
                for each in value.values():
                    yield from self._references(stack, each)
            case list():
                for each in value:
                    yield from self._references(stack, each)

    def _exported(self, name: str, stack: str) -> tuple[str, object]:
        try:
            return self._exports[name]
        except KeyError:
            raise UnknownExport(f"{stack} imports {name}, and no stack exports that.") from None


@dataclass(frozen=True)
class Service:
    """A service of `deployment`, and what its tasks are given."""

    deployment: Deployment
    place: Place

    @property
    def name(self) -> str:
        """What it is called in the cluster."""
        return str(self.place.properties["ServiceName"])

    @property
    def stack(self) -> str:
        """The stack that it is in."""
        return self.place.stack

    @property
    def task(self) -> Mapping[str, Any]:
        """The properties of its task."""
        (task,) = self._referred(self.place.properties["TaskDefinition"], "AWS::ECS::TaskDefinition")
        return task.properties

    @property
    def bounds(self) -> tuple[int, int]:
        """Between how many tasks it is scaled."""
        (target,) = (
            target.properties
            for target in self.deployment.in_stack(self.stack, "AWS::ApplicationAutoScaling::ScalableTarget")
            if any(place.key == self.place.key for place in self._referred(target.properties["ResourceId"]))
        )
        return target["MinCapacity"], target["MaxCapacity"]

    def variables(self) -> Iterator[tuple[str, Any]]:
        """The environment of all its containers."""
        for container in self.task["ContainerDefinitions"]:
            for variable in container.get("Environment", []):
                yield variable["Name"], variable["Value"]

    def given(self, *types: str) -> Iterator[Place]:
        """What of the types its tasks know or may use: by their environment, their secrets and their role."""
        values = [value for _, value in self.variables()]
        secrets = [
            secret["ValueFrom"]
            for container in self.task["ContainerDefinitions"]
            for secret in container.get("Secrets", [])
        ]
        granted = [statement["Resource"] for statement in self._statements()]
        return self._referred([*values, *secrets, *granted], *types)

    def granted(self, action: str, type: str) -> Iterator[Place]:
        """What of `type` its tasks may do `action` on."""
        for statement in self._statements():
            actions = statement["Action"]
            if action in ([actions] if isinstance(actions, str) else actions):
                yield from self._referred(statement["Resource"], type)

    def _statements(self) -> Iterator[Mapping[str, Any]]:
        roles = {place.key for place in self._referred(self.task["TaskRoleArn"])}
        for policy in self.deployment.in_stack(self.stack, "AWS::IAM::Policy"):
            if roles & {place.key for place in self._referred(policy.properties["Roles"])}:
                yield from policy.properties["PolicyDocument"]["Statement"]

    def _referred(self, value: object, *types: str) -> Iterator[Place]:
        return self.deployment.referred(self.stack, value, *types)


def read(environment: str, templates: Mapping[str, Template]) -> Deployment:
    """The deployment that `templates` are of, by the full names of their stacks."""
    prefix = f"mercato-{environment}-"
    return Deployment(environment, {name.removeprefix(prefix): made for name, made in templates.items()})
