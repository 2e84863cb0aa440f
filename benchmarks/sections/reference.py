"""The reference pipeline: warm kernels and nothing else beside everything that nbops does."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.context import CONTESTANTS, Context
from benchmarks.harness import LACKS, USAGE, Contestant, Experiment, SkippedError, execute
from benchmarks.sections.history import real_days
from benchmarks.sections.kernels import has_warm_kernels

__all__ = ["MINUTES", "TITLE", "copy_reference", "experiments", "verify_reference"]

TITLE = "The reference pipeline"
MINUTES = 5.0

_AT_ONCE = 2
_PARTS = ("notebooks", "contracts", "pipeline.yaml", "env.yaml", "pyproject.toml", ".gitignore")
_ROOT = Path(__file__).parents[2]
_DATASETS = 22
_HOOK = "on_render: nbops.attach\n"
_SCALE, _QUICK_SCALE = 20_000, 2_000


def copy_reference(context: Context, name: str, scale: int, *, attached: bool = True, **settings: str) -> Path:
    """Copy the project into a git repository of its own, with nothing built; its env.yaml gets the scale and the settings.

    Without ``attached`` its pipeline knows nothing of nbops.
    """
    root = context.folder("runs") / name
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for part in _PARTS:
        source = _ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        else:
            shutil.copy(source, root / part)
    if not attached:
        pipeline = (root / "pipeline.yaml").read_text(encoding="utf-8")
        assert _HOOK in pipeline
        (root / "pipeline.yaml").write_text(pipeline.replace(_HOOK, ""), encoding="utf-8")
    (root / "output").mkdir()
    given = {**yaml.safe_load((root / "env.yaml").read_text(encoding="utf-8")), "scale": scale, **settings}
    (root / "env.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    (root / "plan.json").write_text(json.dumps(_plan(root)), encoding="utf-8")
    for arguments in (["init", "--quiet", "--initial-branch=main"], ["add", "--all"], ["commit", "--quiet", "--message=first"]):
        context.unmeasured(["git", *arguments], folder=root)
    return root


def _plan(root: Path) -> list[dict[str, Any]]:
    """Return the tasks in an order in which they can run, with the parameters that Ploomber would inject."""
    settings = yaml.safe_load((root / "env.yaml").read_text(encoding="utf-8"))
    pipeline = yaml.safe_load((root / "pipeline.yaml").read_text(encoding="utf-8"))
    tasks = {Path(task["source"]).stem: task for task in pipeline["tasks"]}
    products = {name: {key: str(root / path) for key, path in task["product"].items()} for name, task in tasks.items()}
    plan = []
    for name, task in tasks.items():
        needs = _upstream(root / task["source"])
        given = {key: _filled(value, settings) for key, value in task.get("params", {}).items()}
        upstream = {other: products[other] for other in needs} or None
        plan.append(
            {
                "name": name,
                "source": task["source"],
                "needs": needs,
                "cwd": "notebooks",
                "parameters": {**given, "upstream": upstream, "product": products[name]},
            }
        )
    return plan


def _filled(value: Any, settings: Mapping[str, Any]) -> Any:
    name = value.strip("{} ") if isinstance(value, str) and value.startswith("{{") else None
    return settings[name] if name else value


def _upstream(source: Path) -> list[str]:
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "upstream":
            return list(ast.literal_eval(node.value) or [])
    return []


def verify_reference(context: Context, root: Path, *, recorded: bool, commits: int = 2) -> None:
    """Check that every product is there and, where it was to be recorded, that the run is whole."""
    wanted = [path for task in _plan(root) for path in task["parameters"]["product"].values()]
    if missing := [Path(path).name for path in wanted if not Path(path).is_file()]:
        raise SkippedError(f"was not made: {', '.join(missing)}")
    if not recorded:
        return
    run = context.latest_run(root)
    datasets = run.get("datasets", [])
    unjudged = tuple(one["name"] for one in datasets if not one.get("contract"))
    pages = {one["name"]: root / "reports" / (one.get("profile") or "-") for one in datasets}
    unprofiled = tuple(name for name, page in pages.items() if not page.is_file())
    committed = int(context.unmeasured(["git", "rev-list", "--count", "HEAD"], folder=root).stdout)
    ended = (run.get("status"), run.get("verdict"), len(datasets), unjudged, unprofiled, committed)
    if ended not in {("succeeded", verdict, _DATASETS, (), (), commits) for verdict in ("passed", "warned")}:
        raise SkippedError(f"not whole (status, verdict, datasets, without contract, without profile, commits): {ended}")


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield the pipeline on the data that it simulates as it comes, and on a real year."""
    scale = _QUICK_SCALE if context.quick else _SCALE
    yield _experiment(context, "reference.pipeline", f"The reference pipeline, {scale:,} order lines", scale, {})
    if not context.quick:
        title = "The reference pipeline on a year of a real shop, 541,909 order lines"
        yield _experiment(context, "reference.year", title, scale, {"source": str(real_days())})


def _experiment(context: Context, key: str, title: str, scale: int, settings: Mapping[str, str]) -> Experiment:
    loop = CONTESTANTS / "warm_notebooks.py"

    def run(command: Callable[[], Sequence[str | Path]], *, recorded: bool) -> Callable[[int], Mapping[str, float]]:
        def once(_round: int) -> Mapping[str, float]:
            argv = command()
            if settings and not any(Path(settings["source"]).glob("????-??-??.csv.gz")):
                raise SkippedError("there are no real days here; NBOPS_BENCHMARK_DAYS names their folder")
            root = copy_reference(context, "reference", scale, attached=recorded, **settings)
            usage = execute(argv, folder=root, environment=context.environment())
            verify_reference(context, root, recorded=recorded)
            return usage.values()

        return once

    def warm() -> Sequence[str | Path]:
        if not has_warm_kernels(context):
            raise SkippedError(f"{LACKS} warm kernels")
        return [context.python, loop, "warm", str(_AT_ONCE)]

    def own() -> Sequence[str | Path]:
        if not context.has_command("build"):
            raise SkippedError(f"{LACKS} `nbops build`")
        return [context.tool("nbops"), "build"]

    ways: list[tuple[str, str, Callable[[], Sequence[str | Path]], bool]] = [
        ("warm", "warm kernels, nothing else", warm, False),
        ("cold", "cold kernels, nothing else", lambda: [context.python, loop, "cold", str(_AT_ONCE)], False),
        (
            "warm_ploomber",
            "Ploomber and warm kernels, nothing else",
            lambda: [*warm()[:1], CONTESTANTS / "floor_parts.py", "run", str(_AT_ONCE)],
            False,
        ),
        ("nbops_attach", "ploomber build with nbops", lambda: [context.tool("ploomber"), "build"], True),
        ("nbops_build", "nbops build", own, True),
    ]
    if context.quick:
        ways = [way for way in ways if way[0] in {"warm", "nbops_build"}]
    return Experiment(
        key=key,
        title=title,
        about=(
            "Eleven notebooks, 22 datasets with a contract each. The first two run the same notebooks with papermill, two at "
            "once, and do nothing else; the third makes the pipeline with Ploomber before it runs them so. The other two "
            "measure, judge, profile, record, render and commit too, which is verified."
        ),
        baseline="warm",
        contestants=[
            Contestant(key=key, label=label, run=run(command, recorded=recorded)) for key, label, command, recorded in ways
        ],
        rounds=context.rounds_or(5),
        metrics=USAGE,
    )
