"""``docs/cli.md``, made from the commands themselves: ``python -m nbops.cli.reference > docs/cli.md``.

Written from the parameters rather than from click's help pages, whose layout changes between releases of click.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nbops.cli.app import COMMANDS, PROGRAM, program

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["reference"]

_TOP = """# Command line

<!-- Made by `python -m nbops.cli.reference > docs/cli.md`; a test fails when it is out of date. -->
"""
_REST = """## Output and environment

Tables are as wide as the terminal; into a file or pipe they are plain text. What a terminal would obey (escape sequences,
control characters, marks that turn the direction of writing) is written out. `--json` prints JSON in UTF-8.

| variable | |
|---|---|
| `NO_COLOR` | set to anything: no colours |
| `NBOPS_DEBUG` | set to anything: errors come with a traceback |
| `COLUMNS` | width of tables on a terminal |

Errors are written to standard error, and start with `nbops:`. Every command answers `--help` (`-h`).
"""


def reference() -> str:
    """Return the reference of all commands in Markdown."""
    return "\n".join([_TOP, *_program(), *(line for name in sorted(COMMANDS) for line in _command(name)), _REST.rstrip(), ""])


def _program() -> Iterator[str]:
    context = click.Context(program, info_name=PROGRAM)
    yield from _body(program, context)
    yield "| command | |"
    yield "|---|---|"
    for name in sorted(COMMANDS):
        command = program.get_command(context, name)
        if command is not None:
            yield f"| [`{name}`](#{PROGRAM}-{name}) | {command.short_help} |"
    yield ""


def _command(name: str) -> Iterator[str]:
    parent = click.Context(program, info_name=PROGRAM)
    command = program.get_command(parent, name)
    if command is None:  # pragma: no cover - COMMANDS is what get_command goes by
        return
    yield f"## {PROGRAM} {name}"
    yield ""
    yield from _body(command, click.Context(command, info_name=name, parent=parent))


def _body(command: click.Command, context: click.Context) -> Iterator[str]:
    pieces = [piece for piece in command.collect_usage_pieces(context) if piece]
    yield f"```\n{context.command_path} {' '.join(pieces)}\n```"
    yield ""
    yield (command.help or "").strip()
    yield ""
    options = [item for item in command.params if isinstance(item, click.Option)]
    if options:
        yield "| option | |"
        yield "|---|---|"
        yield from (f"| {_names(option)} | {_meaning(option)} |" for option in options)
        yield ""
    if command.epilog:
        text = command.epilog.replace("\b\n", "")
        yield f"```\n{text}\n```"
        yield ""


def _names(option: click.Option) -> str:
    value = "" if option.is_flag or option.count else f" {option.metavar}"
    return ", ".join(f"`{name}{value}`".replace("|", "\\|") for name in option.opts)


def _meaning(option: click.Option) -> str:
    default = f" Default: {option.default}." if option.show_default is True else ""
    return f"{option.help or ''}{default}".replace("|", "\\|")


if __name__ == "__main__":
    click.echo(reference(), nl=False)
