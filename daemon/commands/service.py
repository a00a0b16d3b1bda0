"""`rosterd service`: the unit files, written, shown and taken away."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from daemon.commands.options import Globals, as_json
from daemon.errors import RosterdError
from daemon.output import json_out, say
from daemon.service import advice, install, program, units
from daemon.service.install import Place
from daemon.service.units import Wanted


@click.group()
def command() -> None:
    """Install or remove rosterd as a systemd service. docs/systemd.md explains every line of it.

    \b
    sudo /opt/rosterd/bin/rosterd service install
    rosterd service install --user --sync
    rosterd service show
    """


def _roster(_: click.Context, __: click.Parameter, value: str | None) -> str:
    if value is not None and not units.ROSTER.fullmatch(value):
        raise click.BadParameter("up to 23 small letters, digits, - and _, a letter first: --name atlanta")
    return value or ""


def which(decorated: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which unit is meant."""
    for option in (
        click.option(
            "--user", is_flag=True, help="A service of your own, under your session, instead of the machine's."
        ),
        click.option("--name", metavar="ROSTER", callback=_roster, help="One of several: /etc/rosterd/ROSTER.toml."),
        click.option("--sync", is_flag=True, help="A timer that calls `rosterd sync`, instead of the long run."),
    ):
        decorated = option(decorated)
    return decorated


at_root = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/"),
    help="Write below this folder instead of /, and tell no systemd; for packagers.",
)
config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration it reads, if not the usual one.",
)
forced = click.option("--force", is_flag=True, help="Even over edited files, or from a place that may go away.")


@command.command("install")
@which
@config_option
@at_root
@forced
@as_json
@click.pass_context
def install_(
    ctx: click.Context, user: bool, name: str, sync: bool, config: Path | None, root: Path, force: bool, as_json: bool
) -> None:
    """Write the unit files for this installation, and say what is left to do. Starts nothing.

    Files that are as they should be are left alone; edited ones are not overwritten. After an upgrade, run it again.

    \b
    sudo /opt/rosterd/bin/rosterd service install
    sudo /opt/rosterd/bin/rosterd service install --name atlanta
    rosterd service install --user
    """
    wanted, place = Wanted(user, sync, name), Place(user, root.absolute())
    asked = _config(ctx, wanted, config)
    _possible(place)
    texts = _texts(wanted, asked, force=force)
    done = install.write({place.units / file: text for file, text in texts.items()}, force=force)
    links = install.link(place)
    reloaded = place.live and install.systemctl(place, "daemon-reload").returncode == 0
    read = asked or place.config / f"{name or 'config'}.toml"
    steps = advice.steps(wanted, read, place.staged(read))
    if as_json:
        files = [{"path": path, "did": what} for path, what in _named(done).items()]
        json_out({"files": files, "links": _strings(links), "reloaded": reloaded, "next": steps})
        return
    for path, what in _named(done).items():
        say(f"{what} {path}")
    for at in links:
        say(f"linked {at}")
    say(f"told systemd: {wanted.systemctl} daemon-reload" if reloaded else f"not told systemd: {_untold(place)}")
    say()
    say("Next", bold=True)
    for step in steps:
        say(f"  {step}")


def _config(ctx: click.Context, wanted: Wanted, config: Path | None) -> Path | None:
    """The file asked for, here or before the command. None: the usual one."""
    shared = ctx.find_object(Globals)
    asked = config or (shared.config if shared else None)
    if asked is None:
        return None
    if wanted.name:
        raise click.UsageError("--config does not go with --name: a template serves every /etc/rosterd/ROSTER.toml.")
    path = asked.absolute()
    hidden = [*program.HOMES, *program.fleeting()]
    if not wanted.user and any(path.is_relative_to(folder) for folder in hidden):
        raise RosterdError(f"the service does not see {path}", hint="/etc/rosterd/config.toml is the usual place")
    return path


def _texts(wanted: Wanted, config: Path | None, *, force: bool) -> dict[str, str]:
    from daemon.cli import installed_version

    found = program.program(user=wanted.user, force=force)
    return {
        file: units.rendered(wanted, file, program=found, config=config, version=installed_version())
        for file in wanted.files
    }


def _possible(place: Place) -> None:
    """There is a systemd to write for, and we may."""
    if place.root != Path("/"):
        return
    if not install.SYSTEMD.exists():
        raise RosterdError(
            "systemd does not run this machine",
            hint="call `rosterd sync` from cron (docs/configuration.md), or write for another machine with --root",
        )
    if not place.user and os.geteuid():
        raise RosterdError("only root may do that", hint="with sudo; or --user, for a service of your own")


def _untold(place: Place) -> str:
    return "--root is for later" if place.root != Path("/") else "its manager does not run, or did not listen"


def _named(done: dict[Path, str]) -> dict[str, str]:
    return {str(path): what for path, what in done.items()}


def _strings(paths: list[Path]) -> list[str]:
    return [str(path) for path in paths]


@command.command()
@which
@at_root
@click.option("--force", is_flag=True, help="Also files that were edited, or that somebody else wrote.")
@as_json
def uninstall(user: bool, name: str, sync: bool, root: Path, force: bool, as_json: bool) -> None:
    """Stop the service and remove what install wrote. Configuration, keys and database stay.

    \b
    sudo /opt/rosterd/bin/rosterd service uninstall
    rosterd service uninstall --user --sync
    """
    wanted, place = Wanted(user, sync, name), Place(user, root.absolute())
    _possible(place)
    _nobody_elses(place, wanted, force=force)
    stopped, still = install.stop(place, wanted), install.others(place, wanted)
    removed = [] if still else install.remove(place, wanted)
    unlinked = [] if list(place.units.glob("rosterd*.*")) else install.unlink(place)
    reloaded = place.live and install.systemctl(place, "daemon-reload").returncode == 0
    if as_json:
        found = {"stopped": [wanted.unit] if stopped else [], "removed": _strings(removed + unlinked)}
        json_out({**found, "kept_for": still, "reloaded": reloaded, "left": _left(place, wanted)})
        return
    if stopped:
        say(f"stopped and disabled {wanted.unit}")
    for path in removed + unlinked:
        say(f"removed {path}")
    if still:
        say(f"kept {', '.join(wanted.files)}: in use by {', '.join(still)}")
    elif not removed:
        say("nothing was installed")
    for line in _left(place, wanted):
        say(f"left alone: {line}")


def _nobody_elses(place: Place, wanted: Wanted, *, force: bool) -> None:
    paths = [place.units / file for file in wanted.files]
    edited = [str(path) for path in paths if install.content(path) is not None and not install.ours(path)]
    if edited and not force:
        raise RosterdError(f"{', '.join(edited)}: edited, or written by somebody else", hint="--force removes it too")


def _left(place: Place, wanted: Wanted) -> list[str]:
    """What only a person may throw away, as far as it is there."""
    dropins = [place.units / f"{file}.d" for file in wanted.files]
    state = place.root / f"var/lib/rosterd{'-' if wanted.name else ''}{wanted.name}"
    found = [*dropins, place.staged(place.config), *([] if wanted.user else [state])]
    return [str(path) for path in found if path.exists()]


@command.command()
@which
@config_option
@as_json
@click.pass_context
def show(ctx: click.Context, user: bool, name: str, sync: bool, config: Path | None, as_json: bool) -> None:
    """The unit files as install would write them.

    \b
    rosterd service show --sync
    """
    wanted = Wanted(user, sync, name)
    texts = _texts(wanted, _config(ctx, wanted, config), force=True)
    if as_json:
        json_out(texts)
    else:
        click.echo("\n".join(texts.values()), nl=False)
