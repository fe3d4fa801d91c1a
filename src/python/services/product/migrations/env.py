"""Alembic's entry: the product service's tables."""

from chassis.migrations import run_env
from services.product.store import METADATA

run_env(METADATA)
