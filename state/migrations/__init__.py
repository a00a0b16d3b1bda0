"""The migrations, and the types of their text columns."""

import sqlalchemy as sa


def string() -> sa.types.TypeEngine[str]:
    """A text compared byte by byte, as SQLite does. PostgreSQL would do it by the language of the machine: "a_b" after
    "ab", and an index that is damaged when the machine's idea of the language changes with an upgrade."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def text() -> sa.types.TypeEngine[str]:
    """The same, for a long one."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
