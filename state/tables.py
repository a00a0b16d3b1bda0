"""The tables. JSON is kept as text (both engines, read with one parser); times are seconds since 1970, UTC.

connections   what we know of each configured account: cursor, facts, sweeps, pause
contacts      our people: canonical fields with value, time, source and evidence
identifiers   phone, email and external ids of contacts; one value may belong to several (a household)
links         every record we know of: its contact (or why it has none) and what that side last said
strays        identifiers of records that belong to no contact: an opt-out must find them too
suppressions  a "no" said by a record that belongs to no contact (any more); it outlives the record
decisions     what a person decided about a record and a contact: the same, or not
outbox        pushes owed
journal       every change, in and out; append-only
outreaches    actions to be recorded at campaigns: one row an event, kept when it was sent
holds         what waits for a person
runs          one row a run, with its books
hours         what each connection read and was sent in each hour: the chart, and what is usual
alerts        what broke, who was told of it, and of its end
workers       the processes that work on this database
counters      numbers: ids handed out by us (of contacts), so that a page can be written in bulk; what the fuse let pass
              of a plan that is not whole yet
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
_id = BigInteger().with_variant(Integer, "sqlite")
# Compared byte by byte on both engines; state/migrations/__init__.py says why.
_string = String().with_variant(String(collation="C"), "postgresql")
_text = Text().with_variant(Text(collation="C"), "postgresql")

connections = Table(
    "connections",
    metadata,
    Column("name", _string, primary_key=True),
    Column("platform", _string, nullable=False),
    Column("account", _string, nullable=False),
    Column("cursor", _text, nullable=False),
    Column("facts", _text, nullable=False),
    Column("mapping", _text, nullable=False),  # digest of each field's rule when last read
    Column("remap", _text, nullable=False),  # fields whose rule changed since the last complete sweep
    Column("sweep", Integer, nullable=False),  # number of the sweep last begun
    Column("swept", Integer, nullable=False),  # number of the sweep last completed; 0: never read whole
    Column("swept_at", Float),
    Column("polled_at", Float),  # start of the last complete reading
    Column("plan_after", BigInteger),  # contacts above this id still await planning here; NULL: none do
    Column("paused_until", Float),
    Column("paused_why", _text),
    Column("failures", Integer, nullable=False),  # in a row
    Column("ok_at", Float),
    Column("feed", _text),  # the feed's cursor while a sweep is under way; `cursor` is the sweep's then
    Column("reading_since", Float),  # pages of a reading are kept whose end has not come: the plan is not whole
    Column("asked_at", Float),  # somebody wants it read at once, whatever the schedule says
    Column("owner", _string),  # the lease: which worker has it
    Column("lease_until", Float),  # ... until when, by the database's clock
    Column("term", Integer),  # ... and the how-manieth it is
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=False),
    Column("fields", _text, nullable=False),
    Column("merged_into", BigInteger),
    Column("created_at", Float, nullable=False),
)

identifiers = Table(
    "identifiers",
    metadata,
    Column("kind", _string, primary_key=True),
    Column("value", _string, primary_key=True),
    Column("contact_id", BigInteger, ForeignKey("contacts.id"), primary_key=True),
    Index("ix_identifiers_contact_id", "contact_id"),
)

links = Table(
    "links",
    metadata,
    Column("id", _id, primary_key=True),
    Column("connection", _string, nullable=False),
    Column("external_id", _string, nullable=False),
    Column("contact_id", BigInteger, ForeignKey("contacts.id")),
    Column("state", _string, nullable=False),  # linked, held, out_of_scope, failed, vanished
    Column("seen", _text, nullable=False),
    Column("version", _string),
    Column("digest", _string, nullable=False),
    Column("sent", _text),  # fields sent whose receipt is not known yet
    Column("told", _text),  # channels whose "no" on that side is only the echo of ours
    Column("sweep", Integer, nullable=False),
    Column("reason", _text),
    UniqueConstraint("connection", "external_id"),
    Index("ix_links_contact_id", "contact_id"),
    Index("ix_links_connection_sweep", "connection", "sweep"),
)

strays = Table(
    "strays",
    metadata,
    Column("kind", _string, primary_key=True),
    Column("value", _string, primary_key=True),
    Column("connection", _string, primary_key=True),
    Column("external_id", _string, primary_key=True),
    Index("ix_strays_record", "connection", "external_id"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("kind", _string, primary_key=True),
    Column("value", _string, primary_key=True),
    Column("connection", _string, primary_key=True),
    Column("external_id", _string, primary_key=True),
    Column("state", _string, nullable=False),
    Column("how", _string, nullable=False),
    Column("at", Float, nullable=False),
    Index("ix_suppressions_record", "connection", "external_id"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("connection", _string, primary_key=True),
    Column("external_id", _string, primary_key=True),
    Column("contact_id", BigInteger, primary_key=True),
    Column("verdict", _string, nullable=False),  # same, different
    Column("at", Float, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _id, primary_key=True),
    Column("connection", _string, nullable=False),
    Column("target", _string, nullable=False),  # "r:" + external id, or "c:" + contact id for a create
    Column("lane", Integer, nullable=False),  # 0 consent, 1 update, 2 create
    Column("contact_id", BigInteger),
    Column("external_id", _string),
    Column("kind", _string, nullable=False),  # consent, create, update, blank, rekey: what the fuse counts
    Column("owed", _text, nullable=False),
    Column("state", _string, nullable=False),  # open, held, dead
    Column("approved", Integer, nullable=False),  # 1 once a person released it from the fuse
    Column("attempts", Integer, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("reason", _text),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("connection", "target", "lane"),
    Index("ix_outbox_due", "connection", "state", "lane", "id"),
    Index("ix_outbox_first", "connection", "state", "lane", "approved", "due_at"),
    Index("ix_outbox_contact_id", "contact_id"),
    sqlite_autoincrement=True,  # an id is never used again: a batch in hand must not take another row for its own
)

outreaches = Table(
    "outreaches",
    metadata,
    Column("id", _id, primary_key=True),
    Column("connection", _string, nullable=False),
    Column("rule", _string, nullable=False),  # its name in the connection's mapping
    Column("contact_id", BigInteger, nullable=False),  # as it was then: it may be part of another by now
    Column("at", BigInteger, nullable=False),  # when it happened, whole seconds
    Column("since", BigInteger, nullable=False),  # ... or the earliest it can have, where the feed does not tell
    Column("event", _text, nullable=False),  # what happened, in words
    Column("state", _string, nullable=False),  # owed, sending, sent, held, dead, dropped
    Column("approved", Integer, nullable=False),  # 1 once past the fuse
    Column("insisted", Integer, nullable=False),  # 1 once a person said: send it, whatever the look-up cannot see
    Column("attempts", Integer, nullable=False),
    Column("campaign", _string),  # where it was sent to
    Column("external_id", _string),  # the outreach, as the platform calls it
    Column("reason", _text),
    Column("created_at", Float, nullable=False),
    Column("begun_at", Float),
    Column("sent_at", Float),
    UniqueConstraint("connection", "rule", "contact_id", "at"),
    Index("ix_outreaches_due", "connection", "state", "id"),
    Index("ix_outreaches_contact_id", "contact_id"),
    sqlite_autoincrement=True,
)

journal = Table(
    "journal",
    metadata,
    Column("id", _id, primary_key=True),
    Column("at", Float, nullable=False),
    Column("run", BigInteger),
    Column("event", _string, nullable=False),
    Column("contact_id", BigInteger),
    Column("connection", _string),
    Column("external_id", _string),
    Column("detail", _text, nullable=False),
    Index("ix_journal_contact_id", "contact_id"),
    sqlite_autoincrement=True,
)

holds = Table(
    "holds",
    metadata,
    Column("id", _id, primary_key=True),
    Column("key", _string, nullable=False),  # what it is about; one open hold a key
    Column("kind", _string, nullable=False),
    Column("connection", _string),
    Column("external_id", _string),
    Column("contact_id", BigInteger),
    Column("detail", _text, nullable=False),
    Column("state", _string, nullable=False),  # open, decided
    Column("decision", _text),
    Column("opened_at", Float, nullable=False),
    Column("decided_at", Float),
    Index("ix_holds_state", "state", "key"),
    sqlite_autoincrement=True,
)

runs = Table(
    "runs",
    metadata,
    Column("id", _id, primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", _string),
    Column("books", _text, nullable=False),
    Column("worker", _string),  # whose run it was; NULL: a command's
    Index("ix_runs_ended_at", "ended_at"),
    sqlite_autoincrement=True,
)

hours = Table(
    "hours",
    metadata,
    Column("connection", _string, primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # since 1970
    Column("read", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("throttled", BigInteger, nullable=False),  # of the calls: answered with 429
    Column("told", BigInteger, nullable=False),  # opt-outs that this connection was told of
    Column("told_after", Float, nullable=False),  # seconds from being said to being told, added up
    Column("told_slowest", Float, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", _id, primary_key=True),
    Column("key", _string, nullable=False),  # what it is about, like failed:strive_atl; one open alert a key
    Column("kind", _string, nullable=False),
    Column("connection", _string),
    Column("text", _text, nullable=False),
    Column("hint", _text, nullable=False),
    Column("since", Float, nullable=False),
    Column("told_at", Float),
    Column("healed_at", Float),
    Column("healed_told_at", Float),
    Column("tries", Integer, nullable=False),  # of telling it, in a row, that failed
    Column("due_at", Float, nullable=False),  # when to try (again) to tell it
    Index("ix_alerts_key", "key", "healed_at"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("name", _string, primary_key=True),
    Column("version", _string, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),  # by the database's clock
    Column("doing", _text, nullable=False),  # what it does, and which configuration it goes by: see workers.py
)

counters = Table(
    "counters",
    metadata,
    Column("name", _string, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
