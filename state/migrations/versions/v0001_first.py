"""The first shape of the database."""

import sqlalchemy as sa
from alembic import op

from state.migrations import string, text

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "connections",
        sa.Column("name", string(), nullable=False),
        sa.Column("platform", string(), nullable=False),
        sa.Column("account", string(), nullable=False),
        sa.Column("cursor", text(), nullable=False),
        sa.Column("facts", text(), nullable=False),
        sa.Column("mapping", text(), nullable=False),
        sa.Column("remap", text(), nullable=False),
        sa.Column("sweep", sa.Integer(), nullable=False),
        sa.Column("swept", sa.Integer(), nullable=False),
        sa.Column("swept_at", sa.Float(), nullable=True),
        sa.Column("polled_at", sa.Float(), nullable=True),
        sa.Column("plan_after", sa.BigInteger(), nullable=True),
        sa.Column("paused_until", sa.Float(), nullable=True),
        sa.Column("paused_why", text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("ok_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_connections")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("fields", text(), nullable=False),
        sa.Column("merged_into", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "counters",
        sa.Column("name", string(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "decisions",
        sa.Column("connection", string(), nullable=False),
        sa.Column("external_id", string(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("verdict", string(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "external_id", "contact_id", name=op.f("pk_decisions")),
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", string(), nullable=False),
        sa.Column("kind", string(), nullable=False),
        sa.Column("connection", string(), nullable=True),
        sa.Column("external_id", string(), nullable=True),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("detail", text(), nullable=False),
        sa.Column("state", string(), nullable=False),
        sa.Column("decision", text(), nullable=True),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_holds_state", "holds", ["state", "key"], unique=False)
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=True),
        sa.Column("event", string(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("connection", string(), nullable=True),
        sa.Column("external_id", string(), nullable=True),
        sa.Column("detail", text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_contact_id", "journal", ["contact_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", string(), nullable=False),
        sa.Column("target", string(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("external_id", string(), nullable=True),
        sa.Column("kind", string(), nullable=False),
        sa.Column("owed", text(), nullable=False),
        sa.Column("state", string(), nullable=False),
        sa.Column("approved", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("reason", text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("connection", "target", "lane", name=op.f("uq_outbox_connection_target_lane")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_contact_id", "outbox", ["contact_id"], unique=False)
    op.create_index("ix_outbox_due", "outbox", ["connection", "state", "lane", "id"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("outcome", string(), nullable=True),
        sa.Column("books", text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "strays",
        sa.Column("kind", string(), nullable=False),
        sa.Column("value", string(), nullable=False),
        sa.Column("connection", string(), nullable=False),
        sa.Column("external_id", string(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "connection", "external_id", name=op.f("pk_strays")),
    )
    op.create_index("ix_strays_record", "strays", ["connection", "external_id"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("kind", string(), nullable=False),
        sa.Column("value", string(), nullable=False),
        sa.Column("connection", string(), nullable=False),
        sa.Column("external_id", string(), nullable=False),
        sa.Column("state", string(), nullable=False),
        sa.Column("how", string(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "connection", "external_id", name=op.f("pk_suppressions")),
    )
    op.create_index("ix_suppressions_record", "suppressions", ["connection", "external_id"], unique=False)
    op.create_table(
        "identifiers",
        sa.Column("kind", string(), nullable=False),
        sa.Column("value", string(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_identifiers_contact_id")),
        sa.PrimaryKeyConstraint("kind", "value", "contact_id", name=op.f("pk_identifiers")),
    )
    op.create_index("ix_identifiers_contact_id", "identifiers", ["contact_id"], unique=False)
    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", string(), nullable=False),
        sa.Column("external_id", string(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("state", string(), nullable=False),
        sa.Column("seen", text(), nullable=False),
        sa.Column("version", string(), nullable=True),
        sa.Column("digest", string(), nullable=False),
        sa.Column("sent", text(), nullable=True),
        sa.Column("told", text(), nullable=True),
        sa.Column("sweep", sa.Integer(), nullable=False),
        sa.Column("reason", text(), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_links_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("connection", "external_id", name=op.f("uq_links_connection_external_id")),
    )
    op.create_index("ix_links_connection_sweep", "links", ["connection", "sweep"], unique=False)
    op.create_index("ix_links_contact_id", "links", ["contact_id"], unique=False)
