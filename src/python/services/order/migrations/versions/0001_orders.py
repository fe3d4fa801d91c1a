"""Orders, with outbox, inbox and saved answers."""

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
    create_standard_tables("outbox")
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid),
        sa.Column("customer_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("stock", sa.Text, nullable=False),
        sa.Column("payment", sa.Text, nullable=False),
        sa.Column("cancel_reason", sa.Text),
        sa.Column("lines", JSONB, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        sa.Column("payment_method_id", sa.Uuid, nullable=False),
        sa.Column("shipping_address", JSONB, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("timeline", JSONB, nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.CheckConstraint("status IN ('PENDING', 'CONFIRMED', 'CANCELLED')", name="ck_orders_status"),
        sa.CheckConstraint(
            "(status = 'CANCELLED') = (cancel_reason IS NOT NULL)", name="ck_orders_cancel_reason"
        ),
        sa.CheckConstraint("refunded BETWEEN 0 AND total", name="ck_orders_refunded"),
    )
    op.create_index("ix_orders_customer_id_id", "orders", ["customer_id", "id"])
    op.create_index(
        "ix_orders_expires_at", "orders", ["expires_at"], postgresql_where=sa.text("status = 'PENDING'")
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the database instead: dropping orders is never a way back.")
