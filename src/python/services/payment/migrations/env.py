"""Alembic's entry: the payment service's tables."""

from chassis.migrations import run_env
from services.payment.store import METADATA

run_env(METADATA)
