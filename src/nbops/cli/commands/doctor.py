"""``nbops doctor``."""

from __future__ import annotations

import click

from nbops.cli.common import OK, PROBLEM, epilog

__all__ = ["command"]
