"""What a notebook checks itself, handed to the run: one JSON line for each result.

The run names a file in the environment variable ``NBOPS_NOTES`` of each task. A line is written by one call on a file opened for
appending, so that kernels and their children may write at once; it begins with a line break, so that a line which a killed
process left half-written spoils only itself.
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any, get_args

from nbops.model import Check, CheckResult, Verdict
from nbops.quality.sqltext import json_value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["NOTED", "NOTES_VARIABLE", "noted", "noted_by", "read_notes", "write_notes"]

NOTES_VARIABLE = "NBOPS_NOTES"
NOTED = "notebook of "
"""How the origin of a check begins that a notebook made, before the name of its task."""
_MAX_TEXT = 1_000


def write_notes(results: Iterable[CheckResult]) -> bool:
    """Append results to the notes of the run in progress.

    Returns:
        Whether a run is in progress.

    Raises:
        OSError: The file cannot be written.
    """
    target = os.environ.get(NOTES_VARIABLE)
    if not target:
        return False
    descriptor = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        for result in results:
            line = json.dumps(_plain(dataclasses.asdict(result)), ensure_ascii=True, allow_nan=False)
            os.write(descriptor, f"\n{line}\n".encode())
    finally:
        os.close(descriptor)
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    plain = json_value(value)
    return plain[:_MAX_TEXT] if isinstance(plain, str) else plain


def read_notes(path: Path) -> tuple[CheckResult, ...]:
    """Read the results that a task's notebooks noted; none when there is no file.

    A result under the same dataset and id replaces the earlier one. A half-written last line is left out: its writer was killed,
    and the task failed of that. Any other line that is no result becomes an ``errored`` one, since what it said is lost.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    found: dict[tuple[str, str], CheckResult] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            result = _result(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            if number == len(lines):
                continue
            result = _lost(number)
        found[(result.check.dataset, result.check.id)] = result
    return tuple(found.values())


def _lost(number: int) -> CheckResult:
    check = Check(id=f"notes.{number}", dataset="", metric="expectation", severity="warn", origin="notebook")
    return CheckResult(check=check, verdict="errored", message=f"Line {number} of the notebook's notes could not be read.")


def _result(data: Any) -> CheckResult:
    made = Check(
        **{
            **data["check"],
            "arguments": _tuples(data["check"].get("arguments", ())),
            "expected": _tuples(data["check"].get("expected")),
        }
    )
    examples = tuple(dict(row) for row in data.get("examples", ()))
    result = CheckResult(**{**data, "check": made, "examples": examples})
    texts = [made.id, made.dataset, made.metric, made.origin, result.message]
    if (
        result.verdict not in get_args(Verdict)
        or made.severity not in {"warn", "error"}
        or not all(isinstance(item, str) for item in texts)
    ):
        raise ValueError("no result")
    return result


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def noted(result: CheckResult, task: str) -> CheckResult:
    """Say which task noted a result; a contract's rule judged within a notebook is not the judgement of what was published."""
    return dataclasses.replace(result, check=dataclasses.replace(result.check, origin=f"{NOTED}{task} | {result.check.origin}"))


def noted_by(result: CheckResult) -> str | None:
    """Return the task whose code noted a result, or None for a judgement of nbops' own."""
    origin = result.check.origin
    return origin.removeprefix(NOTED).split(" | ", 1)[0] if origin.startswith(NOTED) else None
