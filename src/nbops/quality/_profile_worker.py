"""The process that makes profiles: ``python -m nbops.quality._profile_worker``, JSON lines in, JSON lines out.

A line of input holds the fields of a ``ProfileRequest`` and ``seconds``. Output says ``{"event": "ready"}`` once
the profiler is imported (the larger part of the time), then ``{"event": "result", ...}`` for each line, with the finished page in
it: the worker writes no file, so one that outlives its parent does no harm.

A process of its own, because the profiler takes seconds to import, hundreds of megabytes, prints, warns and can hang.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import json
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from nbops.errors import DataError
from nbops.quality._profile_load import DoubtfulError, Loaded, load_lean, load_whole, settings_of
from nbops.quality._profile_page import Page, render_page
from nbops.quality._profile_process import PARENT
from nbops.quality._profile_restart import WHOLE, Questions, start_again
from nbops.quality._profile_sample import Field, Reader, Sample, correlatable, schema_of

__all__ = ["describe", "main", "serve_only"]

_MODULE = "nbops.quality._profile_worker"
_GRACE_SECONDS = 5.0
_NICENESS = 10
"""Profiles are off a build's critical path: its tasks come first."""
_PR_SET_PDEATHSIG = 1


def describe(profiler: Any, frame: Any, fields: Sequence[Field]) -> tuple[Any, frozenset[str]]:
    """Let the profiler describe a frame; a column that it cannot bear is left out, not the whole page.

    Returns:
        The description (None when no column could be described), and the keys of the columns left out.
    """
    schema = dict(schema_of(fields, len(frame)))
    correlated, able = correlatable(fields, len(frame))
    # the profiler takes no other columns into it, so that it can be done along with the rest
    together = correlated == able

    def attempt(columns: Sequence[str], *, correlate: bool = False) -> Any:
        typed = {key: schema[key] for key in columns if key in schema}
        try:
            return profiler(frame[list(columns)].copy(), type_schema=typed, **settings_of(correlate=correlate)).get_description()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  # whatever it is, it is the profiler's fault with these values
            return None

    keys = [field.key for field in fields]
    description = attempt(keys, correlate=together)
    if description is None:
        keys = [key for key in keys if attempt([key]) is not None]
        description = attempt(keys) if keys else None
        together = False
    if description is not None and not together:
        # their cost grows with the square of the columns, so they get a description of their own, of fewer
        left = [key for key in correlated if key in keys]
        _correlate(description, attempt(left, correlate=True) if left else None)
    return description, frozenset(field.key for field in fields) - frozenset(keys)


def _correlate(description: Any, other: Any) -> None:
    """Add another description's correlations."""
    if other is not None:
        description.correlations = other.correlations
        high = [alert for alert in other.alerts if alert.alert_type.name == "HIGH_CORRELATION"]
        description.alerts = [*description.alerts, *high]


def main(questions: Questions, answers: IO[str]) -> int:
    """Answer questions until there are no more (or the parent is gone).

    The profiler is imported without what its statistics do not need. When anything is wrong with that, the process starts itself
    again with the whole of it, before it has given an answer.

    Args:
        questions: A JSON document a line: the fields of a ``ProfileRequest``, and ``seconds``.
        answers: Takes a JSON document a line.

    Returns:
        The exit code: 0, or 3 when the profiler cannot be imported.
    """
    try:
        profiler = load_whole() if WHOLE in os.environ else load_lean()
    except DoubtfulError:
        start_again(_MODULE, questions, answers)
    except ImportError as error:
        _say(
            answers, {"event": "broken", "error": f"{error} cannot be imported. Try: pip install ydata-profiling 'setuptools<81'"}
        )
        return 3
    if not questions.rest:  # else it was said by what this process was before
        _say(answers, {"event": "ready"})
    with Reader() as reader:
        for line in questions:
            request = json.loads(line)
            # the parent keeps the time; this is for when it is gone
            faulthandler.dump_traceback_later(float(request["seconds"]) + _GRACE_SECONDS, exit=True)
            answer = _serve(profiler, reader, request)
            if profiler.doubtful:
                reader.close()
                start_again(_MODULE, questions, answers, question=line)
            _say(answers, {"event": "result", **answer})
            faulthandler.cancel_dump_traceback_later()
    return 0


def _serve(profiler: Loaded, reader: Reader, request: Mapping[str, Any]) -> dict[str, Any]:
    started = time.monotonic()
    stage = "reading"
    try:
        sample = reader.read(
            Path(request["data"]),
            data_format=request["format"],
            personal=request["personal"],
            sample_rows=request["sample_rows"],
            text=request["text"],
            shown=request["dataset"],
            whole=not request["measurements"],
        )
        stage = "profiling"
        description, unbearable = describe(profiler, sample.frame, sample.fields) if _has_values(sample) else (None, frozenset())
        stage = "rendering"
        html = render_page(Page(request=request, sample=sample, description=description, unbearable=unbearable))
    except DataError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001  # one bad dataset must not cost the others their profiles
        return {"error": _trouble(stage, error)}
    return {
        "html": html,
        "rows": sample.rows,
        "sampled": len(sample.frame) if sample.frame is not None else 0,
        "columns": len(sample.columns),
        "profiled": len(sample.fields) - len(unbearable),
        "seconds": time.monotonic() - started,
        "peak_memory_bytes": _peak_memory(),
    }


def _peak_memory() -> int | None:
    """Return the most memory this process had, in bytes; None where the system does not say.

    ``ru_maxrss`` would count the parent's too: Linux keeps it over ``exec``.
    """
    with contextlib.suppress(OSError):
        found = re.search(rb"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_bytes())
        return int(found.group(1)) * 1024 if found else None
    return None


def _has_values(sample: Sample) -> bool:
    return bool(sample.fields) and len(sample.frame) > 0


def _trouble(stage: str, error: BaseException) -> str:
    """Say what went wrong without the exception's text: DuckDB quotes the line of the file, pandas the value."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{stage} failed with {type(error).__name__}{where}"


def _say(out: IO[str], message: Mapping[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


def serve_only(parent: int) -> None:
    """Be of low priority, and gone when the parent is, however it ends (where there is no such call: once no question comes)."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    if PARENT in os.environ and WHOLE not in os.environ:
        serve_only(int(os.environ[PARENT]))
    # libraries print; what they print must not land among the answers
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.exit(main(Questions.resumed(0), answers))
