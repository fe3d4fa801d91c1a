"""The broker with CloudFormation, by which a test deploys the very templates that would be deployed.

Run as `python -m backing.cloudformation_server PORT`. It is slower to start than the broker, and takes more
memory: the shop runs on the broker.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

os.environ["ALSO"] = "cloudformation,ec2,elasticache,kms,ssm"

from ministack.services.cloudformation import provisioners

from backing import broker_server


def admit(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    """A rule of a security group, which has no effect here: the emulator has no network."""
    del properties
    return f"sgr-{uuid.uuid5(uuid.NAMESPACE_URL, f'{stack}/{logical_id}').hex[:17]}", {}


def forget(physical_id: str, properties: dict[str, Any]) -> None:
    """Take the rule back."""
    del physical_id, properties


def main() -> None:
    """Serve until SIGTERM."""
    # Ministack refuses a whole template for a type that it does not know.
    provisioners._RESOURCE_HANDLERS["AWS::EC2::SecurityGroupIngress"] = {"create": admit, "delete": forget}
    broker_server.main()


if __name__ == "__main__":
    main()
