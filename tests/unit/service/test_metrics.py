"""What is counted for /metrics, as Prometheus reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.service.look import Standing
from daemon.service.look_figures import Figures, Owed
from daemon.service.metrics import Metrics
from tests import docs_tables

NOTHING = Figures(100.0, [], [], {}, {}, 0, {}, {})


def samples(metrics: Metrics) -> dict[str, float]:
    """{name{labels}: value}, without the moments at which things were made."""
    found = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for one in family.samples:
            if not one.name.endswith("_created"):
                labels = ",".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
                found[f"{one.name}{{{labels}}}"] = one.value
    return found


def test_turns_calls_and_budgets() -> None:
    metrics = Metrics()
    metrics.turn_ended("strive", "done", 0.7)
    metrics.turn_ended("strive", "failed", 40)
    metrics.calls("strive", 5, 1)
    metrics.calls("strive", 2, 0)
    metrics.budget("strive", 4.0, 0.5, 0.25)
    found = samples(metrics)
    assert found["rosterd_turns_total{connection=strive,outcome=done}"] == 1
    assert found["rosterd_turns_total{connection=strive,outcome=failed}"] == 1
    assert found["rosterd_turn_seconds_sum{connection=strive}"] == 40.7
    assert found["rosterd_calls_total{connection=strive}"] == 7
    assert found["rosterd_calls_throttled_total{connection=strive}"] == 1
    assert found["rosterd_budget_calls_per_second{connection=strive}"] == 4
    assert found["rosterd_budget_share_ratio{connection=strive}"] == 0.5
    assert found["rosterd_budget_used_ratio{connection=strive}"] == 0.25


def test_a_budget_without_a_limit_names_none() -> None:
    """Also one that had a limit before."""
    metrics = Metrics()
    metrics.budget("strive", None, 1.0, 0.0)
    assert "rosterd_budget_calls_per_second{connection=strive}" not in samples(metrics)
    metrics.budget("strive", 3.0, 1.0, 0.0)
    metrics.budget("strive", None, 1.0, 0.0)
    assert "rosterd_budget_calls_per_second{connection=strive}" not in samples(metrics)


def test_opt_outs_are_told_apart_around_the_promise() -> None:
    """Poll interval (5 min) and a minute: within or over it can be read from the buckets."""
    metrics = Metrics()
    for seconds in (-1, 0.5, 299, 301, 900):
        metrics.told_no("strive", seconds)
    found = samples(metrics)
    of = "rosterd_optout_propagation_seconds_bucket{connection=strive,le=%s}"
    assert [found[of % le] for le in ("1.0", "300.0", "600.0", "1800.0", "+Inf")] == [2, 3, 4, 5, 5]


def test_a_database_that_is_away_is_said_and_the_rest_is_told() -> None:
    """And what only it knows is left out, rather than told as it was once."""
    metrics = Metrics()
    metrics.calls("strive", 1, 0)
    metrics.watch(lambda: NOTHING)
    assert samples(metrics)["rosterd_database_up{}"] == 1
    assert samples(metrics)["rosterd_workers{}"] == 0
    metrics.watch(lambda: None)
    found = samples(metrics)
    assert found["rosterd_database_up{}"] == 0
    assert found["rosterd_calls_total{connection=strive}"] == 1
    assert "rosterd_workers{}" not in found


def test_what_is_owed_and_what_was_refused() -> None:
    metrics = Metrics()
    owed = [Owed("strive", "consent", "open", 2, 40.0), Owed("strive", "backfill", "dead", 3, 10.0)]
    metrics.watch(lambda: Figures(100.0, [], owed, {"match": 4}, {"late": 1}, 2, {"done": 9}, {}))
    found = samples(metrics)
    assert found["rosterd_outbox_pushes{class=consent,connection=strive,state=open}"] == 2
    assert found["rosterd_outbox_oldest_age_seconds{class=consent,connection=strive,state=open}"] == 60
    assert found["rosterd_dead_letters{class=backfill,connection=strive}"] == 3
    assert [name for name in found if "backfill" in name and "outbox" in name] == []
    assert found["rosterd_holds_open{kind=match}"] == 4
    assert found["rosterd_alerts_open{kind=late}"] == 1
    assert found["rosterd_runs_last_day{outcome=done}"] == 9
    assert found["rosterd_workers{}"] == 2


# the documentation

WATCHING = docs_tables.DOCS / "watching.md"


def test_a_budget_that_is_gone_is_told_no_longer() -> None:
    """Switched off by a reload, a connection would have used for ever what it used last. What it did stays counted."""
    metrics = Metrics()
    for name in ("a", "b"):
        metrics.budget(name, 5.0, 1.0, 0.5)
        metrics.calls(name, 1, 0)
    metrics.only(["b"])
    said = metrics.exposition().decode()
    assert re.findall(r'rosterd_budget_\w+\{connection="(\w)"\}', said) == ["b", "b", "b"]
    assert 'rosterd_calls_total{connection="a"} 1.0' in said
    metrics.only(["b"])


def told(metrics: Metrics) -> dict[str, tuple[str, str]]:
    """{name: (type, help)} of every metric that there can be."""
    found: dict[str, tuple[str, str]] = {}
    for line in metrics.exposition().decode().splitlines():
        if match := re.fullmatch(r"# (HELP|TYPE) (rosterd_\w+) (.*)", line):
            kind, says = found.get(match[2], ("", ""))
            found[match[2]] = (kind, match[3]) if match[1] == "HELP" else (match[3], says)
    return {name: value for name, value in found.items() if not name.endswith("_created")}


def labelled() -> dict[str, str]:
    """{name: its labels} of every metric, each having been told once."""
    metrics, standing = (
        Metrics(),
        Standing("a", "strive", "fine", True, "", 1.0, 1.0, 1.0, 0, False, False, True, 1.0, 1),
    )
    metrics.turn_ended("a", "done", 1)
    metrics.calls("a", 1, 1)
    metrics.budget("a", 1.0, 1.0, 1.0)
    metrics.told_no("a", 1)
    owed = [Owed("a", "consent", state, 1, 1.0) for state in ("open", "dead")]
    metrics.watch(lambda: Figures(2.0, [standing], owed, {"match": 1}, {"late": 1}, 1, {"done": 1}, {}))
    found: dict[str, str] = {}
    for family in metrics.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = ", ".join(key for key in family.samples[0].labels if key != "le")
    return found


def test_the_documentation_names_the_labels() -> None:
    rows = re.findall(r"^\| `(rosterd_\w+)(?:\{([^}]*)\})?` \|", WATCHING.read_text(), re.MULTILINE)
    assert dict(rows) == labelled()


def test_the_documentation_lists_exactly_the_metrics_there_are() -> None:
    """Name, type and meaning, as the exposition itself tells them."""
    metrics = Metrics()
    metrics.watch(lambda: NOTHING)
    rows = re.findall(r"^\| `(rosterd_\w+)(?:\{[^}]*\})?` \| (\w+) \| (.*?) \|$", WATCHING.read_text(), re.MULTILINE)
    assert {name: (kind, says) for name, kind, says in rows} == told(metrics)


@pytest.mark.parametrize("page", [WATCHING, Path("alerting rules")], ids=["page", "rules"])
def test_every_metric_that_is_named_exists(page: Path) -> None:
    """Also in the rules, where a name that is none would never alert anybody."""
    metrics = Metrics()
    metrics.watch(lambda: NOTHING)
    text = WATCHING.read_text()
    if page != WATCHING:
        text = "".join(re.findall(r"expr: .*", text))
        assert len(re.findall("expr: ", text)) >= 6
    there = set(told(metrics)) | {f"{name}_bucket" for name, (kind, _) in told(metrics).items() if kind == "histogram"}
    assert set(re.findall(r"rosterd_[a-z_]+", text)) - there == set()
