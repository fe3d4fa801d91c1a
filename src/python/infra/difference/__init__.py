"""What a deployment would change: CloudFormation templates against the released ones, without an account."""

from infra.difference.stacks import run
from infra.difference.templates import DifferenceError

__all__ = ["DifferenceError", "run"]
