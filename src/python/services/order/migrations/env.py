"""Alembic's entry: the order service's tables."""

from chassis.migrations import run_env
from services.order.store import METADATA

run_env(METADATA)
