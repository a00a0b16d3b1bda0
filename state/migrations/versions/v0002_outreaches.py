"""Outreaches: actions to be recorded at campaigns."""

import sqlalchemy as sa
from alembic import op

from state.migrations import string, text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "outreaches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", string(), nullable=False),
        sa.Column("rule", string(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("event", text(), nullable=False),
        sa.Column("state", string(), nullable=False),
        sa.Column("approved", sa.Integer(), nullable=False),
        sa.Column("insisted", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("campaign", string(), nullable=True),
        sa.Column("external_id", string(), nullable=True),
        sa.Column("reason", text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("begun_at", sa.Float(), nullable=True),
        sa.Column("sent_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outreaches")),
        sa.UniqueConstraint(
            "connection", "rule", "contact_id", "at", name=op.f("uq_outreaches_connection_rule_contact_id_at")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outreaches_due", "outreaches", ["connection", "state", "id"])
    op.create_index("ix_outreaches_contact_id", "outreaches", ["contact_id"])
