"""`rosterd alerts`: what broke and healed, and whether anybody would hear of it."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import click

from daemon.commands.options import FAILED, as_json
from daemon.commands.session import session
from daemon.output import clean, json_out, plural, say, table, when
from state.alerts import Alert

HOW = """\
nobody is told of anything: no way is configured. Add one to the configuration, or several:

[alerts]
command = ["/usr/local/bin/page-me"]            # gets the alert as JSON on standard input
webhook = "https://example.org/hooks/rosterd"   # gets it by POST, signed ...
webhook_secret_file = "webhook.secret"          # ... with this: openssl rand -hex 24
email_to = ["oncall@example.org"]
email_from = "rosterd@example.org"
smtp = "localhost:25"
"""


@click.group()
def command() -> None:
    """See what is broken, and try whether alerts arrive.

    \b
    rosterd alerts list
    rosterd alerts test
    """


@command.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only what is still broken.")
@click.option("--limit", default=20, show_default=True, help="At most so many.", type=click.IntRange(1))
@as_json
@click.pass_context
def list_(ctx: click.Context, only_open: bool, limit: int, as_json: bool) -> None:
    """What is broken, then what healed lately. Works beside a running service.

    \b
    rosterd alerts list
    rosterd alerts list --open --json
    """
    with session(ctx).look() as tx:
        found = tx.alerts.recent(limit)
    found = [alert for alert in found if not only_open or alert.state == "broken"]
    if as_json:
        json_out([{**asdict(alert), "state": alert.state} for alert in found])
        return
    if not found:
        say("nothing is broken" if only_open else "there are no alerts")
        return
    table(("alert#", "kind", "connection", "broken since", "told", "healed"), [_row(each) for each in found])
    for alert in found:
        if alert.state == "broken":
            say(f"{alert.id}: {clean(alert.text)}", bold=True)
            say(f"   {clean(alert.hint)}")


def _row(alert: Alert) -> list[Any]:
    return [alert.id, alert.kind, alert.connection, when(alert.since), _told(alert), when(alert.healed_at)]


def _told(alert: Alert) -> str:
    """Who of those that are to be told has been."""
    if alert.owes:
        return f"not yet, after {plural(alert.tries, 'try', 'tries')}" if alert.tries else "not yet"
    return "never" if alert.told_at is None else when(alert.told_at)


@command.command()
@as_json
@click.pass_context
def test(ctx: click.Context, as_json: bool) -> None:
    """Send a test alert by every way that is configured, and say whether it arrived.

    \b
    rosterd alerts test
    """
    from daemon.service.alerts_ways import Untold, ways
    from daemon.service.alerts_words import trial

    settings = session(ctx).settings
    what, outcome = trial(settings, time.time()), []
    for name, way in ways(settings).items():
        try:
            outcome.append({"way": name, "arrived": True, "text": way(what)})
        except Untold as problem:
            outcome.append({"way": name, "arrived": False, "text": str(problem)})
    if as_json:
        json_out(outcome)
    else:
        _show(outcome)
    ctx.exit(0 if outcome and all(each["arrived"] for each in outcome) else FAILED)


def _show(outcome: list[dict[str, Any]]) -> None:
    for each in outcome:
        how = "arrived" if each["arrived"] else "did not arrive"
        say(f"{each['way']}: {how}: {clean(each['text'])}", bold=not each["arrived"])
    if not outcome:
        say(HOW.rstrip())
