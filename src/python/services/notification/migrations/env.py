"""Alembic's entry: the notification service's tables."""

from chassis.migrations import run_env
from services.notification.store import METADATA

run_env(METADATA)
