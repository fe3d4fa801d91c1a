"""Payments, payment methods and calls to the provider, with outbox, inbox and saved answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from chassis.migrations import create_standard_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_standard_tables("outbox", "provider_call")
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid),
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("customer_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("payment_method_id", sa.Uuid),
        sa.Column("intent_id", sa.Text),
        sa.Column("cancel_wanted", sa.Boolean, nullable=False),
        sa.Column("failure_stage", sa.Text),
        sa.Column("failure_code", sa.Text),
        sa.Column("failure_detail", sa.Text),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        sa.Column("refunds", JSONB, nullable=False),
        sa.Column("shipping_address", JSONB),
        sa.Column("address_revision", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payments"),
        sa.UniqueConstraint("order_id", name="uq_payments_order_id"),
        sa.UniqueConstraint("intent_id", name="uq_payments_intent_id"),
        sa.CheckConstraint("(status = 'FAILED') = (failure_code IS NOT NULL)", name="ck_payments_failure"),
        sa.CheckConstraint("refunded BETWEEN 0 AND amount", name="ck_payments_refunded"),
    )
    op.create_index("ix_payments_customer_id_id", "payments", ["customer_id", "id"])
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.Uuid),
        sa.Column("provider_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_customers"),
    )
    op.create_table(
        "methods",
        sa.Column("id", sa.Uuid),
        sa.Column("customer_id", sa.Uuid, nullable=False),
        sa.Column("provider_id", sa.Text, nullable=False),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("last4", sa.Text, nullable=False),
        sa.Column("exp_month", sa.SmallInteger, nullable=False),
        sa.Column("exp_year", sa.SmallInteger, nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_methods"),
        sa.UniqueConstraint("provider_id", name="uq_methods_provider_id"),
    )
    op.create_index("ix_methods_customer_id_id", "methods", ["customer_id", "id"])


def downgrade() -> None:
    raise NotImplementedError("Restore the database instead: dropping payments is never a way back.")
