"""How the shop is broken on purpose, by AWS Fault Injection Service, until customers would notice."""

from __future__ import annotations

from aws_cdk import ArnFormat
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_fis as fis
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.services import SERVICES
from infra.environment import Environment
from infra.nag import acknowledge, managed_policy
from infra.stacks.shared import SharedStack
from infra.stacks.stack import MercatoStack

_TASKS = "aws:ecs:task"
_MINUTES = "PT5M"
# https://docs.aws.amazon.com/fis/latest/userguide/security-iam-awsmanpol.html
_POLICIES = tuple(
    f"service-role/AWSFaultInjectionSimulator{what}Access" for what in ("ECS", "Network", "SSM")
)


class FaultInjectionStack(MercatoStack):
    """A template for each service's tasks to be stopped, or slowed, and one for a zone to be cut off."""

    def __init__(
        self, scope: Construct, environment: Environment, shared: SharedStack, stop: cloudwatch.IAlarm
    ) -> None:
        super().__init__(scope, "fault-injection", environment, "Mercato: experiments")
        self._stop = stop
        self._role = self._experiment_role()
        for service in SERVICES:
            self._stop_tasks(service)
            if environment.fault_injection:
                self._add_latency(service)
        self._cut_off_zone(shared)

    def _experiment_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("fis.amazonaws.com").with_conditions(
                {"StringEquals": {"aws:SourceAccount": self.account}}
            ),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(name) for name in _POLICIES],
        )
        why = "AWS' own, for experiments; what they are done to, the templates say"
        acknowledge(role, {managed_policy(name): why for name in _POLICIES})
        return role

    def _template(
        self,
        name: str,
        description: str,
        action: fis.CfnExperimentTemplate.ExperimentTemplateActionProperty,
        target: fis.CfnExperimentTemplate.ExperimentTemplateTargetProperty,
    ) -> None:
        fis.CfnExperimentTemplate(
            self,
            "".join(part.title() for part in name.split("-")),
            description=description,
            role_arn=self._role.role_arn,
            actions={name: action},
            targets={"targets": target},
            stop_conditions=[
                fis.CfnExperimentTemplate.ExperimentTemplateStopConditionProperty(
                    source="aws:cloudwatch:alarm", value=self._stop.alarm_arn
                )
            ],
            experiment_options=fis.CfnExperimentTemplate.ExperimentTemplateExperimentOptionsProperty(
                empty_target_resolution_mode="fail"
            ),
            tags={"Name": f"{self.environment_.prefix}-{name}"},
        )

    def _tasks_of(self, service: str) -> fis.CfnExperimentTemplate.ExperimentTemplateTargetProperty:
        return fis.CfnExperimentTemplate.ExperimentTemplateTargetProperty(
            resource_type=_TASKS,
            selection_mode="PERCENT(50)",
            parameters={"cluster": self.environment_.prefix, "service": service},
        )

    def _stop_tasks(self, service: str) -> None:
        self._template(
            f"kill-{service}",
            f"Half of the tasks of {service} are stopped",
            _action("aws:ecs:stop-task", "Tasks", {}),
            self._tasks_of(service),
        )

    def _add_latency(self, service: str) -> None:
        self._template(
            f"slow-{service}",
            f"Half of the tasks of {service} answer 200 ms later, for five minutes",
            _action(
                "aws:ecs:task-network-latency",
                "Tasks",
                {
                    "duration": _MINUTES,
                    "delayMilliseconds": "200",
                    "jitterMilliseconds": "10",
                    "sources": "",
                    "useEcsFaultInjectionEndpoints": "true",
                },
            ),
            self._tasks_of(service),
        )

    def _cut_off_zone(self, shared: SharedStack) -> None:
        subnet = shared.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS).subnet_ids[0]
        arn = self.format_arn(
            service="ec2", resource="subnet", resource_name=subnet, arn_format=ArnFormat.SLASH_RESOURCE_NAME
        )
        self._template(
            "cut-off-zone",
            "The private subnet of one zone reaches nothing and is not reached, for five minutes",
            _action("aws:network:disrupt-connectivity", "Subnets", {"duration": _MINUTES, "scope": "all"}),
            fis.CfnExperimentTemplate.ExperimentTemplateTargetProperty(
                resource_type="aws:ec2:subnet", resource_arns=[arn], selection_mode="ALL"
            ),
        )


def _action(
    id: str, target: str, parameters: dict[str, str]
) -> fis.CfnExperimentTemplate.ExperimentTemplateActionProperty:
    return fis.CfnExperimentTemplate.ExperimentTemplateActionProperty(
        action_id=id, parameters=parameters, targets={target: "targets"}
    )
