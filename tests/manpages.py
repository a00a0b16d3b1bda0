"""The manual pages, made from the commands, the settings and the mapping language: what `--help` and the docs say.

They stand in docs/man and ship in the wheel; `python -m tests.docs_tables --write` makes them anew. (click-man asks a
group for its commands before they are imported, and does not escape what troff takes for a request.)
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from daemon.cli import COMMANDS, main
from daemon.platforms import registry
from daemon.settings_service import Alerts, Keep, Service

ROOT = Path(__file__).parents[1]
MAN = ROOT / "docs" / "man"
DATE = "2026-11-28"
"""Of the pages, so that they are the same whenever they are made. Changes with a release."""

SIGNALS = {
    "SIGTERM": "Finish the page or batch in hand, within [service] drain, and exit 0. A second one exits at once.",
    "SIGINT": "The same, as by Ctrl-C.",
    "SIGHUP": "Read the configuration and the mappings again. If anything is wrong with them, say so and keep the old.",
    "SIGUSR1": "Look for changes now, whatever the schedule says.",
}
ENVIRONMENT = {
    "ROSTERD_CONFIG": "The configuration file, unless --config names one.",
    "ROSTERD_TABLE__KEY": "A setting, over what the file says: ROSTERD_STATE__URL is url in [state].",
    "ROSTERD_LOG": "The least that is worth a line of the log: debug, info, warning or error.",
    "CREDENTIALS_DIRECTORY": "Where systemd puts credentials; keys of accounts are read from there, such as "
    "connections__strive_atl__api_key.",
    "NO_COLOR": "No colours in the log.",
}
FILES = {
    "./config.toml, /etc/rosterd/config.toml": "The configuration: the first that is there.",
    "/var/lib/rosterd/state.db": "The database, unless [state] url says otherwise. It holds personal data.",
}

Pairs = Iterable[tuple[str, str]]


def files() -> Iterator[tuple[Path, str]]:
    """Every page, with what should stand in it."""
    yield MAN / "man1" / "rosterd.1", program()
    context = click.Context(main, info_name="rosterd")
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        yield MAN / "man1" / f"rosterd-{name}.1", page_of(context, name, command)
    yield MAN / "man5" / "rosterd.toml.5", settings()
    yield MAN / "man5" / "rosterd-mapping.5", mapping()


# troff


def plain(text: str) -> str:
    """Text that troff takes as it is written; what does not fit into ASCII by its number."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def marked(text: str) -> str:
    """As `plain`; what stands between backticks is bold."""
    parts = text.split("`")
    told = "".join(f"\\fB{plain(part)}\\fR" if place % 2 else _inner(part) for place, part in enumerate(parts))
    return told if told.startswith("\\") or told[:1] not in (".", "'") else f"\\&{told}"


def _inner(text: str) -> str:
    return plain(text).removeprefix("\\&")


def head(name: str, section: int, about: str) -> list[str]:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    title = f'.TH "{plain(name.upper())}" "{section}" "{DATE}" "rosterd {version}" "rosterd manual"'
    return [title, ".SH NAME", f"{plain(name)} \\- {marked(about.rstrip('.'))}"]


def listed(pairs: Pairs) -> Iterator[str]:
    """Words, each with what it means."""
    for word, means in pairs:
        yield ".TP"
        yield f"\\fB{plain(word)}\\fR"
        yield marked(means) if means else "\\&"


def prose(text: str) -> Iterator[str]:
    """Paragraphs of a help text; what click leaves as it is (\\b) stays as it is."""
    first = True
    for block in inspect.cleandoc(text).split("\n\n"):
        lines = block.splitlines()
        if lines and lines[0].strip() == "\b":
            yield from (".PP", ".RS 4", ".nf", *map(plain, lines[1:]), ".fi", ".RE")
        elif lines:
            yield from ([] if first else [".PP"])
            yield marked(" ".join(line.strip() for line in lines))
        first = False


def whole(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


# rosterd(1) and rosterd-COMMAND(1)


def program() -> str:
    context = click.Context(main, info_name="rosterd")
    lines = head("rosterd", 1, "one roster of people, true on every platform")
    lines += [".SH SYNOPSIS", ".B rosterd", "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]"]
    lines += [".SH DESCRIPTION", *prose(main.help or "")]
    lines += [".SH OPTIONS", *listed(options(context, main))]
    lines += [".SH COMMANDS", *listed((f"rosterd-{name}(1)", about) for name, about in COMMANDS.items())]
    lines += [".SH EXIT STATUS", *listed(exit_codes())]
    if "run" in COMMANDS:
        lines += [".SH SIGNALS", "Of \\fBrosterd run\\fR:", *listed(SIGNALS.items())]
    lines += [".SH FILES", *listed(FILES.items()), ".SH ENVIRONMENT", *listed(ENVIRONMENT.items())]
    return whole([*lines, *see_also("rosterd")])


def exit_codes() -> Iterator[tuple[str, str]]:
    """As docs/configuration.md has them."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    for code, means, does in re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", text.partition("\n## ")[0], re.MULTILINE):
        yield code, f"{means}. A script: {does}."


def page_of(above: click.Context, name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name, parent=above)
    lines = head(f"rosterd-{name}", 1, COMMANDS[name])
    lines += [".SH SYNOPSIS", *usage(context, command)]
    lines += [".SH DESCRIPTION", *prose(command.help or "")]
    if pairs := options(context, command):
        lines += [".SH OPTIONS", *listed(pairs)]
    if isinstance(command, click.Group):
        lines += [".SH COMMANDS", *_below(context, command)]
    return whole([*lines, *see_also(f"rosterd-{name}")])


def _below(above: click.Context, group: click.Group) -> Iterator[str]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=above)
        yield f".SS {plain(context.command_path)}"
        yield from usage(context, command)
        yield ".PP"
        yield from prose(command.help or "")
        yield from listed(options(context, command))


def usage(context: click.Context, command: click.Command) -> list[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    return [f"\\fB{plain(context.command_path)}\\fR {plain(pieces)}"]


def options(context: click.Context, command: click.Command) -> list[tuple[str, str]]:
    found = [one.get_help_record(context) for one in command.params if isinstance(one, click.Option)]
    return [one for one in found if one is not None]


def see_also(name: str) -> list[str]:
    others = ["rosterd(1)", "rosterd.toml(5)", "rosterd-mapping(5)"]
    shown = [f"\\fB{plain(one[:-3])}\\fR{one[-3:]}" for one in others if one[:-3] != name]
    return [".SH SEE ALSO", ", ".join(shown)]


# rosterd.toml(5) and rosterd-mapping(5): the tables of the documentation


def rows(table: str) -> Iterator[list[str]]:
    """The rows of a table of the documentation, without its head."""
    from tests.docs_tables import TABLES, _of

    long_run = {"service": _of(Service), "alerts": _of(Alerts), "keep": _of(Keep)}
    for line in {**long_run, **TABLES}[table]().splitlines()[2:]:
        yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def keys(table: str, second: str) -> Iterator[str]:
    """Each key with its meaning, and what the second column says, under this word."""
    for key, more, means in rows(table):
        told = f"{second}: {more}." if more else ""
        yield from listed([(key.strip("`"), f"{means} {told}".strip())])


def sections(tables: Mapping[str, str], second: str) -> Iterator[str]:
    for title, table in tables.items():
        yield f".SS {plain(title)}"
        yield from keys(table, second)


def settings() -> str:
    tables = {"[state]": "state", "[defaults]": "defaults", "[connections.NAME]": "connection"}
    tables |= {f'[connections.NAME] with platform = "{name}"': name for name in registry.PLATFORMS}
    tables |= {f"[{name}]": name for name in ("identity", "consent", "fuse", "service", "alerts", "keep", "log")}
    lines = head("rosterd.toml", 5, "the configuration of rosterd")
    lines += [
        ".SH DESCRIPTION",
        marked(
            "One TOML file says which accounts there are and what rules hold. It is called config.toml, and looked for "
            "as `rosterd`(1) says. `rosterd config example` prints one with every key; `rosterd check` says what is "
            "wrong with yours, `rosterd config set` changes a key in it. Paths in it are relative to it. Durations are "
            'written "90s", "5m", "1h30m", "7d" or "2w".'
        ),
        ".SH KEYS",
    ]
    return whole([*lines, *sections(tables, "Default"), *see_also("rosterd.toml")])


def mapping() -> str:
    records = {"A field, under fields:": "rule", "tags:": "tags", "A channel, under consent:": "channel"}
    records |= {"A condition, under where:": "conditions", "An outreach, under outreach:": "outreach"}
    lines = head("rosterd-mapping", 5, "which field is which, for a connection of rosterd")
    lines += [
        ".SH DESCRIPTION",
        marked(
            "A YAML file for each connection says where a platform keeps what; both directions come from one table. It "
            "builds on the preset of the platform, which `rosterd mapping preset` prints. `rosterd mapping try` shows "
            "what becomes of a record, `rosterd check` what is wrong, and whom a change would touch."
        ),
        ".SH KEYS",
        *sections(records, "Takes"),
        ".SH TRANSFORMS",
        *listed(
            (name.strip("`"), f"{means} Undone when written: {undone}.") for name, means, undone in rows("transforms")
        ),
    ]
    return whole([*lines, *see_also("rosterd-mapping")])
