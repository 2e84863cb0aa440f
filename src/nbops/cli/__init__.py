"""The command line ``nbops``: parsing and exit codes only; what the commands do lives in the layers below."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The command and its options; those of the process by default.

    Returns:
        The exit code: 0 passed or warned, 1 failed checks, 2 usage, 3 could not work.
    """
    from nbops.cli.app import run  # noqa: PLC0415 - `import nbops.cli` loads nothing else

    return run(arguments)
