"""The documentation says what the program does: links, commands, tables, schemas and examples are tried."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

import mappings.load
from daemon import settings
from daemon.cli import main
from daemon.commands import options
from daemon.platforms import registry, telerivet_contact, telerivet_writes
from daemon.sync import deliver
from daemon.sync.verdicts import CHOICES
from mappings.check import check
from mappings.yaml import load as read_yaml
from tests import docs_tables

ROOT = docs_tables.DOCS.parent
PAGES = sorted([*ROOT.glob("*.md"), *docs_tables.DOCS.rglob("*.md")])
FENCE = re.compile(r"^```(\w*)[ ]?(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|[\s/])rosterd ([^#|>&\n]*)")
INLINE = re.compile(r"`rosterd ([^`#|>&]*)[^`]*`")
TESTS = re.compile(r"`(tests/[\w/]+\.py)`")
ONE = '\n[connections.strive_atl]\nplatform = "strive"\ncampaign_id = 273\n'
COLONY = '[connections.colony]\nplatform = "colony"\nusername = "rosterd@example.org"\nclient_id = "0123456789abcdef"\n'


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def fences(*kinds: str) -> Iterator[Any]:
    """Every fenced block of these kinds, as a test case: (second word after the fence, text)."""
    for page in PAGES:
        for number, found in enumerate(FENCE.finditer(text_of(page))):
            if found[1] in kinds:
                yield pytest.param(found[2], found[3], id=f"{name_of(page)}-{number}")


# links


def anchor(heading: str) -> str:
    """A heading's anchor, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    plain = FENCE.sub("", text_of(page))
    return {anchor(line.lstrip("# ")) for line in plain.splitlines() if line.startswith("#")}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """A file that is there, and in a page a heading that is there."""
    for target in LINK.findall(FENCE.sub("", text_of(page))):
        if "://" in target:
            continue
        file, _, place = target.partition("#")
        there = (page.parent / file) if file else page
        assert there.exists(), f"{target} leads nowhere"
        assert not place or place in anchors(there), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_is_named_exists(page: Path) -> None:
    """A promise that names its test has one."""
    for named in TESTS.findall(text_of(page)):
        assert (ROOT / named).exists(), f"{named} is not there"


# commands


def commands() -> Iterator[Any]:
    for page in PAGES:
        found = text_of(page)
        blocks = [block[3] for block in FENCE.finditer(found) if block[1] in ("console", "sh", "ini", "crontab")]
        for typed in dict.fromkeys(line for block in blocks for line in COMMAND.findall(block)):
            yield pytest.param(typed, True, id=f"{name_of(page)}: {typed}")
        for typed in dict.fromkeys(INLINE.findall(FENCE.sub("", found))):
            yield pytest.param(typed, False, id=f"{name_of(page)}: `{typed}`")


def try_command(typed: str, *, whole: bool) -> None:
    """Parse as click would, without doing it. Raises click.UsageError for a command or flag that is not there.

    `whole`: nothing may be missing, and choices must be among those there are.
    """
    command, words, context = main, shlex.split(typed), click.Context(main, info_name="rosterd")
    while True:
        values, words, _ = command.make_parser(context).parse_args(list(words))
        check_values(command, values, whole=whole)
        if not isinstance(command, click.Group) or not words:
            break
        found = command.get_command(context, words[0])
        if found is None:
            raise click.UsageError(f"no command {words[0]!r}")
        command, context, words = found, click.Context(found, parent=context, info_name=words[0]), words[1:]
    if words or (whole and isinstance(command, click.Group) and command is not main):
        raise click.UsageError(f"left over or missing: {words}")


def check_values(command: click.Command, values: dict[str, Any], *, whole: bool) -> None:
    for param in command.params:
        value = values.get(str(param.name))
        if isinstance(value, str) and isinstance(param.type, click.Choice):
            param.type.convert(value, param, None)
        given = isinstance(value, str | bool) or (isinstance(value, tuple) and bool(value))
        if whole and param.required and not given:
            raise click.UsageError(f"{param.name} is missing")


@pytest.mark.parametrize(("typed", "whole"), list(commands()))
def test_every_command_exists_as_it_is_written(typed: str, whole: bool) -> None:
    """Commands and flags in the docs are those of the program."""
    try_command(typed, whole=whole)


@pytest.mark.parametrize(
    "typed",
    ["snyc", "sync --dryrun", "holds decide", "holds", "holds list --kind mach", "status extra", "merge c1 c2 c3"],
)
def test_a_command_that_does_not_exist_would_be_noticed(typed: str) -> None:
    """The check above is one: it refuses what the program would refuse."""
    with pytest.raises(click.UsageError):
        try_command(typed, whole=True)


def test_every_command_is_in_the_docs() -> None:
    """Whoever reads the docs meets every command there is."""
    said = "\n".join(map(text_of, PAGES))
    missing = [name for name in main.list_commands(click.Context(main)) if f"rosterd {name}" not in said]
    assert missing == []


# tables and schemas


@pytest.mark.parametrize(("path", "wanted"), [pytest.param(*each, id=each[0].name) for each in docs_tables.files()])
def test_what_is_made_from_the_code_is_up_to_date(path: Path, wanted: str) -> None:
    """Tables and schemas say what the code says. Mend with: python -m tests.docs_tables --write"""
    assert text_of(path) == wanted


def test_every_table_is_shown_somewhere() -> None:
    """No table is made for nobody: a key in it would not be documented."""
    said = {name for page in PAGES for _, name, _ in docs_tables.MARKED.findall(text_of(page))}
    assert said == set(docs_tables.TABLES)


def test_every_kind_of_hold_has_a_chapter_with_its_choices() -> None:
    """What can be decided is explained, choice by choice, where the kind is explained."""
    page = text_of(docs_tables.DOCS / "holds.md")
    chapters = {part.partition("`")[0]: part for part in page.split("\n## `")[1:]}
    assert set(chapters) == set(CHOICES)
    for kind, choices in CHOICES.items():
        for choice in choices.split(" | "):
            assert re.search(rf"`{choice.split()[0]}\b", chapters[kind]), f"{kind}: {choice}"


def test_every_exit_code_is_documented() -> None:
    """The table of exit codes has the codes that commands end with, and no others."""
    page = text_of(docs_tables.DOCS / "configuration.md")
    chapter = page.partition("## Exit codes")[2].partition("\n## ")[0]
    codes = (0, options.FAILED, options.USAGE, options.PARTIAL, options.LATER, options.CONFIG, options.INTERRUPTED)
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", chapter, re.MULTILINE)] == list(codes)


def test_the_numbers_that_calls_are_reckoned_with_are_the_programs() -> None:
    """The pages about the platforms reckon with these. Who changes one reads those pages again."""
    strive = registry.capabilities("strive")
    telerivet = registry.capabilities("telerivet")
    assert (strive.fetch, strive.compare_and_swap, strive.remove_tags) == (200, True, False)
    assert (telerivet.batch, telerivet_writes.IMPORT, telerivet_writes.FEW) == (200, 200, 25)
    assert (telerivet_contact.VALUE_BYTES, telerivet_contact.MOST_VARS) == (4096, 100)
    assert (deliver.BULK, deliver.FRESH) == (25, 120.0)


# examples


@pytest.mark.parametrize(("_", "text"), list(fences("toml")))
def test_every_configuration_loads(_: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the files it names, and an account where it shows only a part of the whole."""
    monkeypatch.setattr("os.environ", {"PATH": "", "HOME": str(tmp_path)})
    for platform in ("strive", "telerivet"):
        key, mapping = tmp_path / f"{platform}.key", tmp_path / "mappings" / f"{platform}.yaml"
        mapping.parent.mkdir(exist_ok=True)
        mapping.write_text(f"preset: {platform}\n")
        key.touch(mode=0o600)
        key.write_text("example-key\n")
    for name in ("action_network.key", "carium.password", "colony.password", "colony.secret"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text("example\n")
    if "[connections." not in text:
        text += ONE + 'api_key_file = "strive.key"\n'
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    loaded, found = settings.load_all(file)
    assert set(found) == set(loaded.connections)


@pytest.mark.parametrize(("platform", "text"), list(fences("yaml")))
def test_every_mapping_loads_and_is_sound(platform: str, text: str, tmp_path: Path) -> None:
    """`rosterd check` finds nothing to mend in an example, and an editor nothing to underline."""
    file = tmp_path / "mapping.yaml"
    file.write_text(text, encoding="utf-8")
    mapping = mappings.load.load(file, platform=platform)
    able = registry.capabilities(platform)
    found = check(mapping, readable_wire=able.read, writable_wire=able.update | able.create, lengths=able.lengths)
    assert [each for each in found if each.level == "error"] == []
    schema = json.loads(text_of(docs_tables.DOCS / "schema" / "mapping.json"))
    jsonschema.validate(read_yaml(text, "example").value, schema)


def test_the_schema_accepts_the_example_configuration() -> None:
    """An editor underlines nothing in config.example.toml, and does underline a mistake."""
    import tomllib

    schema = json.loads(text_of(docs_tables.DOCS / "schema" / "config.json"))
    example = tomllib.loads(text_of(ROOT / "config.example.toml"))
    jsonschema.validate(example, schema)
    example["fuse"]["updat"] = {"rows": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, schema)


def test_the_credentials_of_the_unit_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names behind LoadCredential= are names that rosterd reads keys from, each its own."""
    page = text_of(docs_tables.DOCS / "systemd.md")
    names = re.findall(r"^LoadCredential=(\w+):", page, re.MULTILINE)
    for name in names:
        (tmp_path / name).write_text(f"key-of-{name}")
    (tmp_path / "state__url").write_text("postgresql:///key_of_state")
    (tmp_path / "config.toml").write_text(ONE + COLONY + '[alerts]\nwebhook = "https://example.org/hook"\n')
    monkeypatch.setattr("os.environ", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    loaded = settings.load(tmp_path / "config.toml")
    for name in names:
        *table, key = name.split("__")
        part: Any = loaded
        for step in table:
            part = part[step] if isinstance(part, dict) else getattr(part, step)
        found = getattr(part, key)
        taken = found if isinstance(found, str) else found.get_secret_value()
        assert taken in (f"key-of-{name}", "postgresql:///key_of_state"), name
    assert loaded.state.url == "postgresql:///key_of_state"
