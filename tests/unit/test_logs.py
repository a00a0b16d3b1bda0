"""What reaches the log, and what must not."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from daemon import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins with no handler of ours, outside journald, and leaves the root logger as it was."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    monkeypatch.setattr(logs, "_hidden", set())
    root = logging.getLogger()
    level, levels = root.level, {name: logging.getLogger(name).level for name in logs.CHATTY}
    yield
    if logs._handler:
        root.removeHandler(logs._handler)
    root.setLevel(level)
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)
    structlog.reset_defaults()


def written(**options: object) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(stream=stream, **options)  # type: ignore[arg-type]
    return stream


def test_elsewhere_than_on_a_terminal_each_event_is_one_json_line() -> None:
    """A pipe, a file or journald gets JSON, with when, how bad, who and what."""
    out = written()
    logs.logger("rosterd.sync").info("page.kept", connection="strive_atl", records=200)
    line = json.loads(out.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "page.kept",
        "level": "info",
        "logger": "rosterd.sync",
        "connection": "strive_atl",
        "records": 200,
    }


def test_a_terminal_gets_something_to_read() -> None:
    stream = Terminal()
    logs.configure(stream=stream)
    logs.logger().info("page.kept", records=200)
    assert "page.kept" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_terminal_without_colour_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    logs.configure(stream=stream)
    logs.logger().info("page.kept", records=200)
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "pretty"])
@pytest.mark.parametrize(
    ("event", "facts", "private"),
    [
        ("matched ada@example.org", {}, "ada@"),
        ("texted +1 (202) 555-0123 today", {}, "0123"),
        ("texted 202-555-0123.", {}, "0123"),
        ("x", {"phone": "+12025550123"}, "0123"),
        ("x", {"phone": 12025550123}, "0123"),
        ("x", {"person": {"given_name": "Ada", "n": 1}}, "Ada"),
        ("x", {"emails": ["ada@example.org"]}, "ada@"),
        ("x", {"by_email": {"ada@example.org": 3}}, "ada@"),
        ("x", {"rows": [{"deep": ("call +12025550123", 1)}]}, "0123"),
        ("x", {"other": {"+12025550123"}}, "0123"),
        ("x", {"birth_date": "1815-12-10"}, "1815"),
    ],
)
def test_people_are_masked(form: str, event: str, facts: dict[str, object], private: str) -> None:
    """Phones, emails and names do not show: in the event, in facts, nested, as numbers or as keys."""
    out = written(format=form)
    logs.logger().info(event, **facts)
    assert out.getvalue().count("\n") == 1
    assert private not in out.getvalue()


def test_unmask_shows_people_but_never_a_key() -> None:
    out = written(unmask=True)
    logs.logger().info("Bearer abcdef123 ada@example.org", phone="+12025550123", api_key="s3cret")
    assert "ada@example.org" in out.getvalue()
    assert "+12025550123" in out.getvalue()
    assert "abcdef123" not in out.getvalue()
    assert "s3cret" not in out.getvalue()


@pytest.mark.parametrize("unmask", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        "Authorization: Bearer XYZZY-123",
        "Basic WFlaWlktMTIzXYZZY",
        "api_key=XYZZY123",
        '{"token": "XYZZY123"}',
        "https://api.example.org/?api-key=XYZZY1",
    ],
)
def test_a_key_in_running_text_is_masked(said: str, unmask: bool) -> None:
    out = written(unmask=unmask)
    logs.logger().warning(said)
    assert "XYZZY" not in out.getvalue()


def test_a_secret_inside_an_address_does_not_keep_the_rest_of_it_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short password may be a word of somebody's email."""
    monkeypatch.setattr(logs, "_hidden", set())  # else "example" would be hidden from every test after this one
    logs.hide("example")
    assert logs.text("ask ada.l@example.org or ada.example@home.test") == "ask <email> or <email>"


def test_a_hidden_secret_is_masked_wherever_it_turns_up() -> None:
    """Also where nothing around it says that it is one."""
    out = written()
    logs.hide("correct-horse")
    logs.logger().info("got correct-horse", path="/v1/correct-horse/x")
    assert "horse" not in out.getvalue()


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_a_traceback_tells_where_but_not_whom(form: str) -> None:
    """Local variables are left out, and the message is masked; the function's name stays."""
    out = written(format=form)

    def somewhere() -> None:
        held = "local-" + "variable"
        raise ValueError(f"duplicate carol@example.org{held[:0]}")

    try:
        somewhere()
    except ValueError:
        logs.logger().exception("sync.failed")
    assert "somewhere" in out.getvalue()
    assert "ValueError" in out.getvalue()
    assert "local-variable" not in out.getvalue()
    assert "carol@" not in out.getvalue()


def test_dates_counts_and_ids_are_not_mistaken_for_phones() -> None:
    out = written()
    logs.logger().info("read since 2026-11-20 05:14:43", calls=1234567890123, ref="PJ2ad0100821a98bea")
    assert "since 2026-11-20 05:14:43" in out.getvalue()
    assert "1234567890123" in out.getvalue()
    logs.logger().info("http://127.0.0.1:45117/v1 is busy")
    assert "127.0.0.1:45117" in out.getvalue()
    assert "PJ2ad0100821a98bea" in out.getvalue()


def test_libraries_are_masked_too_and_the_chatty_ones_kept_down() -> None:
    """httpx tells every address at INFO, with the phones and emails in its query."""
    out = written(level="debug")
    logging.getLogger("httpx").info("GET https://api.example.org/?email=eq.ada")
    logging.getLogger("library").warning("mail to %s", "ada@example.org")
    assert "GET" not in out.getvalue()
    assert json.loads(out.getvalue())["event"] == "mail to <email>"


def test_below_the_level_nothing_is_written() -> None:
    out = written(level="warning")
    logs.logger().info("quiet")
    logs.logger().warning("loud")
    assert "quiet" not in out.getvalue()
    assert "loud" in out.getvalue()


def test_configured_twice_each_event_is_still_written_once() -> None:
    first, second = written(), written()
    logs.logger().info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


@pytest.mark.parametrize(("method", "priority"), [("error", 3), ("warning", 4), ("info", 6)])
def test_journald_learns_how_bad_it_is(monkeypatch: pytest.MonkeyPatch, method: str, priority: int) -> None:
    """systemd reads `<n>` at the start of a line."""
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    out = written()
    getattr(logs.logger(), method)("x")
    assert out.getvalue().startswith(f"<{priority}>{{")


def test_context_bound_around_a_run_is_on_its_lines() -> None:
    out = written()
    with structlog.contextvars.bound_contextvars(run_id="r-1"):
        logs.logger().info("x")
    assert json.loads(out.getvalue())["run_id"] == "r-1"


def test_importing_the_module_is_cheap() -> None:
    """`rosterd --help` must not wait for structlog."""
    code = "import sys, daemon.logs; sys.exit('structlog' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("mask", "given", "shown"),
    [
        (logs.mask_phone, "+12025550123", "+1202•••0123"),
        (logs.mask_phone, "55512", "•••12"),
        (logs.mask_email, "ada@example.org", "a•••@example.org"),
        (logs.mask_email, "nonsense", "•••"),
        (logs.mask_name, "Ada Sample", "A••• S•••"),
        (logs.mask_name, "", ""),
    ],
)
def test_masks_for_people(mask: object, given: str, shown: str) -> None:
    assert mask(given) == shown  # type: ignore[operator]
