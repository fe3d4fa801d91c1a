"""Products, their images and stock, with outbox, inbox and saved answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from chassis.migrations import create_standard_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_FOR_SALE = sa.text("retired_at IS NULL")


def upgrade() -> None:
    create_standard_tables("outbox")
    # A trusted extension: the owner of the database may create it.
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    _products()
    _stock()
    _reservations()
    _images()


def _products() -> None:
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid),
        sa.Column("sku", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        sa.Column(
            "search",
            TSVECTOR,
            sa.Computed(
                "setweight(to_tsvector('english'::regconfig, name), 'A') || "
                "setweight(to_tsvector('english'::regconfig, description), 'B')",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("sku", name="uq_products_sku"),
        sa.CheckConstraint("price > 0", name="ck_products_price"),
    )
    op.create_index("ix_products_search", "products", ["search"], postgresql_using="gin")
    op.create_index(
        "ix_products_name_trigrams",
        "products",
        ["name"],
        postgresql_using="gin",
        postgresql_ops={"name": "gin_trgm_ops"},
    )
    for column in ("category", "price", "name"):
        op.create_index(f"ix_products_{column}_id", "products", [column, "id"], postgresql_where=_FOR_SALE)


def _stock() -> None:
    op.create_table(
        "stock",
        sa.Column("product_id", sa.Uuid),
        *(
            sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
            for name in ("on_hand", "reserved", "sold", "received")
        ),
        sa.PrimaryKeyConstraint("product_id", name="pk_stock"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_stock_product_id_products"),
        sa.CheckConstraint("on_hand >= 0 AND reserved >= 0 AND sold >= 0", name="ck_stock_not_negative"),
        sa.CheckConstraint("on_hand + reserved + sold = received", name="ck_stock_nothing_lost"),
    )
    # Each order changes a few rows: room beside them keeps the new versions on the same page, off the index,
    # and vacuum by count keeps up with those that everybody buys.
    op.execute(
        "ALTER TABLE stock SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, "
        "autovacuum_vacuum_threshold = 1000)"
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.Uuid),
        sa.Column("product_id", sa.Uuid, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("received_by", sa.Uuid, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_receipts_product_id_products"),
        sa.CheckConstraint("quantity > 0", name="ck_receipts_quantity"),
    )
    op.create_index("ix_receipts_product_id_id", "receipts", ["product_id", "id"])


def _reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("order_id", sa.Uuid),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("lines", JSONB, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("order_id", name="pk_reservations"),
        sa.CheckConstraint(
            "state IN ('RESERVED', 'REJECTED', 'COMMITTED', 'CANCELLED')", name="ck_reservations_state"
        ),
        sa.CheckConstraint(
            "(state IN ('REJECTED', 'CANCELLED')) = (ended_at IS NOT NULL)", name="ck_reservations_ended_at"
        ),
    )
    op.create_index(
        "ix_reservations_ended_at",
        "reservations",
        ["ended_at"],
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )


def _images() -> None:
    op.create_table(
        "images",
        sa.Column("id", sa.Uuid),
        sa.Column("product_id", sa.Uuid, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("pending_since", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_images_product_id_products"),
        sa.CheckConstraint("size > 0", name="ck_images_size"),
    )
    op.create_index("ix_images_product_id_id", "images", ["product_id", "id"])
    op.create_index(
        "ix_images_pending_since",
        "images",
        ["pending_since"],
        postgresql_where=sa.text("pending_since IS NOT NULL"),
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the database instead: dropping the catalogue is never a way back.")
