"""The agent by which AWS Fault Injection Service reaches into a task, to add latency.

https://docs.aws.amazon.com/fis/latest/userguide/ecs-task-actions.html
"""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.nag import acknowledge, managed_policy, own_resource

_POLICY = "AmazonSSMManagedInstanceCore"
_IMAGE = "public.ecr.aws/amazon-ssm-agent/amazon-ssm-agent:latest"

# Registers the task as an instance of Systems Manager, and takes it off the list when the task ends.
_SCRIPT = """set -e
dnf upgrade -y && dnf install jq procps awscli -y
leave() {
  aws ssm deregister-managed-instance --instance-id "$ID"
  aws ssm delete-activation --activation-id "$ACTIVATION"
  kill -SIGTERM "$AGENT"
  exit 0
}
trap leave SIGTERM SIGINT
ARN=$(curl -s "$ECS_CONTAINER_METADATA_URI_V4/task" | jq -r .TaskARN)
ACTIVATED=$(aws ssm create-activation --iam-role "$MANAGED_INSTANCE_ROLE_NAME" \\
  --tags Key=ECS_TASK_ARN,Value="$ARN" Key=FAULT_INJECTION_SIDECAR,Value=true)
ACTIVATION=$(echo "$ACTIVATED" | jq -r .ActivationId)
CODE=$(echo "$ACTIVATED" | jq -r .ActivationCode)
amazon-ssm-agent -register -code "$CODE" -id "$ACTIVATION" -region "$AWS_REGION"
ID=$(jq -r .ManagedInstanceID < /var/lib/amazon/ssm/registration)
amazon-ssm-agent & AGENT=$!
wait "$AGENT"
"""


def add_fault_agent(
    scope: Construct, task: ecs.FargateTaskDefinition, role: iam.Role, logging: ecs.LogDriver
) -> None:
    """Put the agent beside the containers of `task`; the shop goes on without it."""
    managed = iam.Role(
        scope,
        "FaultAgentRole",
        assumed_by=iam.ServicePrincipal("ssm.amazonaws.com"),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(_POLICY)],
    )
    acknowledge(
        managed, {managed_policy(_POLICY): "AWS' own for its agent, where things are broken on purpose"}
    )
    stack = Stack.of(scope)
    # The agent makes an activation for itself: https://docs.aws.amazon.com/fis/latest/userguide/ecs-task-actions.html
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["ssm:CreateActivation", "ssm:AddTagsToResource", "ssm:DeleteActivation"],
            resources=["*"],
        )
    )
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["ssm:DeregisterManagedInstance"],
            resources=[stack.format_arn(service="ssm", resource="managed-instance", resource_name="*")],
        )
    )
    acknowledge(role, {own_resource("ssm", "managed-instance/*"): "its id is known when the agent runs"})
    role.add_to_policy(iam.PolicyStatement(actions=["iam:PassRole"], resources=[managed.role_arn]))
    task.add_container(
        "fault-agent",
        image=ecs.ContainerImage.from_registry(_IMAGE),
        essential=False,
        cpu=32,
        memory_reservation_mib=64,
        command=["/bin/bash", "-c", _SCRIPT],
        environment={"MANAGED_INSTANCE_ROLE_NAME": managed.role_name},
        logging=logging,
    )
