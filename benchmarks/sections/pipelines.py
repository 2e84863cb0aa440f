"""Chains and fans of small notebooks: papermill in a loop, Ploomber in its ways, nbops, Dagster, Prefect.

Each round of each contestant starts from a fresh copy in a git repository of its own, with nothing built. What nbops does besides
is all on: contracts for every dataset, checks, profiles, pages, ledger, commit; that it was done is verified after each run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.context import CONTESTANTS, Context
from benchmarks.harness import LACKS, USAGE, Contestant, Experiment, Metric, SkippedError, Usage, execute
from benchmarks.peers import environment_of
from benchmarks.project import Shape, Variant, write_project

__all__ = ["MINUTES", "TASK_SECONDS", "TITLE", "attached_build", "experiments", "fresh_copy", "reported", "verify_data"]

TITLE = "Pipelines of small notebooks"
MINUTES = 15.0

TASK_SECONDS = Metric(key="tasks", label="notebooks' own part", unit="s")
"""Sum of the seconds of the notebooks' tasks: start of the kernel, cells, end; from Ploomber's report and from nbops's ledger."""
_REPORT_LINE = re.compile(r"^t\d+ +True +([0-9.]+) +", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A way to run the notebooks."""

    key: str
    label: str
    command: Callable[[Context], Sequence[str | Path]]
    variant: Mapping[str, object]
    after: Callable[[Usage, Path, int], Mapping[str, float]]
    peer: str | None = None
    about: str = ""
    more: Mapping[str, str] | None = None


def fresh_copy(context: Context, variant: Variant, name: str) -> Path:
    """Write a project with nothing built, committed in a git repository of its own."""
    root = write_project(context.folder("runs") / name, variant)
    for arguments in (["init", "--quiet", "--initial-branch=main"], ["add", "--all"], ["commit", "--quiet", "--message=first"]):
        done = context.unmeasured(["git", *arguments], folder=root)
        if done.returncode:
            raise SkippedError(f"git {arguments[0]}: {done.stderr}")
    return root


def verify_data(context: Context, root: Path) -> None:
    """Check every file that the pipeline should have made."""
    done = context.unmeasured([context.python, CONTESTANTS / "verify_pipeline.py"], folder=root)
    if done.returncode:
        raise SkippedError(f"made the wrong data: {done.stdout}{done.stderr}".strip())


def verify_nbops(context: Context, root: Path, size: int) -> dict[str, Any]:
    """Check that everything that a run promises was done; return its ledger."""
    run = context.latest_run(root)
    if not run:
        raise SkippedError("nbops recorded no run")
    wrong = {
        "its status": run["status"] != "succeeded",
        "its verdict": run["verdict"] != "passed",
        "tasks": len(run["tasks"]) != size or any(task["status"] != "succeeded" for task in run["tasks"]),
        "datasets": len(run["datasets"]) != size,
        "profiles": any(not (root / "reports" / (one.get("profile") or "-")).is_file() for one in run["datasets"]),
        "checks": len(run["checks"]) < 8 * size or any(check["verdict"] != "passed" for check in run["checks"]),
        "pages": not (root / "reports" / "index.html").is_file(),
        "the commit": _commits(context, root) != len(["first", "the run"]),
        "what is left uncommitted": bool(context.unmeasured(["git", "status", "--porcelain"], folder=root).stdout),
    }
    if any(wrong.values()):
        raise SkippedError(f"nbops's run is not whole: {', '.join(what for what, bad in wrong.items() if bad)}")
    return run


def _commits(context: Context, root: Path) -> int:
    return int(context.unmeasured(["git", "rev-list", "--count", "HEAD"], folder=root).stdout)


def attached_build(context: Context, root: Path, size: int) -> Mapping[str, float]:
    """Return the notebooks' own part of an attached build, which is verified."""
    run = verify_nbops(context, root, size)
    return {"tasks": sum(float(task["seconds"]) for task in run["tasks"])}


def reported(usage: Usage) -> Mapping[str, float]:
    """Return the notebooks' own part, as Ploomber reports it."""
    return {"tasks": sum(float(seconds) for seconds in _REPORT_LINE.findall(usage.output))}


def _ways(context: Context) -> Iterator[_Way]:
    def nothing(_usage: Usage, _root: Path, _size: int) -> Mapping[str, float]:
        return {}

    def told(usage: Usage, _root: Path, _size: int) -> Mapping[str, float]:
        return reported(usage)

    def recorded(_usage: Usage, root: Path, size: int) -> Mapping[str, float]:
        return attached_build(context, root, size)

    def ploomber(_: Context) -> Sequence[str | Path]:
        return [context.tool("ploomber"), "build"]

    yield _Way(
        key="papermill",
        label="papermill in a loop",
        about="One process that calls papermill.execute_notebook for each.",
        command=lambda _: [context.python, CONTESTANTS / "papermill_loop.py"],
        variant={},
        after=nothing,
    )
    yield _Way(key="ploomber", label="Ploomber", command=ploomber, variant={}, after=told)
    yield _Way(
        key="ploomber_parallel",
        label="Ploomber, parallel (2)",
        command=ploomber,
        variant={"executor": "parallel"},
        after=nothing,
    )
    yield _Way(
        key="ploomber_engine",
        label="Ploomber with ploomber-engine",
        about="Runs the notebooks in Ploomber's own process, without isolation.",
        command=ploomber,
        variant={"executor": "ploomber-engine"},
        after=told,
    )
    yield _Way(
        key="nbops_attach",
        label="ploomber build with nbops",
        about="on_render: nbops.attach; contracts, checks, profiles, pages, ledger and commit included.",
        command=ploomber,
        variant={"attached": True},
        after=recorded,
    )
    yield _Way(
        key="nbops_build",
        label="nbops build",
        about="The same by nbops's own command.",
        command=lambda _: [context.tool("nbops"), "build"],
        variant={"attached": True},
        after=recorded,
    )
    yield from _others()


def _others() -> Iterator[_Way]:
    def nothing(_usage: Usage, _root: Path, _size: int) -> Mapping[str, float]:
        return {}

    yield _Way(
        key="dagster",
        label="Dagster, in process",
        about="`dagster job execute`, an op a notebook that calls papermill, in-process executor.",
        command=lambda context: [
            environment_of(context, "dagster").parent / "dagster",
            *("job", "execute", "-f", CONTESTANTS / "dagster_job.py", "-j", "notebooks"),
        ],
        variant={},
        after=nothing,
        peer="dagster",
        more={"DAGSTER_DISABLE_TELEMETRY": "yes"},
    )
    yield _Way(
        key="prefect",
        label="Prefect, ephemeral server",
        about="A flow with a task a notebook that calls papermill, run as a script.",
        command=lambda context: [environment_of(context, "prefect"), CONTESTANTS / "prefect_flow.py"],
        variant={},
        after=nothing,
        peer="prefect",
        # https://docs.prefect.io/v3/api-ref/settings-ref: no telemetry, no banner, a server of the flow's own
        more={
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
            "PREFECT_LOGGING_LEVEL": "WARNING",
        },
    )


def _contestant(context: Context, way: _Way, plan: _Plan) -> Contestant:
    shape, size = plan.shape, plan.size
    variant = Variant(shape=shape, size=size, **way.variant)  # type: ignore[arg-type]

    def run(_round: int) -> Mapping[str, float]:
        if way.key == "nbops_build" and not context.has_command("build"):
            raise SkippedError(f"{LACKS} `nbops build`")
        python = environment_of(context, way.peer) if way.peer else context.python
        root = fresh_copy(context, variant, f"{way.key}-{shape}{size}")
        try:
            usage = execute(way.command(context), folder=root, environment=context.environment(python, **(way.more or {})))
            verify_data(context, root)
            return {**usage.values(), **way.after(usage, root, size)}
        finally:
            shutil.rmtree(root, ignore_errors=True)

    rounds = None if way.key in _MAIN else plan.other_rounds
    return Contestant(key=way.key, label=way.label, about=way.about, run=run, rounds=rounds)


_MAIN = frozenset({"papermill", "ploomber", "nbops_attach", "nbops_build"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """One experiment: which contestants, how often."""

    name: str
    shape: Shape
    size: int
    rounds: int
    other_rounds: int
    """Of those that are no main ones."""
    ways: frozenset[str] | None = None
    """``None``: all."""


_QUICK = (_Plan(name="chain", shape="chain", size=2, rounds=1, other_rounds=1, ways=_MAIN),)
_FULL = (
    _Plan(name="chain", shape="chain", size=8, rounds=5, other_rounds=3),
    _Plan(name="fan", shape="fan", size=8, rounds=3, other_rounds=1),
    _Plan(name="chain_large", shape="chain", size=40, rounds=1, other_rounds=1, ways=_MAIN | {"dagster"}),
    _Plan(name="fan_large", shape="fan", size=40, rounds=1, other_rounds=1, ways=(_MAIN | {"ploomber_parallel"}) - {"papermill"}),
)


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield chain and fan, small and large."""
    for plan in _QUICK if context.quick else _FULL:
        yield Experiment(
            key=f"pipelines.{plan.name}",
            title=f"{plan.shape.capitalize()} of {plan.size} notebooks, nothing built",
            about=(
                "Each notebook reads the Parquet upstream of it with pandas, adds a column, writes 1,000 rows. Every "
                "contestant's files are checked after each run, and that nbops recorded, checked, profiled, rendered, committed."
            ),
            baseline="ploomber",
            contestants=[_contestant(context, way, plan) for way in _ways(context) if plan.ways is None or way.key in plan.ways],
            rounds=context.rounds_or(plan.rounds),
            metrics=(*USAGE, TASK_SECONDS),
        )
