"""What a run adds to git: the reference pipeline on real days, one day later each run, every tenth run with nothing to do.

``python -m benchmarks.history --runs 100 --out history.json``. In a fresh clone of this repository. What a run adds is weighed on
disk: by how much ``.git`` has grown once the run, and the packing that goes on after it, have ended; as packs are begun and
merged, also over each ten runs of a kind in a row. Beside it stand the sizes of the run's own objects (blobs, trees, commit),
each compressed by itself, which is what git holds until it is packed; what they take on the disk after the last run, as
deltas mostly; how much ``.git`` had grown when the build returned; and the thin pack that a push or a fetch transfers.
``.git`` is weighed as a whole besides, as it is and, in a copy, after ``git gc``.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared/data/ecommerce/online_retail/by_day"
WINDOW = 10
"""Runs of a kind over which growth is averaged, since a pack that is begun holds one version of each page whole."""
_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER: what a build leaves behind becomes a child of this process
_WAIT_SECONDS = 900.0
WEIGHED_AFTER = (1, 10, 50, 100)
"""Runs after which ``.git`` is weighed and pages are rendered again."""
_RENDER = """
import json, sys, time
from pathlib import Path
from nbops.pages.render import render_index, render_run
from nbops.record.store import latest_run
from nbops.pages.summaries import summaries
from nbops.history.matrix import matrix_rows
from nbops.workflow.comparing import beside
reports, cache = Path(sys.argv[1]), Path(sys.argv[2])
run = latest_run(reports)
for page in (reports / "runs" / run.id).rglob("*.html"):
    page.unlink()
rows = matrix_rows(reports, cache)
render_index(summaries(reports, cache), latest=run, reports=reports, rows=rows)
began = time.process_time()
found = beside(run, reports)
render_run(run, reports=reports, accepted=found.accepted, previous=found.previous)
rows = matrix_rows(reports, cache)
render_index(summaries(reports, cache), latest=run, reports=reports, accepted=found.accepted, rows=rows)
print(time.process_time() - began)
"""


def git(folder: Path, *arguments: str) -> str:
    """Return what a git command says."""
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout.strip()


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def added(folder: Path, before: str, after: str) -> dict[str, Any]:
    """Return the bytes of the objects that the commits after ``before`` added, each compressed alone, all and by kind of file."""
    kinds: dict[str, int] = {}
    for line in git(folder, "rev-list", "--objects", after, "--not", before).splitlines():
        name, _, path = line.partition(" ")
        size = len(zlib.compress(_content(folder, name), 9))
        kind = _kind(path)
        kinds[kind] = kinds.get(kind, 0) + size
    return {"unpacked_bytes": sum(kinds.values()), "kinds": dict(sorted(kinds.items()))}


def _content(folder: Path, name: str) -> bytes:
    kind = git(folder, "cat-file", "-t", name)
    return subprocess.run(["git", "-C", str(folder), "cat-file", kind, name], check=True, capture_output=True).stdout


def _kind(path: str) -> str:
    if not Path(path).suffix:
        return "trees and commit"
    file = Path(path)
    if file.name == "run.json":
        return "ledger"
    if file.parent.name in {"tasks", "datasets", "figures", "profiles", "archive", "assets"}:
        return f"{file.parent.name}/*{file.suffix}"
    return "page of the run" if "runs" in file.parts else f"reports/{file.name}"


def clone(work: Path, source: Path) -> Path:
    """Make the fresh clone."""
    folder = work / "project"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(source), str(folder)], check=True)
    for name, value in (("user.name", "Benchmark"), ("user.email", "benchmark@example.com")):
        git(folder, "config", name, value)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which the clone's own nbops is imported."""
    return {**os.environ, "PYTHONPATH": str(folder / "src")}


def weigh(folder: Path, work: Path, *, base: int) -> dict[str, Any]:
    """Return the size of ``.git`` without what the clone brought, and the CPU time of rendering the latest run again."""
    packed = work / "packed"
    shutil.copytree(folder / ".git", packed)
    subprocess.run(["git", "-C", str(packed), "gc", "--quiet", "--prune=now"], check=True)
    found = {"git_bytes": size_of(folder / ".git") - base, "git_bytes_after_gc": size_of(packed) - base}
    shutil.rmtree(packed)
    copy = work / "reports"
    shutil.copytree(folder / "reports", copy)
    arguments = [sys.executable, "-c", _RENDER, str(copy), str(work / "cache")]
    said = subprocess.run(arguments, check=True, capture_output=True, text=True, env=environment(folder)).stdout
    shutil.rmtree(copy)
    return {**found, "render_cpu_seconds": round(float(said), 3)}


def build(folder: Path, command: Sequence[str], log: Path) -> tuple[int, float]:
    """Build once; return the exit code and the CPU seconds of the build and everything it started."""
    before = os.times()
    with log.open("ab") as stream:
        done = subprocess.run(list(command), cwd=folder, env=environment(folder), stdout=stream, stderr=stream, check=False)
    after = os.times()
    return done.returncode, after.children_user + after.children_system - before.children_user - before.children_system


def settle() -> float:
    """Wait for what builds have left to go on after them, such as packing; return its CPU seconds."""
    until, spent = time.monotonic() + _WAIT_SECONDS, 0.0
    while time.monotonic() < until:
        try:
            process, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return spent
        spent += used.ru_utime + used.ru_stime
        if not process:
            time.sleep(0.05)
    raise SystemExit(f"What a build left behind did not end in {_WAIT_SECONDS:g} seconds.")


def pushed(folder: Path, before: str, after: str) -> int:
    """Return the bytes of the thin pack of some commits: what a push or fetch transfers of them."""
    names = git(folder, "rev-list", "--objects", f"{before}..{after}").encode()
    command = ["git", "-C", str(folder), "pack-objects", "--thin", "--stdout", "-q", "--delta-base-offset", "--revs"]
    revisions = f"{after}\n--not\n{before}\n".encode()
    return len(subprocess.run(command, input=revisions, check=True, capture_output=True).stdout) if names else 0


def held(folder: Path, before: str, after: str) -> int:
    """Return the bytes that the objects of some commits take on the disk as they are stored now, as deltas or whole."""
    names = [line.split(" ", 1)[0] for line in git(folder, "rev-list", "--objects", after, "--not", before).splitlines()]
    command = ["git", "-C", str(folder), "cat-file", "--batch-check=%(objectsize:disk)"]
    said = subprocess.run(command, input="\n".join(names), check=True, capture_output=True, text=True).stdout
    return sum(int(size) for size in said.split())


def measure(
    *, runs: int, data: Path, window: int, tool: Sequence[str], work: Path, every: int = 10, source: Path = ROOT
) -> dict[str, Any]:
    """Run everything.

    Args:
        runs: How many runs.
        data: Folder of daily files, ``YYYY-MM-DD.csv.gz``.
        window: Days that a run reads.
        tool: The command that builds, such as ``["ploomber"]``.
        work: Scratch folder.
        every: Each such run has nothing to do.
        source: The repository.

    Returns:
        What each run added, and a summary.
    """
    days = sorted(path.name.split(".")[0] for path in data.glob("*.csv.gz"))
    if len(days) < window:
        raise SystemExit(f"{data}: {window} daily files are needed, found {len(days)}.")
    folder = clone(work, source)
    git(folder, "gc", "--quiet", "--prune=now")
    base, start, found = size_of(folder / ".git"), 0, []
    made: list[tuple[str, str]] = []
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_ORPHANS, 1, 0, 0, 0)
    for number in range(1, runs + 1):
        idle = number % every == 0
        start = min(start + (0 if idle or number == 1 else 1), len(days) - window)
        parameters = ["--env--source", str(data), "--env--since", days[start], "--env--until", days[start + window - 1]]
        before, weight, began = git(folder, "rev-parse", "HEAD"), size_of(folder / ".git"), time.monotonic()
        code, cpu = build(folder, [*tool, "build", *parameters], work / "log.txt")
        one: dict[str, Any] = {
            "run": number,
            "kind": "first" if number == 1 else "unchanged" if idle else "changed",
            "exit_code": code,
        }
        one |= {"cpu_seconds": round(cpu, 2), "seconds": round(time.monotonic() - began, 2)}
        one["bytes_at_once"] = size_of(folder / ".git") - weight
        one["packing_cpu_seconds"] = round(settle(), 2)
        one["bytes"] = size_of(folder / ".git") - weight
        after = git(folder, "rev-parse", "HEAD")
        one["pushed_bytes"] = pushed(folder, before, after)
        one |= added(folder, before, after)
        one |= weigh(folder, work, base=base) if number in WEIGHED_AFTER or number == runs else {}
        found.append(one)
        print(json.dumps(one), file=sys.stderr, flush=True)
        made.append((before, after))
    for one, (before, after) in zip(found, made, strict=True):
        one["held_bytes"] = held(folder, before, after)
    return {"runs": found, "window_days": window, "command": [Path(tool[0]).name, *tool[1:], "build"], "summary": summary(found)}


def summary(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return median and largest bytes by kind of run, and the weights of ``.git``."""
    said: dict[str, Any] = {}
    for kind in ("first", "changed", "unchanged"):
        sizes = [one["bytes"] for one in found if one["kind"] == kind]
        if sizes:
            windows = windowed(sizes)
            said[kind] = {
                "runs": len(sizes),
                "median_bytes": statistics.median(sizes),
                "mean_bytes": round(statistics.mean(sizes)),
                "most_bytes": max(sizes),
                "median_window_bytes": round(statistics.median(windows)),
                "most_window_bytes": round(max(windows)),
                **{
                    f"median_{name}": statistics.median(one[name] for one in found if one["kind"] == kind)
                    for name in ("unpacked_bytes", "held_bytes", "bytes_at_once", "pushed_bytes", "packing_cpu_seconds")
                },
            }
    said["git"] = {
        str(one["run"]): {key: one[key] for key in ("git_bytes", "git_bytes_after_gc", "render_cpu_seconds")}
        for one in found
        if "git_bytes" in one
    }
    return said


def windowed(sizes: Sequence[float]) -> list[float]:
    """Return the mean of each ``WINDOW`` sizes in a row, of all where there are fewer."""
    width = min(WINDOW, len(sizes))
    return [statistics.mean(sizes[at : at + width]) for at in range(len(sizes) - width + 1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says; print or write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of daily files")
    parser.add_argument("--window", type=int, default=60, help="days that a run reads")
    parser.add_argument("--every", type=int, default=10, help="each such run has nothing to do")
    parser.add_argument("--tool", default=str(Path(sys.executable).with_name("ploomber")), help="what builds, before `build`")
    parser.add_argument("--out", type=Path, help="file of the result; standard output without it")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="nbops-history-") as work:
        tool = options.tool.split()
        result = measure(
            runs=options.runs,
            data=options.data.resolve(),
            window=options.window,
            tool=tool,
            work=Path(work),
            every=options.every,
        )
    text = json.dumps(result, indent=1) + "\n"
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return int(any(one["exit_code"] for one in result["runs"]))


if __name__ == "__main__":
    sys.exit(main())
