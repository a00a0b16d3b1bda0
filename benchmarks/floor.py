"""The floor: httpx, orjson, and one bulk upsert a page into SQLite. No mapping, no identity, no merge, no journal.

python -m benchmarks.floor BASE_URL DATABASE
"""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

import httpx
import orjson

from benchmarks.members import CAMPAIGN

PAGE = 1000


def load(base_url: str, database: str) -> int:
    """Read every member by id, keep each page in one transaction; returns how many there were."""
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("pragma journal_mode=WAL")
    db.execute("pragma synchronous=NORMAL")
    last = count = 0
    statement = ""
    with httpx.Client(base_url=base_url) as client:
        while rows := _page(client, last):
            statement = statement or _prepare(db, list(rows[0]))
            db.execute("begin immediate")
            db.executemany(statement, [tuple(map(_plain, row.values())) for row in rows])
            db.execute("commit")
            last, count = rows[-1]["id"], count + len(rows)
    db.close()
    return count


def _page(client: httpx.Client, last: int) -> list[dict[str, Any]]:
    params = {"campaign_id": f"eq.{CAMPAIGN}", "id": f"gt.{last}", "order": "id.asc", "limit": str(PAGE)}
    found: list[dict[str, Any]] = orjson.loads(client.get("/members", params=params).content)
    return found


def _plain(value: object) -> object:
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value


def _prepare(db: sqlite3.Connection, columns: list[str]) -> str:
    db.execute(f"create table if not exists members ({', '.join(columns)}, primary key (id))")
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id")
    marks = ", ".join("?" * len(columns))
    return f"insert into members values ({marks}) on conflict (id) do update set {changes}"  # noqa: S608 names of columns


if __name__ == "__main__":
    print(load(sys.argv[1], sys.argv[2]))
