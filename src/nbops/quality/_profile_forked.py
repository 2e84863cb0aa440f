"""The process that makes profiles, forked from one that has imported pandas already instead of started anew.

Its first line of input tells the environment that it would have been started with; all else is as in ``_profile_worker``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from collections.abc import Mapping

from nbops.quality._profile_restart import Questions

__all__ = ["run"]


def run(questions: int, answers: int) -> int:
    """Make profiles until there are no more questions.

    Args:
        questions: Descriptor to read from: 0, as for a process that starts itself again.
        answers: Descriptor to write to.

    Returns:
        The exit code; 4 when Python was not started with UTF-8, which the profiler is.
    """
    if sys.getfilesystemencoding() != "utf-8":
        return 4
    asked = Questions(questions)
    start = next(iter(asked), None)
    if start is None:
        return 0
    _take_on(json.loads(start)["environment"])
    gc.disable()  # until the profiler is imported, which enables it
    worker = importlib.import_module("nbops.quality._profile_worker")  # not before somebody wants a profile
    worker.serve_only(os.getppid())
    with os.fdopen(answers, "w", encoding="utf-8") as out:
        return int(worker.main(asked, out))


def _take_on(environment: Mapping[str, str]) -> None:
    """Set the variables, and what Python would have made of them."""
    os.environ.clear()
    os.environ.update(environment)
    sys.pycache_prefix = environment.get("PYTHONPYCACHEPREFIX") or None
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
