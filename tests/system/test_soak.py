"""Two days of the service among people who edit and platforms that fail, in simulated time: see `tests.soak`.

make soak ARGS="--hours 720 --people 2000 --seed 7"
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEED = 1 if os.environ.get("CI") else random.randrange(10**6)


@pytest.mark.timeout(600)  # a quarter of a minute of one core; more on a busy machine
def test_two_days_of_the_service_with_everything_that_goes_wrong() -> None:
    """All agree at the end; no "no" was undone or late; nobody was asked too often; memory and open files stay."""
    options = ["--hours", "48", "--people", "30", "--slower", "4", "--seed", str(SEED), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["hours simulated"] >= 48
    assert found["troubles"]["kills"] >= 3
    assert found["troubles"]["clock jumps"] == 4
    assert found["troubles"]["fuses decided"] >= 1
    assert found["opt-outs told, nothing wrong"]["count"] >= 10
    assert found["429, avoidable"] == 0
