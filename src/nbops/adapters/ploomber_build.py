"""Ploomber's own ``build`` command, called in this process."""

from __future__ import annotations

from functools import cache
from typing import Any

import jupyter_client.kernelspec  # noqa: F401 - what every notebook task needs of it while it is rendered
from ploomber import repo
from ploomber.cli import build
from ploomber.exceptions import BaseException as PloomberError
from ploomber.exceptions import DAGBuildError, DAGRenderError
from ploomber.executors import _format

__all__ = ["BuildFailed", "message_of", "run_build"]

BuildFailed = DAGBuildError
"""What Ploomber raises when a build did not succeed; its cause is what nbops raised, if it did."""


def run_build() -> Any:
    """Run ``ploomber build`` on the arguments in ``sys.argv`` and print its report.

    Raises:
        DAGBuildError: The build did not succeed.
        SystemExit: The arguments are wrong, or the build was stopped.
        Exception: Whatever Ploomber, or the project's code, raised while the pipeline was loaded.
    """
    for asked in ("is_repo", "git_hash"):  # of git, for `{{git}}`: four times what is the same each time
        setattr(repo, asked, cache(getattr(repo, asked)))
    return build.main(catch_exception=False)


def message_of(error: Exception) -> str:
    """Return what ``ploomber build`` prints for an error: a message, or the traceback of what nobody foresaw."""
    if isinstance(error, (DAGBuildError, DAGRenderError)):
        return str(error)
    if isinstance(error, PloomberError):
        return str(error.get_message())
    return str(_format.exception(error))
