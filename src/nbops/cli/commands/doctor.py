"""``nbops doctor``."""

from __future__ import annotations

import click

from nbops.cli.common import OK, PROBLEM, epilog

__all__ = ["command"]


@click.command("doctor", help="x", short_help="x", epilog=epilog(("nbops doctor",), codes={OK: "x", PROBLEM: "y"}))
def command() -> int:  # noqa: D103 - see _HELP
    return OK
