"""From an environment to CloudFormation templates, judged by CDK, cdk-nag and cfn-lint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra import template
from infra.environment import Environment

if TYPE_CHECKING:
    import aws_cdk

Build = Callable[["aws_cdk.App", Environment], None]

# cfn-lint's findings that are left, each with its reason.
LINT_IGNORED = {
    "W3005": "CDK has a function depend on its role and the role's policy: on the role it does already",
    "I1022": "CDK joins where a person would substitute",
    "E3615": "it does not know periods of 20 s, which PutMetricAlarm takes since ECS has metrics of them",
}

# Of the flags that CDK 2.275 recommends, those that are on; `cdk.json` has the same. Left off, of those that
# would change a template:
#   minimizePolicies: a statement for each thing says what it is for
#   restrictSqsDescryption: the broker's key and its topics would wait for each other
#   restrictDefaultSecurityGroup: a function with rights of its own, to empty a group that nothing is in
#   disableExplicitDeploymentControllerForCircuitBreaker: the same, left unsaid
#   logGroupDestinationArnWithoutWildcard: the same, said otherwise
#   annotationsInValidationReport: a warning that is meant would be an error
FLAGS: Mapping[str, bool | str] = {
    "@aws-cdk/aws-ecs:removeDefaultDeploymentAlarm": True,
    # Not weak, as is recommended: what a service stands on could be taken from under it.
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
}


class PolicyViolated(Exception):
    """Templates break a rule; the message has a line for each finding: where, which rule, what it says."""


@dataclass(frozen=True)
class Finding:
    """What a rule has against a resource."""

    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}: {self.what}"


def synthesise(environment: Environment, output: Path, build: Build | None = None) -> list[Path]:
    """Write the templates of `environment` into `output`, anew; returns their paths, sorted.

    `build` puts the stacks into the application, those of `infra.app` unless it is given. Raises
    PolicyViolated where cdk-nag, or CDK's own validation, has anything against them.
    """
    # Imported here: it starts CDK's engine, which takes seconds, and what only reads templates needs none.
    import aws_cdk as cdk

    from infra import app as whole

    shutil.rmtree(output, ignore_errors=True)
    app = cdk.App(outdir=str(output), analytics_reporting=False, context=FLAGS)
    (build or whole.build)(app, environment)
    try:
        app.synth()
    except RuntimeError as error:
        raise PolicyViolated(_explain(output) or str(error)) from None
    findings = _explain(output)
    if findings:
        raise PolicyViolated(findings)
    return list(template.paths(output).values())


def lint(paths: Sequence[Path]) -> list[Finding]:
    """What cfn-lint has against templates, beyond LINT_IGNORED."""
    from cfnlint.api import ManualArgs, lint_by_config

    config = ManualArgs(
        templates=[str(path) for path in paths],
        ignore_checks=list(LINT_IGNORED),
        include_checks=["I"],
        regions=["eu-central-1"],
    )
    return [
        Finding(match.rule.id, f"{Path(match.filename).name} {_path(match.path)}", match.message)
        for match in lint_by_config(config)
    ]


def _explain(output: Path) -> str:
    report = output / "validation-report.json"
    if not report.exists():
        return ""
    return "\n".join(str(finding) for finding in _findings(json.loads(report.read_text("utf-8"))))


def _findings(report: Mapping[str, list[Mapping[str, object]]]) -> Iterator[Finding]:
    for plugin in report["pluginReports"]:
        for violation in plugin["violations"]:  # type: ignore[attr-defined]
            for construct in violation["violatingConstructs"]:
                where = construct.get("constructPath") or construct.get("cloudFormationResource", {}).get(
                    "logicalId"
                )
                yield Finding(violation["ruleName"], str(where), violation["description"])


def _path(parts: object) -> str:
    return ".".join(map(str, parts)) if isinstance(parts, list) else ""
