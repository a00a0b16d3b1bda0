"""The service: leases, what a reading under way is, hours, alerts, workers."""

import sqlalchemy as sa
from alembic import op

from state.migrations import string, text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for column in (
        sa.Column("feed", text(), nullable=True),
        sa.Column("reading_since", sa.Float(), nullable=True),
        sa.Column("asked_at", sa.Float(), nullable=True),
        sa.Column("owner", string(), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column("term", sa.Integer(), nullable=True),
    ):
        op.add_column("connections", column)
    op.add_column("runs", sa.Column("worker", string(), nullable=True))
    op.create_index("ix_outbox_first", "outbox", ["connection", "state", "lane", "approved", "due_at"])
    op.create_index("ix_runs_ended_at", "runs", ["ended_at"])
    op.create_table(
        "hours",
        sa.Column("connection", string(), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("throttled", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("told_after", sa.Float(), nullable=False),
        sa.Column("told_slowest", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "hour", name=op.f("pk_hours")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", string(), nullable=False),
        sa.Column("kind", string(), nullable=False),
        sa.Column("connection", string(), nullable=True),
        sa.Column("text", text(), nullable=False),
        sa.Column("hint", text(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("told_at", sa.Float(), nullable=True),
        sa.Column("healed_at", sa.Float(), nullable=True),
        sa.Column("healed_told_at", sa.Float(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_key", "alerts", ["key", "healed_at"])
    op.create_table(
        "workers",
        sa.Column("name", string(), nullable=False),
        sa.Column("version", string(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("doing", text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
