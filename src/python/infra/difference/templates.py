"""Two folders of templates, and what of a template is compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra import template
from infra.template import Resource, Template

# What a template has beside its resources, and what one of each is called.
SECTIONS = {
    "Conditions": "Condition",
    "Mappings": "Mapping",
    "Outputs": "Output",
    "Parameters": "Parameter",
    "Rules": "Rule",
    "Transform": "Transform",
}
_NOTHING = {"Ref": "AWS::NoValue"}
# What the CDK writes for itself.
_NOISE = ("aws:cdk:", "aws:asset:")
_CDK_CONDITION = "CDKMetadataAvailable"
_CDK_TYPE = "AWS::CDK::Metadata"


class DifferenceError(Exception):
    """Templates that cannot be compared: what is wrong, where, and what to do."""


def read(folder: Path) -> dict[str, Template]:
    """The templates below a folder, by the names of their stacks.

    Raises DifferenceError where the folder or a template cannot be read.
    """
    if not folder.is_dir():
        raise DifferenceError(f"there is no folder {folder}: name one that cdk synth wrote")
    paths = template.paths(folder)
    if not paths:
        raise DifferenceError(f"{folder} has no *{template.SUFFIX}: name a folder that cdk synth wrote")
    return {stack: Template(stack, _body(path)) for stack, path in paths.items()}


def _body(path: Path) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DifferenceError(f"{path} cannot be read ({error}): write it again with cdk synth") from error
    for fault in _faults(body):
        raise DifferenceError(f"{path} is no template, {fault}: write it again with cdk synth")
    return body


def _faults(body: Any) -> Iterator[str]:
    """What a template lacks of what is relied on here; the next makes sense where there was none before."""
    if not isinstance(body, dict) or body.keys().isdisjoint({"Resources", *SECTIONS}):
        yield "it has no Resources"
    for section in ("Resources", "Outputs", "Parameters", "Conditions", "Mappings"):
        found = body.get(section, {})
        if not isinstance(found, dict):
            yield f"its {section} are no object"
        for name, each in found.items():
            if not isinstance(each, dict):
                yield f"{name} of its {section} is no object"
    for name, each in body.get("Resources", {}).items():
        objects = [each.get(part, {}) for part in ("Properties", "Metadata")]
        if not isinstance(each.get("Type"), str) or not all(isinstance(part, dict) for part in objects):
            yield f"its resource {name} has no Type, or no object of Properties"


def entries(made: Template, section: str) -> dict[str, Any]:
    """What a section other than the resources holds, by name; what is no object has that of its section."""
    found = made.body.get(section, {})
    named = found if isinstance(found, dict) else {section: found}
    return {name: each for name, each in named.items() if name != _CDK_CONDITION}


def resources(made: Template) -> dict[str, Resource]:
    """Without what the CDK writes for itself, and said in one way where there are two."""
    return {each.id: _plain(each) for each in made.resources() if each.type != _CDK_TYPE}


def _plain(resource: Resource) -> Resource:
    attributes = _tidy(resource.attributes)
    properties = attributes.pop("Properties", {})
    depends_on = attributes.pop("DependsOn", [])
    metadata = attributes.pop("Metadata", {})
    attributes |= {
        "DependsOn": sorted([depends_on] if isinstance(depends_on, str) else depends_on, key=str),
        "Metadata": {key: each for key, each in metadata.items() if not key.startswith(_NOISE)},
    }
    return Resource(resource.id, resource.type, properties, attributes)


def _tidy(value: Any) -> Any:
    if isinstance(value, list):
        return [_tidy(each) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("Fn::GetAtt"), str):
        return {"Fn::GetAtt": value["Fn::GetAtt"].split(".", 1)}
    return {key: _tidy(each) for key, each in value.items() if each != _NOTHING}
