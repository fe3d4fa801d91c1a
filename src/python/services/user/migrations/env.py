"""Alembic's entry: the user service's tables."""

from chassis.migrations import run_env
from services.user.store import METADATA

run_env(METADATA)
