"""dlt's `rest_api` source, merging the members into SQLite: what one would write by its documentation.

    python -m benchmarks.with_dlt BASE_URL FOLDER

Three choices in its favour: nested values stay JSON columns instead of becoming tables of their own; pages come by
`offset`, which costs this server nothing; telemetry and progress are off.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.members import CAMPAIGN, KEY

PAGE = 1000

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"


def load(base_url: str, folder: Path) -> int:
    """One run of the pipeline; returns how many rows its table has then."""
    import dlt
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {
                "base_url": base_url,
                "headers": {"Authorization": f"Bearer {KEY}"},
                "paginator": {"type": "offset", "limit": PAGE, "total_path": None},
            },
            "resources": [
                {
                    "name": "members",
                    "primary_key": "id",
                    "write_disposition": "merge",
                    "max_table_nesting": 0,
                    "endpoint": {
                        "path": "members",
                        "data_selector": "$",
                        "params": {"campaign_id": f"eq.{CAMPAIGN}", "order": "id.asc"},
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{folder / 'dlt.db'}"),
        dataset_name="strive",
    )
    pipeline.run(source).raise_on_failed_jobs()
    with pipeline.sql_client() as client, client.execute_query("select count(*) from members") as found:
        return sum(int(row[0]) for row in found.fetchall())


if __name__ == "__main__":
    print(load(sys.argv[1], Path(sys.argv[2])))
