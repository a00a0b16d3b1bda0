"""`rosterd completion`: the script that lets a shell complete commands, options, connections, settings and holds."""

from __future__ import annotations

import click

WHERE = {
    "bash": (
        "Bash 4.4 or newer, with bash-completion: put this where it is found by its name,",
        "    rosterd completion bash > ~/.local/share/bash-completion/completions/rosterd",
        "for everybody: /usr/share/bash-completion/completions/rosterd. Without bash-completion,",
        'write this into ~/.bashrc:  eval "$(rosterd completion bash)"',
    ),
    "zsh": (
        "Put this into a folder of $fpath under the name _rosterd, before compinit is called in ~/.zshrc,",
        "    rosterd completion zsh > ~/.zfunc/_rosterd      with  fpath=(~/.zfunc $fpath)  in ~/.zshrc",
        "for everybody: /usr/local/share/zsh/site-functions/_rosterd",
    ),
    "fish": (
        "Put this where fish looks for it,",
        "    rosterd completion fish > ~/.config/fish/completions/rosterd.fish",
        "for everybody: /usr/share/fish/vendor_completions.d/rosterd.fish",
    ),
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(WHERE)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete what you type. Its first lines say where to put it.

    It completes commands and options, names of connections, settings, and numbers of holds, from the configuration
    that --config or $ROSTERD_CONFIG names.

    \b
    rosterd completion bash > ~/.local/share/bash-completion/completions/rosterd
    rosterd completion zsh > ~/.zfunc/_rosterd
    rosterd completion fish > ~/.config/fish/completions/rosterd.fish
    """
    click.echo(script(ctx.find_root().command, shell), nl=False)


def script(program: click.Command, shell: str) -> str:
    """What the shell is to run, with what to do with it. zsh wants its #compdef on the first line."""
    from click.shell_completion import get_completion_class

    from daemon.cli import COMPLETE

    made = get_completion_class(shell)
    assert made is not None
    lines = made(program, {}, "rosterd", COMPLETE).source().strip().splitlines()
    first = [lines.pop(0)] if lines[0].startswith("#compdef") else []
    return "\n".join([*first, *(f"# {line}" for line in WHERE[shell]), "", *lines]) + "\n"
