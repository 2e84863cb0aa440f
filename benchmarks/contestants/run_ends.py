"""The whole end of runs, with so many before them: ``python run_ends.py FOLDER RUNS ADDED``; CPU milliseconds, by part.

FOLDER becomes a project in a git repository with so many made-up runs, unless it is one already: ledgers and incidents by what
writes them in a build, and the pages, caches and commit of the last few of them. Then runs are added one after the other, each
in a process of its own that knows nothing of those before, by what a build calls: what it does before its first task, and
``conclude``. Git and whatever else is started counts. All of it is taken away again.

Every twentieth run has a check that fails, and the one after it mends it, so that incidents open and are resolved. Runs' data are
made up; nothing is executed or measured. The figures are means over the added runs, so that what is done only now and then
(pages of old runs that go, a page of the archive) counts with its share.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from nbops.contract.config import load_config
from nbops.history.incidents.update import update
from nbops.history.index import open_history
from nbops.model import Check, CheckResult, Column, Dataset, Distribution, Measurement, Run, TaskRun
from nbops.quality.probabilities import PROBABILITIES
from nbops.record import store
from nbops.record.ledger import from_json, to_json
from nbops.record.scrub import Scrubber
from nbops.workflow import aside, runpages
from nbops.workflow import conclude as conclude_module
from nbops.workflow.exporting import Exports
from nbops.workflow.meanwhile import Meanwhile
from nbops.workflow.personal import PersonalAhead
from nbops.workflow.profiling import Profiling
from nbops.workflow.stop import StopSignals

_START = datetime(2000, 1, 1, tzinfo=timezone.utc)
_METRICS = ("nullValues", "minimum", "maximum", "mean", "standardDeviation")
_FAILS_EVERY = 20
_WHOLE = 3
"""Runs at the end of what was there before that have pages and a commit: the first of them makes everything that is missing."""
_PARTS_AT_ONCE = 4
_SETTINGS = "[tool.nbops]\nprofile = false\nexport_wait = 0\n"

_PARTS = {
    "run_before": "ledger",
    "carried_over": "ledger",
    "write_run": "ledger",
    "monitored": "monitors",
    "announce": "incidents",
    "keep_incidents": "incidents",
    "watch_of": "pages",
    "beside": "pages",
    "series_of": "pages",
    "render_run": "pages",
    "prune_seldom": "pages",
    "matrix_rows": "pages",
    "render_index": "pages",
    "_commit": "commit",
}
"""What ``conclude`` and what it calls for pages call, and the part that it belongs to."""


def _dataset(name: str, chance: random.Random, *, verdict: Any) -> Dataset:
    columns = tuple(Column(name=f"c{number}", physical_type="DOUBLE") for number in range(4))
    measured = [
        Measurement(metric=metric, column=column.name, value=3 if metric == "nullValues" else chance.random())
        for column in columns
        for metric in _METRICS
    ]
    spread = [
        Distribution(column=column.name, rows=90, quantiles=tuple(sorted(chance.random() for _ in PROBABILITIES)))
        for column in columns
    ]
    return Dataset(
        name=name,
        task="t",
        path=f"{name}.parquet",
        format="parquet",
        columns=columns,
        rows=100 + chance.randrange(9),
        bytes=1_000 + chance.randrange(9),
        content_hash=f"{chance.getrandbits(128):032x}",
        measurements=tuple(measured),
        distributions=tuple(spread),
        verdict=verdict,
    )


def _made_up(number: int) -> Run:
    """Return a run; the same for the same number."""
    chance = random.Random(number)
    at = _START + timedelta(hours=6 * number)
    fails = number % _FAILS_EVERY == _FAILS_EVERY - 1
    check = Check(id="rows", dataset="d0", metric="rowCount", severity="error")
    verdict: Any = "failed" if fails else "passed"
    return Run(
        id=f"{at:%Y%m%dT%H%M%SZ}-{number:06x}",
        status="succeeded",
        verdict=verdict,
        pipeline="made up",
        command="nbops build",
        started_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
        finished_at=f"{at + timedelta(seconds=9):%Y-%m-%dT%H:%M:%SZ}",
        seconds=9.0,
        tasks=(TaskRun(name="t", kind="notebook", status="succeeded", seconds=1.0 + chance.random()),),
        datasets=tuple(_dataset(f"d{place}", chance, verdict=verdict if not place else "passed") for place in range(3)),
        checks=(CheckResult(check=check, verdict=verdict, observed=100, message="too few rows" if fails else ""),),
    )


def _git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


def _not_synced(fd: Any) -> None:
    """Leave a file to the kernel."""


def _filled(folder: Path, runs: int) -> Path:
    """Return the project; it is made unless it was."""
    root = folder / f"project-{runs}"
    if (folder / f"made-{runs}").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "pyproject.toml").write_text(_SETTINGS, encoding="utf-8")
    (root / ".gitignore").write_text(".nbops/\n", encoding="utf-8")
    _git(root, "init", "-q")
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", "the project")
    reports = root / "reports"
    synced, os.fsync = os.fsync, _not_synced  # ten thousand of them take longer than all else
    _in_parts(runs - _WHOLE, lambda number: store.write_run(reports, _made_up(number)))
    for number in range(runs - _WHOLE):
        if number % _FAILS_EVERY in {_FAILS_EVERY - 1, 0} and number:
            update(reports, store.read_run(reports, _made_up(number).id))
    os.fsync = synced
    with open_history(reports, root / ".nbops/cache") as history:
        history.sync()
    for number in range(runs - _WHOLE, runs):
        _added(root, number)
    _git(root, "repack", "-a", "-d", "-q")  # git gc may be at work by itself
    shutil.copytree(root / ".nbops", folder / f"state-{runs}")
    (folder / f"made-{runs}").touch()
    return root


def _in_parts(numbers: int, work: Callable[[int], object]) -> None:
    """Do something for each number, in several processes; the first of each part refers to no ledger."""
    size = -(-numbers // _PARTS_AT_ONCE)
    children = []
    for first in range(0, numbers, size):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for number in range(first, min(first + size, numbers)):
                    work(number)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    if any(codes):
        raise RuntimeError("the ledgers could not be written")


def _restored(folder: Path, runs: int) -> None:
    """Take away what was added."""
    root = folder / f"project-{runs}"
    _git(root, "reset", "-q", "--hard", "base")
    _git(root, "clean", "-q", "-f", "-d", "-x", "-e", ".nbops")
    shutil.rmtree(root / ".nbops")
    shutil.copytree(folder / f"state-{runs}", root / ".nbops")


def _spent() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return 1_000 * sum(one.ru_utime + one.ru_stime for one in used)


class _Clock:
    """Gives each part what was spent in it, and not in another part that it called."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._open: list[str] = ["else"]
        self._last = _spent()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._tick()
        self._open.append(name)
        try:
            yield
        finally:
            self._tick()
            self._open.pop()

    def _tick(self) -> None:
        now = _spent()
        self.parts[self._open[-1]] = self.parts.get(self._open[-1], 0.0) + now - self._last
        self._last = now

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.part(name):
                return work(*arguments, **options)

        return timed


def _begin(root: Path, run: Run) -> None:
    """Do with ledgers what a build does before its first task."""
    from nbops.record.commit import git_state  # noqa: PLC0415
    from nbops.record.running import alive_here, recover, remove_running, sweep_killed, write_running  # noqa: PLC0415
    from nbops.workflow.watchover import catch_up  # noqa: PLC0415

    config, reports, state = load_config(root), root / "reports", root / ".nbops"
    newest = next(store.newest_ids(reports), "")
    if newest >= run.id:
        raise RuntimeError(f"{newest} is there already")
    store.latest_run(reports)
    git_state(root)
    recover(reports, alive_here(state), state=state)
    catch_up(root, config, [])
    sweep_killed(reports, state)
    write_running(state, run.id)
    begun = replace(run, status="running", verdict="skipped", tasks=(), datasets=(), checks=(), finished_at=None)
    store.write_run(reports, begun)
    remove_running(state, run.id)


def _end(root: Path, run: Run) -> None:
    config, reports = load_config(root), root / "reports"
    profiles = Profiling(root, config, {})
    try:
        done = conclude_module.conclude(
            root=root,
            run_id=run.id,
            config=config,
            run_of=lambda _, notices: replace(run, notices=(*run.notices, *notices)),
            parameters={},
            records={},
            personal_values=PersonalAhead(root, {}, {}),
            profiles=profiles,
            meanwhile=Meanwhile(root, reports, scrubber=lambda: Scrubber(root)),
            wait=0.0,
            stop=StopSignals(),
            exports=Exports(root),
        )
    finally:
        profiles.close()
    if not any(sentence.startswith("committed ") for sentence in done.said):
        raise RuntimeError(f"run {run.id} was not committed: {done.said}")


def _added(root: Path, number: int) -> dict[str, float]:
    """Add a run in a process of its own; return what its parts took."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            clock = _Clock()
            for name, part in _PARTS.items():
                module: Any = conclude_module if hasattr(conclude_module, name) else runpages
                setattr(module, name, clock.around(part, getattr(module, name)))
            setattr(aside, "usable_cores", lambda **_: 1)  # noqa: B010 - what is done beside is not seen by the clock
            run = _made_up(number)
            begun = _spent()
            with clock.part("begin"):
                _begin(root, run)
            before = _spent()
            with clock.part("else"):
                _end(root, run)
            ended = _spent()
            del clock.parts["else"]
            told = {**clock.parts, "end": ended - before, "both": ended - begun}
            os.write(writer, json.dumps(told).encode())
            code = 0
        except BaseException:  # noqa: BLE001
            import traceback  # noqa: PLC0415

            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        printed = stream.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError(f"run {number} could not be added")
    return dict(json.loads(printed))


def _warmed() -> None:
    """Import what the end of a build imports late, so that no run pays for it."""
    for name in (
        "nbops.history.index",
        "nbops.history.monitors",
        "nbops.history.monitors.courses",
        "nbops.history.incidents.update",
        "nbops.workflow.causes",
        "nbops.workflow.build",
        "nbops.pages.notebook",
        "fastjsonschema",
        "numpy",
        "sqlite3",
    ):
        importlib.import_module(name)
    from_json(to_json(_made_up(0)))  # compiles what ledgers are validated by


def main(folder: Path, runs: int, added: int) -> None:
    """Make the project, add runs, print what one took at the mean."""
    _warmed()
    root = _filled(folder, runs)
    if subprocess.run(["git", "rev-parse", "-q", "--verify", "base"], cwd=root, capture_output=True, check=False).returncode:
        _git(root, "tag", "base")
    _restored(folder, runs)
    took = [_added(root, runs + number) for number in range(added)]
    sizes = {name: (root / "reports" / f"{name}.html").stat().st_size / 1e3 for name in ("monitoring", "index")}
    _restored(folder, runs)
    names = sorted({name for one in took for name in one})
    told = {f"{name}_ms": round(sum(one.get(name, 0.0) for one in took) / len(took), 2) for name in names}
    print("@@facts " + json.dumps({**told, **{f"{name}_kb": round(size, 1) for name, size in sizes.items()}}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
