"""The ways to tell, each against the real thing: a web server, a program, a mail server."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from daemon.service import alerts_mail
from daemon.service.alerts_mail import mail
from daemon.service.alerts_ways import Untold, command, signature, webhook
from daemon.service.alerts_words import News
from daemon.settings_service import Alerts
from tests.unit.service.receivers import Hook, Mailbox, certificate

ROOT = Path(__file__).parents[3]
SECRET = "0123456789abcdef0123"
NOON = 1_795_867_200.0
BROKEN = News(
    *("failed:strive", "failed", "strive", "broken", NOON, None),
    *("strive cannot be synced: its key is refused", "rosterd check", "roster.example.org", "/etc/rosterd/config.toml"),
)
HEALED = BROKEN.__class__(
    *("failed:strive", "failed", "strive", "healed", NOON, NOON + 60),
    *("strive works again", "", "roster.example.org", "/etc/rosterd/config.toml"),
)
AS_JSON = {
    "incident": "failed:strive@1795867200",
    "kind": "failed",
    "connection": "strive",
    "state": "broken",
    "since": "2026-11-28T12:00:00Z",
    "healed": None,
    "text": "strive cannot be synced: its key is refused",
    "hint": "rosterd check",
    "host": "roster.example.org",
    "config": "/etc/rosterd/config.toml",
}


# a webhook


def documented_check() -> Any:
    """`genuine` as docs/alerts.md shows it to whoever receives."""
    page = (ROOT / "docs" / "alerts.md").read_text()
    found = re.search(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found
    assert len(found[1].strip().splitlines()) <= 9
    names: dict[str, Any] = {}
    exec(found[1], names)  # noqa: S102 our own page
    return names["genuine"]


def test_a_webhook_gets_the_alert_signed() -> None:
    """As the page says it is verified; changed, of another time or signed by another, it is not genuine."""
    with Hook() as hook:
        assert webhook(hook.url, SECRET, BROKEN) == "it answered 204"
    ((path, heads, body),) = hook.got
    assert path == "/hooks/rosterd"
    assert heads["Content-Type"] == "application/json"
    assert json.loads(body) == AS_JSON
    genuine = documented_check()
    assert genuine(heads, body, SECRET)
    assert not genuine(heads, body + b" ", SECRET)
    assert not genuine(heads, body, SECRET + "x")
    later = str(int(heads["X-Rosterd-Timestamp"]) + 1)
    assert not genuine({**heads, "X-Rosterd-Timestamp": later}, body, SECRET)
    old = str(int(time.time()) - 3600)
    replayed = {"X-Rosterd-Timestamp": old, "X-Rosterd-Signature": signature(SECRET, old, body)}
    assert not genuine(replayed, body, SECRET)


def test_a_webhook_that_refuses_has_not_been_told() -> None:
    with Hook(status=503) as hook, pytest.raises(Untold, match=r"it answered 503$"):
        webhook(hook.url, SECRET, BROKEN)


def test_a_webhook_that_sends_us_elsewhere_is_not_followed() -> None:
    """What was signed for one place goes to no other."""
    with Hook() as other, Hook(status=307, heads={"Location": other.url}) as hook:
        with pytest.raises(Untold, match="307, and is not followed elsewhere"):
            webhook(hook.url, SECRET, BROKEN)
        assert other.got == []


def test_a_webhook_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.service.alerts_ways.WEBHOOK_SECONDS", 0.2)
    with Hook(wait=1.0) as hook, pytest.raises(Untold, match="cannot be reached"):
        webhook(hook.url + "?token=s3cret", SECRET, BROKEN)


def test_a_webhook_that_is_away_is_named_without_its_address() -> None:
    """The path of a webhook is as good as a password."""
    with Hook() as hook:
        url = hook.url
    with pytest.raises(Untold) as caught:
        webhook(url, SECRET, BROKEN)
    assert "127.0.0.1" in str(caught.value)
    assert "hooks" not in str(caught.value)


# a command


def script(folder: Path, text: str) -> str:
    path = folder / "page-me"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_command_gets_the_alert_and_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard input, as one JSON document; its words are its own, no shell has seen them."""
    monkeypatch.setenv("ROSTERD_ALERTS__WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    page = script(
        tmp_path, f'cat > {tmp_path}/got; env > {tmp_path}/env; printf %s "$1" > {tmp_path}/word; pwd > {tmp_path}/at'
    )
    assert command([page, "$(id); x"], BROKEN) == "it ended with 0"
    assert json.loads((tmp_path / "got").read_text()) == AS_JSON
    assert (tmp_path / "word").read_text() == "$(id); x"
    assert (tmp_path / "at").read_text() == "/\n"
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names <= {"PATH", "HOME", "LANG", "TZ", "PWD", "SHLVL", "_", "OLDPWD"}
    assert "PATH" in names


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    """Without people in it: what it complains goes into our log."""
    page = script(tmp_path, "echo no route to ada@example.org >&2; exit 7")
    with pytest.raises(Untold, match=r"page-me ended with 7: no route to <email>$"):
        command([page], BROKEN)


def test_a_command_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    (tmp_path / "plain").touch(0o644)
    for name, why in (("missing", "No such file"), ("plain", "Permission denied")):
        with pytest.raises(Untold, match=rf"{name} cannot be run: {why}"):
            command([str(tmp_path / name)], BROKEN)


def test_a_command_that_hangs_is_killed_with_all_it_began(tmp_path: Path) -> None:
    page = script(tmp_path, f"sleep 30 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(Untold, match=r"longer than 0\.4 seconds and was killed"):
        command([page], BROKEN, seconds=0.4)
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not _runs(child):
            break
        time.sleep(0.02)
    assert not _runs(child)


def _runs(process: int) -> bool:
    """A dead one that nobody has asked after is dead."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_that_does_not_listen_and_talks_too_much_has_been_told(tmp_path: Path) -> None:
    """Nor is what it leaves running in the background waited for."""
    page = script(tmp_path, "exec 0<&-; head -c 300000 /dev/zero >&2; sleep 5 & exit 0")
    began = time.monotonic()
    assert command([page], BROKEN) == "it ended with 0"
    assert time.monotonic() - began < 4


# a mail


def settings(box: Mailbox, **more: Any) -> Alerts:
    told = {"email_to": ["oncall@example.org", "ops@example.com"], "email_from": "rosterd@example.org"}
    return Alerts(**{**told, "smtp": f"localhost:{box.port}", **more})


def received(box: Mailbox, at: int = 0) -> Any:
    return email.message_from_bytes(box.got[at][1], policy=email.policy.default)


def test_a_mail_says_what_broke_and_what_to_do() -> None:
    """To everybody who is to be told; that it healed comes as an answer to it."""
    with Mailbox() as box:
        assert mail(settings(box), BROKEN) == "the mail server accepted it"
        mail(settings(box), HEALED)
    assert box.got[0][0] == ["oncall@example.org", "ops@example.com"]
    broken, healed = received(box, 0), received(box, 1)
    assert broken["Subject"] == "[rosterd] broken: strive cannot be synced: its key is refused"
    assert (broken["From"], broken["To"]) == ("rosterd@example.org", "oncall@example.org, ops@example.com")
    assert broken["Auto-Submitted"] == "auto-generated"
    body = broken.get_content()
    for line in (
        "strive cannot be synced: its key is refused.",
        "What to do: rosterd check",
        "Machine: roster.example.org",
    ):
        assert line in body.splitlines()
    assert "Broken since: 2026-11-28 12:00 UTC" in body
    assert healed["Subject"] == "[rosterd] healed: strive works again"
    assert healed["In-Reply-To"] == broken["Message-ID"] != healed["Message-ID"]
    assert "Healed at: 2026-11-28 12:01 UTC" in healed.get_content()
    assert box.said[-1] == "QUIT"


def test_said_twice_it_is_the_same_mail() -> None:
    with Mailbox() as box:
        mail(settings(box), BROKEN)
        mail(settings(box), BROKEN)
    assert received(box, 0)["Message-ID"] == received(box, 1)["Message-ID"]


@pytest.mark.parametrize(
    "address", ["a@example.org\nBcc: eve@example.com", "a@example.org\n", "<a@example.org>", "a b@c"]
)
def test_an_address_with_more_in_it_is_refused(address: str) -> None:
    """It would write into the head of the mail."""
    with Mailbox() as box, pytest.raises(ValueError, match="is no mail address"):
        settings(box, email_to=[address])


def test_nothing_that_is_told_gets_into_the_head_of_a_mail() -> None:
    evil = News("k", "failed", "s", "broken", NOON, None, "x\r\nBcc: eve@example.com\r\n\r\nhello é", "y", "h", "c")
    with Mailbox() as box:
        mail(settings(box), evil)
    message = received(box)
    assert message["Bcc"] is None
    assert message["Subject"] == "[rosterd] broken: x Bcc: eve@example.com hello é"
    assert box.got[0][0] == ["oncall@example.org", "ops@example.com"]


@pytest.mark.parametrize("at_once", [False, True], ids=["starttls", "tls"])
def test_a_password_travels_only_inside_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool) -> None:
    """To a server whose certificate is good; to any other nothing is said."""
    made = certificate(tmp_path)
    way = "tls" if at_once else "starttls"
    login = {"smtp_username": "rosterd", "smtp_password": SecretStr("s-ecret"), "smtp_tls": way}
    with Mailbox(tls=made, at_once=at_once) as box:
        with pytest.raises(Untold, match="a certificate we cannot trust"):
            mail(settings(box, **login), BROKEN)
        assert "AUTH" not in box.said
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        mail(settings(box, **login), BROKEN)
        assert len(box.got) == 1
        assert box.said.index("AUTH") > (-1 if at_once else box.said.index("STARTTLS"))
        with pytest.raises(Untold, match="535"):
            mail(settings(box, **{**login, "smtp_password": SecretStr("wrong-one")}), BROKEN)


def test_without_tls_where_it_is_asked_for_nothing_is_sent() -> None:
    with Mailbox() as box, pytest.raises(Untold, match="STARTTLS"):
        mail(settings(box, smtp_tls="starttls"), BROKEN)
    assert box.got == []


def test_an_address_that_is_refused_does_not_keep_it_from_the_others() -> None:
    with Mailbox(refuses={"ops@example.com"}) as box:
        assert mail(settings(box), BROKEN) == "accepted, but for 1 of 2 addresses (550)"
    assert box.got[0][0] == ["oncall@example.org"]


@pytest.mark.parametrize(
    ("box", "why"),
    [
        (Mailbox(refuses={"oncall@example.org", "ops@example.com"}), r"accepted none of the addresses \(550\)"),
        (Mailbox(fails="MAIL"), "answered 451: not now, says <email>"),
        (Mailbox(hangs=True), "timed out"),
    ],
    ids=["nobody", "not now", "hangs"],
)
def test_a_mail_that_is_not_accepted_says_why(box: Mailbox, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts_mail, "SECONDS", 0.3)
    with box, pytest.raises(Untold, match=why) as caught:
        mail(settings(box), BROKEN)
    assert "@" not in str(caught.value)


def test_a_mail_server_that_is_away_says_so() -> None:
    with Mailbox() as box:
        there = settings(box)
    with pytest.raises(Untold, match=f"localhost:{box.port}: .*refused"):
        mail(there, BROKEN)


def test_a_mail_server_that_says_no_goodbye_has_it_all_the_same() -> None:
    with Mailbox(fails="QUIT") as box:
        assert mail(settings(box), BROKEN) == "the mail server accepted it"


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    """Nor a file left open, however often a command is run."""
    page = script(tmp_path, "exit 1")
    for _ in range(3):
        with pytest.raises(Untold):
            command([page], BROKEN)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with pytest.raises(Untold):
            command([page], BROKEN)
    assert len(os.listdir("/proc/self/fd")) <= before
