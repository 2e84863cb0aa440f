"""Pages of old runs go, ledgers stay: which runs keep their pages, and taking the others away.

Which old runs have none any more is noted in a cache, so that the end of a build does not look through all of them again.
``nbops gc`` does.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from nbops.errors import LedgerError
from nbops.record.figures import unused_figures
from nbops.record.homes import homes_in
from nbops.record.ledger import document_of
from nbops.record.store import LEDGER, ledger_path, replace_file, run_folders, write_failure

__all__ = ["forget_pruned", "prune", "prune_seldom", "runs_with_pages", "runs_without_pages"]

_PAGES = frozenset({".html", ".ipynb"})
_PRUNED_AT_ONCE = 10
_IDLE_TIMES = 5
"""How many times as many old runs a run with nothing to do has to find before it takes their pages."""
_CACHE_FILE, _VERSION = "pruned.json", 1


def runs_without_pages(reports: Path, keep: int) -> list[str]:
    """Return the runs whose pages may go: all but the newest ``keep`` and those whose pages a kept run leads to, oldest first.

    Args:
        reports: The project's ``reports`` folder.
        keep: How many runs keep their pages; at least 1.

    Raises:
        LedgerError: ``keep`` is below 1.
    """
    _checked(keep)
    return _old_pages(reports, keep, cache=None)[0]


def _old_pages(reports: Path, keep: int, *, cache: Path | None) -> tuple[list[str], list[str], str]:
    """Return the runs whose pages may go, other old ones that have pages, and the newest of the old ones; oldest first."""
    ids = run_folders(reports)
    names, newest = ids[:-keep], ids[-keep:]
    until, there = _noted(cache)
    end = names[-1] if names else ""
    old = [
        run_id
        for run_id in [*(one for one in there if one <= min(until, end)), *names[bisect_right(names, until) :]]
        if (reports / "runs" / run_id / LEDGER).is_file() and any(_pages(reports / "runs" / run_id))
    ]
    kept = runs_with_pages(reports, newest) if old else frozenset()
    gone = [run_id for run_id in old if run_id not in kept]
    return gone, [run_id for run_id in old if run_id in kept], end


def _noted(cache: Path | None) -> tuple[str, list[str]]:
    """Return up to which run pages were looked for, and which of these runs had some."""
    with suppress(OSError, ValueError, RecursionError, TypeError, KeyError, LedgerError):
        if cache is not None:
            data = json.loads((cache / _CACHE_FILE).read_bytes())
            if data["version"] == _VERSION:
                there = sorted(str(one) for one in data["there"] if ledger_path(cache, str(one)))
                return str(data["until"]), there
    return "", []


def _note(cache: Path, until: str, there: Sequence[str], *, last: str) -> None:
    text = json.dumps({"version": _VERSION, "until": until, "there": there, "last": last})
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        replace_file(cache / _CACHE_FILE, text.encode(), durable=False)


def _last_pruned(cache: Path | None) -> str:
    """Return the newest of the old runs when pages last went; empty where that is not known."""
    with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
        if cache is not None:
            data = json.loads((cache / _CACHE_FILE).read_bytes())
            return str(data.get("last", data["until"])) if data["version"] == _VERSION else ""
    return ""


def forget_pruned(cache: Path) -> None:
    """Forget which runs have no pages, since pages of old runs are about to be made again; they go when it is time for that."""
    with suppress(OSError):
        if (cache / _CACHE_FILE).is_file():
            _note(cache, "", [], last=_last_pruned(cache))


def runs_with_pages(reports: Path, wanted: Sequence[str]) -> frozenset[str]:
    """Return some runs and those that the pages of these lead to, however many steps away."""
    known, found, left = frozenset(run_folders(reports)), set[str](), list(wanted)
    while left:
        run_id = left.pop()
        found.add(run_id)
        left += [home for home in _homes(reports, run_id) if home in known and home not in found]
    return frozenset(found)


def _homes(reports: Path, run_id: str) -> list[str]:
    """Return the runs whose pages a run's page leads to; a damaged ledger names none."""
    with suppress(OSError, UnicodeDecodeError, LedgerError, TypeError, AttributeError):
        return list(homes_in(document_of(ledger_path(reports, run_id).read_bytes().decode())))
    return []


def prune(reports: Path, keep: int, *, cache: Path | None = None) -> list[Path]:
    """Remove the pages (HTML, executed notebooks, figures) of old runs; ledgers stay for ever.

    Args:
        reports: The project's ``reports`` folder.
        keep: How many runs keep their pages; at least 1. So do older ones that their pages lead to.
        cache: Folder of the note which old runs have no pages, such as ``.nbops/cache``; None looks at all.

    Returns:
        The files that were removed, sorted.

    Raises:
        LedgerError: ``keep`` is below 1, or a page could not be removed.
    """
    _checked(keep)
    removed: list[Path] = []
    gone, there, until = _old_pages(reports, keep, cache=cache)
    for run_id in gone:
        folder = reports / "runs" / run_id
        try:
            removed += _remove_pages(folder)
        except OSError as error:
            raise write_failure(folder, error) from error
    names = run_folders(reports)
    for figure in unused_figures(reports, [*there, *names[bisect_right(names, until) :]]) if removed else ():
        with suppress(OSError):  # taken next time
            figure.unlink()
            removed.append(figure)
    if cache is not None:
        _note(cache, until, there, last=until)
    return sorted(removed)


def _checked(keep: int) -> None:
    if keep < 1:
        raise LedgerError(f"keep_runs: {keep}: at least 1 is needed, as the latest run is shown by the index page.")


def prune_seldom(reports: Path, keep: int, *, cache: Path | None = None, idle: bool = False) -> list[Path]:
    """Do what :func:`prune` does once enough runs have come: up to a fifth more runs than ``keep``, but ten, keep their pages.

    Each time it rewrites what leads to the pages that go: pages of incidents and of older runs. A run with nothing to do leaves
    that to one that adds to the history anyway, unless none came for long.

    Args:
        reports: The project's ``reports`` folder.
        keep: How many runs keep their pages; at least 1.
        cache: Folder of the note up to which run pages were removed; None looks at all runs.
        idle: The newest run had nothing to do.

    Returns:
        The files that were removed, sorted.

    Raises:
        LedgerError: ``keep`` is below 1, or a page could not be removed.
    """
    names = run_folders(reports)[: -max(1, keep)]
    due = len(names) - bisect_right(names, _last_pruned(cache))
    wanted = max(1, min(_PRUNED_AT_ONCE, keep // 5)) * (_IDLE_TIMES if idle else 1)
    return prune(reports, keep, cache=cache) if due >= wanted else []


def _pages(folder: Path) -> Iterator[Path]:
    """Yield the pages of a run."""
    for where, _, files in os.walk(folder):
        yield from (Path(where, name) for name in files if Path(name).suffix in _PAGES)


def _remove_pages(folder: Path) -> list[Path]:
    removed: list[Path] = []
    for where, folders, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(where, name)
            if path.suffix in _PAGES:
                path.unlink()
                removed.append(path)
        for name in folders:
            with suppress(OSError):  # only what is empty by now
                Path(where, name).rmdir()
    return removed
