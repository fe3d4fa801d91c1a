"""Templates for tests, and what becomes of what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from infra.difference.change import Change, What
from infra.difference.stacks import compare
from infra.template import SUFFIX, Template

QUEUE, TOPIC, BUCKET = "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::S3::Bucket"
DATABASE, SUBNETS = "AWS::RDS::DBInstance", "AWS::RDS::DBSubnetGroup"
TASK, SERVICE, FUNCTION = "AWS::ECS::TaskDefinition", "AWS::ECS::Service", "AWS::Lambda::Function"
CACHE, KAFKA, TABLE = "AWS::ElastiCache::ReplicationGroup", "AWS::MSK::Cluster", "AWS::DynamoDB::Table"

NO_VALUE = {"Ref": "AWS::NoValue"}


def stack(sections: dict[str, Any] | None = None, **resources: Any) -> Template:
    """A stack of `resources`, and of `sections` beside them."""
    return Template("orders", {"Resources": resources} | (sections or {}))


def of(resource_type: str, attributes: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    """A resource of a type, with `attributes` beside its properties."""
    return {"Type": resource_type, "Properties": properties} | (attributes or {})


def output(value: Any, export: str | None = None) -> dict[str, Any]:
    """Sections with one output."""
    return {"Outputs": {"Url": {"Value": value} | ({"Export": {"Name": export}} if export else {})}}


def only(old: Any, new: Any) -> Change:
    """The one change of a stack's only resource."""
    [change] = compare(stack(It=old), stack(It=new))
    return change


def becomes(resource_type: str, old: dict[str, Any], new: dict[str, Any]) -> What:
    """What becomes of a resource with the properties `old`."""
    return only(of(resource_type, **old), of(resource_type, **new)).what


def whats(changes: Iterable[Change]) -> dict[str, What]:
    """What becomes of each."""
    return {change.logical_id: change.what for change in changes}


def paths(change: Change) -> list[str]:
    """What of it changes, in turn."""
    return [each.path for each in change.properties]


def write(folder: Path, **templates: Template) -> Path:
    """Write templates by the names of their stacks, as `cdk synth` does; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in templates.items():
        (folder / f"{name}{SUFFIX}").write_text(json.dumps(made.body))
    return folder
