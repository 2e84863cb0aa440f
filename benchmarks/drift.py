"""Daily files judged in turn by the schema monitor."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.watched import DATA, a_run, measured
from nbops.history.index import open_history
from nbops.history.monitors import judge

if TYPE_CHECKING:
    from nbops.model import Anomaly

__all__ = ["judged_files"]


def judged_files(name: str) -> dict[str, set[str]]:
    """Return what the schema monitor says of each daily file, by day, in the words of the truth."""
    found: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with open_history(work / "reports", work / "cache") as history:
            for path in sorted((DATA / "schema_drift" / name).glob("*.csv")):
                day = dt.datetime.strptime(path.stem[:10], "%Y-%m-%d" if path.stem[4] == "-" else "%m-%d-%Y").date()  # noqa: DTZ007
                copied = work / "orders.csv"
                copied.write_bytes(_of_one_kind(path.read_bytes()))
                run = a_run(day, measured(copied, day=day, work=work))
                history.add(run)
                words = {word(item) for item in judge(run, history).raised if item.monitor == "schema"}
                if words:
                    found[day.isoformat()] = words
    return found


def _of_one_kind(text: bytes) -> bytes:
    """Return a file's text; nbops refuses one that mixes line ends, with an error that says so."""
    crlf, lf = text.count(b"\r\n"), text.count(b"\n")
    return text.replace(b"\r\n", b"\n") if 0 < crlf < lf else text


def word(item: Anomaly) -> str:
    """Return an anomaly in the words of the truth."""
    if item.metric.startswith("renamed:"):
        return f"{item.metric}:{item.observed}"
    if item.metric in {"added", "removed"}:
        return f"{item.metric}:{item.column}"
    return {"storage:bom": "bom", "format": "format"}.get(item.metric, f"{item.metric}:{item.column or ''}:{item.observed}")
