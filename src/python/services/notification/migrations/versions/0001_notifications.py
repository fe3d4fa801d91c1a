"""Notifications, recipients, preferences and mails to be sent, with inbox and saved answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chassis.migrations import create_standard_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_standard_tables("mail")
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid),
        sa.Column("customer_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_id", sa.Uuid),
        sa.Column("amount", sa.BigInteger),
        sa.Column("currency", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("mail_to", sa.Text),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="ck_notifications_amount"),
    )
    op.create_index("ix_notifications_customer_id_id", "notifications", ["customer_id", "id"])
    op.create_index(
        "ix_notifications_unread",
        "notifications",
        ["customer_id", "id"],
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_table(
        "recipients",
        sa.Column("customer_id", sa.Uuid),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_recipients"),
    )
    op.create_table(
        "preferences",
        sa.Column("customer_id", sa.Uuid),
        sa.Column("orders", sa.Boolean, nullable=False),
        sa.Column("payments", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_preferences"),
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the database instead: dropping notifications is never a way back.")
