"""``nbops completion``."""

from __future__ import annotations

import click

from nbops.cli.common import COMPLETE_VARIABLE, OK, USAGE, epilog

__all__ = ["command"]

_HELP = """Print the script that completes commands, options, run ids and dataset names in a shell.

Load it from the shell's start-up file; for fish, save it as ~/.config/fish/completions/nbops.fish.
"""


@click.command(
    "completion",
    help=_HELP,
    short_help="Print a shell's completion script.",
    epilog=epilog(
        ("nbops completion bash >> ~/.bashrc", "nbops completion zsh >> ~/.zshrc", "nbops completion fish"),
        codes={OK: "printed", USAGE: "a shell that is not known"},
    ),
)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:  # noqa: D103 - see _HELP
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    from nbops.cli.app import PROGRAM, program  # noqa: PLC0415 - the program imports its commands

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click knows no completion for {shell}.")
    completion = found(program, {}, PROGRAM, COMPLETE_VARIABLE)
    click.echo(completion.source_template % completion.source_vars())  # `source()` would ask the shell for its version first
    return OK
