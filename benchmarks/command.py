"""The command line: which sections to run, what to keep, what to write."""

from __future__ import annotations

import argparse
import fcntl
import importlib
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from benchmarks.context import Context, default_python
from benchmarks.harness import LACKS, run_experiment, say
from benchmarks.machine import made_where
from benchmarks.report import write_reports
from benchmarks.results import load, merge, save

__all__ = ["SECTIONS", "main"]

SECTIONS = (
    "kernels",
    "floor",
    "pipelines",
    "noop",
    "reference",
    "checks",
    "profiles",
    "history",
    "growth",
    "render",
    "readonly",
    "lab",
    "causes",
    "nab",
    "monitoring",
)
_HERE = Path(__file__).parent


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures nbops beside the tools that do the same.")
    parser.add_argument("--only", default="", help=f"sections or experiments, by commas; sections: {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether everything runs and is right, not how fast")
    parser.add_argument("--rounds", type=int, help="rounds of every experiment, instead of its own number")
    parser.add_argument("--contestants", default="", help="only these, separated by commas")
    parser.add_argument("--python", type=Path, default=default_python(), help="interpreter of the environment that has nbops")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "nbops-benchmarks"), help="scratch folder, kept")
    parser.add_argument("--out", type=Path, help="folder of what is written; benchmarks/, for --quick one in --work")
    parser.add_argument("--plan", action="store_true", help="print what would run, and end")
    parser.add_argument("--report", action="store_true", help="only write RESULTS.md and results.html again from results.json")
    return parser.parse_args(arguments)


def _sections(only: Sequence[str]) -> list[tuple[str, ModuleType]]:
    known = [name for name in SECTIONS if (_HERE / "sections" / f"{name}.py").exists()]
    unknown = {item.split(".")[0] for item in only} - set(known)
    if unknown:
        raise SystemExit(f"unknown section: {', '.join(sorted(unknown))}. Allowed: {', '.join(known)}.")
    chosen = [name for name in known if not only or name in {item.split(".")[0] for item in only}]
    return [(name, importlib.import_module(f"benchmarks.sections.{name}")) for name in chosen]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit code."""
    options = _parse(arguments)
    only = [item for item in options.only.split(",") if item]
    sections = _sections(only)
    out = options.out or (options.work / "quick" if options.quick else _HERE)
    if options.report:
        write_reports(load(out / "results.json"), out)
        return 0
    minutes = sum(module.MINUTES for _, module in sections)
    for name, module in sections:
        say(f"{name:10} {'' if options.quick else f'about {module.MINUTES:4.1f} min'}  {module.TITLE}")
    say("" if options.quick else f"{'all':10} about {minutes:4.1f} min on two quiet cores, and once the peers' installation")
    if options.plan:
        return 0
    options.work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        return _run(options, only, sections, out, command=_public(arguments if arguments is not None else sys.argv[1:]))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep others from writing results to the same folder: whoever ended last would lose what the other one measured."""
    folder = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(
                f"Another benchmark is running and writes its results to {out}. Both at once would slow each other: wait for it, "
                "or give another folder with --out."
            ) from None
        yield
    finally:
        os.close(folder)


def _run(
    options: argparse.Namespace,
    only: Sequence[str],
    sections: Sequence[tuple[str, ModuleType]],
    out: Path,
    *,
    command: Sequence[str],
) -> int:
    results = load(out / "results.json") if options.out or not options.quick else {"experiments": {}}
    # not resolved: the path of an environment's interpreter is what makes it that environment's
    context = Context(work=options.work.resolve(), python=options.python.absolute(), quick=options.quick, rounds=options.rounds)
    wanted = {item for item in options.contestants.split(",") if item}
    broken = 0
    for name, module in sections:
        began = time.monotonic()
        where = {**made_where(context, shlex.join(["python", "-m", "benchmarks", *command])), "quick": options.quick}
        for experiment in module.experiments(context):
            if any("." in item for item in only) and not {experiment.key, name} & set(only):
                continue
            say(f"{experiment.key}: {experiment.title}")
            if wanted:
                experiment.contestants = [one for one in experiment.contestants if one.key in wanted]
            run_experiment(experiment, say=say)
            # the quick form leaves out beforehand what is not installed; whoever is left must give the right answer
            wrong = [reason for reason in experiment.skipped.values() if not reason.startswith(LACKS)]
            broken += len(wrong) if options.quick else not experiment.samples
            results = merge(results, experiment, section=(name, module.TITLE), order=SECTIONS, made=where)
            save(out / "results.json", results)
            write_reports(results, out)
        say(f"{name}: {(time.monotonic() - began) / 60:.1f} min")
    return 1 if broken else 0


def _public(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without those that hold paths of this machine."""
    kept, skip = [], False
    for one in arguments:
        if skip:
            skip = False
        elif one in {"--python", "--work", "--out"}:
            skip = True
        elif not one.startswith(("--python=", "--work=", "--out=")):
            kept.append(one)
    return kept
