"""What people and programs read on standard output."""

from __future__ import annotations

import json

import pytest

from daemon.output import ago, clean, json_out, plural, table, when
from state.model import Contact, Entry, Link


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", ""),
        ([], "-"),
        (["b", "a"], "b, a"),
        (True, "yes"),
        (2.50, "2.5"),
        ("Ada\x1b[31m\x07 Sample\r\n", "Ada[31m Sample"),
        ("evil\u202etxt", "eviltxt"),
        ("\x9b2J", "2J"),
        ("two\nlines\tand  more", "two lines and more"),
    ],
)
def test_clean(value: object, shown: str) -> None:
    """One line, and nothing in it that a terminal obeys."""
    assert clean(value) == shown


def test_a_table_in_a_pipe_is_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is cut off or drawn, numbers are aligned right, a name cannot break the line."""
    table(("name", "count#"), [["x" * 200, "1,000"], ["Ada\nSample", 7]], title="People")
    title, head, first, second = capsys.readouterr().out.splitlines()
    assert title == "People"
    assert head == f"{'name'.ljust(200)}  count"
    assert first == f"{'x' * 200}  1,000"
    assert second == f"{'Ada Sample'.ljust(200)}      7"


def test_a_table_on_a_terminal_is_drawn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a line under the head; brackets in a name are not markup."""
    monkeypatch.setattr("daemon.output.is_terminal", lambda: True)
    table(("name", "count#"), [["[red]Ada[/red]", 1]])
    drawn = capsys.readouterr().out
    assert "─" in drawn
    assert "[red]Ada[/red]" in drawn


def test_a_table_that_does_not_fit_is_stacked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a narrow terminal no word is broken: each value stands beside its name."""
    monkeypatch.setattr("daemon.output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    table(("connection", "platform", "last success", "held#"), [["action_network", "action_network", "3 s ago", 7]])
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "connection action_network",
        "platform action_network ·",
        "last success 3 s ago · held",
        "7",
        "",
    ]
    monkeypatch.setenv("COLUMNS", "80")
    table(("connection", "platform", "last success", "held#"), [["action_network", "action_network", "3 s ago", 7]])
    assert "─" in capsys.readouterr().out


def test_rows_of_the_database_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows, entries and sets are objects and lists."""
    contact = Contact(1, {"city": Entry("Rome", 1.0, "a", "read")}, 0.0)
    json_out({"contact": contact, "link": Link("a", "1", "linked"), "set": {"b", "a"}, 7: True})
    said = json.loads(capsys.readouterr().out)
    assert said["contact"]["fields"]["city"][:3] == ["Rome", 1.0, "a"]
    assert said["link"]["external_id"] == "1"
    assert said["set"] == ["a", "b"]
    assert said["7"] is True


def test_times_and_numbers() -> None:
    """An unknown time is a dash; a long time ago is told in large units."""
    assert when(0.0) == when(None) == "-"
    assert when(1_700_000_000.0).startswith("2023-11-1")
    assert [ago(None, 0), ago(100, 130), ago(0, 600), ago(0, 7200), ago(0, 86400 * 3)] == [
        "never",
        "30 s ago",
        "10 min ago",
        "2 h ago",
        "3 d ago",
    ]
    assert [plural(1, "push", "pushes"), plural(2000, "push", "pushes"), plural(0, "record")] == [
        "1 push",
        "2,000 pushes",
        "0 records",
    ]
