"""A service that asks for nothing but a database and requests: no topic, no queue, no secret of its own.

One that comes to ask for more has a module beside this one, as user has, and a line in `infra/app.py`.
"""

from __future__ import annotations

from constructs import Construct

from contracts.services import SERVICES
from infra.constructs.database import InstanceSize
from infra.constructs.service import Spec
from infra.stacks.service import Ground, ServiceStack

# The smallest: nobody knows yet what it will have to do.
SIZE = InstanceSize("t3.micro", storage_gib=20, maximum_storage_gib=100, backup_days=7)


class PlainStack(ServiceStack):
    """The service `name`, with what every service has."""

    def __init__(self, scope: Construct, name: str, ground: Ground) -> None:
        super().__init__(scope, name, ground)
        self.deploy(Spec(name, priority=_priority(name)), SIZE)


def _priority(name: str) -> int:
    """Of its rule at the load balancer: services are numbered in hundreds, and who comes last is last."""
    return 100 * (1 + SERVICES.index(name))
