"""The pipeline as the last build found it, so that `nbops status` need not import Ploomber.

What a build was given by Ploomber is kept in ``.nbops/cache`` together with what ``pipeline.yaml`` declared then, as nbops' own
reader has it, and the hash of every source. Where a declaration or a source changed since, what follows from that is worked out
as far as it can be told from the file alone; where it cannot, that is said and nothing is guessed.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.adapters.pipeline_yaml import PipelineFile, read_pipeline
from nbops.errors import ConfigError, PipelineError
from nbops.pipeline import Product, TaskSpec
from nbops.workflow.hashing import HashCache, digest
from nbops.workflow.sources import SourceError, reread
from nbops.workflow.state import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.adapters.pipeline_yaml import FileTask

__all__ = ["Recalled", "recall", "remember"]

_FORMAT = 1
_ELSEWHERE = "`ploomber status` tells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A pipeline without Ploomber."""

    tasks: tuple[TaskSpec, ...]
    """In topological order; of those in ``unknown`` there may be no more than a name and upstream."""
    unknown: Mapping[str, str]
    """Task to why nothing can be said of it without Ploomber."""


def _path(root: Path, pipeline: Path) -> Path:
    return root / ".nbops/cache" / f"pipeline-{digest(str(pipeline.resolve()))[:10]}.json"


def remember(root: Path, tasks: Sequence[TaskSpec], *, pipeline: Path, values: Mapping[str, Any], partial: bool = False) -> None:
    """Keep what Ploomber made of a pipeline; a failure is of no consequence.

    Args:
        root: The project's root.
        tasks: All its tasks, in topological order.
        pipeline: The pipeline file.
        values: What ``--env--NAME VALUE`` set.
        partial: These are not all: what is kept of the others stays.
    """
    try:
        declared = _declared(read_pipeline(pipeline, values=values))
    except (ConfigError, OSError):
        declared = {}  # a pipeline that only Ploomber can read is one that cannot be recalled
    hashes = HashCache(root / ".nbops/cache/hashes.json")
    entries: list[dict[str, Any]] = [
        {
            "name": task.name,
            "kind": task.kind,
            "source": str(task.source) if task.source else None,
            "hash": hashes.of(task.source) if task.source else None,
            "code": list(task.code),
            "language": task.language,
            "upstream": list(task.upstream),
            "products": [[product.key, product.path, product.kind] for product in task.products],
            "parameters": dict(task.parameters),
            "function": task.function,
        }
        for task in tasks
    ]
    if partial:
        known, then = _kept(_path(root, pipeline))
        built = {entry["name"] for entry in entries}
        declared = {**then, **{name: found for name, found in declared.items() if name in built}}
        entries += [entry for name, entry in known.items() if name not in built]
    try:
        write_json(_path(root, pipeline), {"maker": _maker(), "declared": declared, "tasks": entries}, durable=False)
    except (OSError, TypeError, ValueError):
        return


def _maker() -> list[Any]:
    return [_FORMAT, metadata.version("nbops"), metadata.version("ploomber")]


def _declared(pipeline: PipelineFile) -> dict[str, dict[str, Any]]:
    return {task.name: _declaration(task) for task in pipeline.tasks}


def _declaration(task: FileTask) -> dict[str, Any]:
    found = {
        "source": str(task.source),
        "product": task.product,
        "upstream": list(task.upstream),
        "params": dict(task.params),
    }
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str, sort_keys=True))
    return plain


def recall(root: Path, *, pipeline: Path, values: Mapping[str, Any], whole: bool = True) -> Recalled:
    """Return the pipeline's tasks as a build would find them now.

    Args:
        root: The project's root.
        pipeline: The pipeline file.
        values: What ``--env--NAME VALUE`` would set.
        whole: Text notebooks that are new or changed are read, which imports jupytext; else such a task is unknown, and without
            what it depends on.

    Raises:
        PipelineError: The pipeline cannot be read without Ploomber.
    """
    try:
        file = read_pipeline(pipeline, values=values)
    except ConfigError as error:
        raise PipelineError(f"{error} Without Ploomber nothing can be said of this pipeline; {_ELSEWHERE}.") from error
    known, then = _kept(_path(root, pipeline))
    hashes = HashCache(root / ".nbops/cache/hashes.json")
    specs: dict[str, TaskSpec] = {}
    unknown: dict[str, str] = {}
    now = _declared(file)
    tasks = {task.name: task for task in file.tasks}
    for name, declaration in now.items():
        try:
            spec = _spec(name, known.get(name), before=then.get(name), now=declaration)
            specs[name] = _up_to_now(spec, known[name]["hash"], file=file, hashes=hashes, whole=whole)
        except SourceError as error:  # noqa: PERF203 - one task's fault is not another's
            specs[name] = _as_declared(tasks[name], file, whole=whole)
            unknown[name] = f"{error}; {_ELSEWHERE}"
    return Recalled(tasks=_sorted(specs, pipeline), unknown=unknown)


def _as_declared(task: FileTask, file: PipelineFile, *, whole: bool) -> TaskSpec:
    """Return what the files say of a task that no build has loaded: what it depends on, for the order and for pictures."""
    bare = TaskSpec(name=task.name, kind="other", source=task.source, code=(), language="", upstream=(), products=())
    names = [one.name for one in file.tasks]
    if not file.extract_upstream:
        return replace(bare, upstream=tuple(name for name in task.upstream if name in names))
    if task.source is None or task.source.suffix not in {".py", ".ipynb"} or not whole:
        return bare
    with suppress(SourceError):
        spec = replace(bare, kind="notebook", language="python")
        return replace(bare, upstream=reread(spec, names=names, upstream=True, product=False).upstream)
    return bare


def _kept(path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    try:
        found = json.loads(path.read_bytes())
        if found["maker"] != _maker():
            return {}, {}
        return {entry["name"]: entry for entry in found["tasks"]}, dict(found["declared"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}, {}


def _spec(
    name: str,
    entry: dict[str, Any] | None,
    *,
    before: Any,
    now: dict[str, Any],
) -> TaskSpec:
    """Return a task as it is declared now, from what it was and what changed; its code as it was.

    Raises:
        SourceError: That cannot be told.
    """
    if entry is None or before is None:
        raise SourceError("no build has loaded it here")
    if before["source"] != now["source"]:
        raise SourceError("its source is declared differently since the last build")
    spec = TaskSpec(
        name=name,
        kind=entry["kind"],
        source=Path(entry["source"]) if entry["source"] else None,
        code=tuple(entry["code"]),
        language=entry["language"],
        upstream=tuple(entry["upstream"]),
        products=tuple(Product(key=key, path=path, kind=kind) for key, path, kind in entry["products"]),
        parameters=entry["parameters"],
        function=entry["function"],
    )
    if before["params"] != now["params"]:
        changed = {key for key in {*before["params"], *now["params"]} if before["params"].get(key) != now["params"].get(key)}
        given = {key: value for key, value in spec.parameters.items() if key not in changed}
        spec = replace(spec, parameters={**given, **{key: now["params"][key] for key in changed if key in now["params"]}})
    if before["upstream"] != now["upstream"]:
        raise SourceError("its upstream is declared differently since the last build")
    if before["product"] != now["product"]:
        raise SourceError("its products are declared differently since the last build")
    return spec


def _up_to_now(spec: TaskSpec, known: str, *, file: PipelineFile, hashes: HashCache, whole: bool) -> TaskSpec:
    """Return a task with its code as it is now.

    Raises:
        SourceError: That cannot be told, or is not to be.
    """
    if spec.source is None:
        raise SourceError("it has no source file")
    if hashes.of(spec.source) == known:
        return spec
    if not whole and spec.kind == "notebook" and spec.source.suffix != ".ipynb":
        raise SourceError("its source changed")
    return reread(spec, names=[task.name for task in file.tasks], upstream=file.extract_upstream, product=file.extract_product)


def _sorted(specs: dict[str, TaskSpec], pipeline: Path) -> tuple[TaskSpec, ...]:
    graph = {name: [up for up in spec.upstream if up in specs] for name, spec in specs.items()}
    try:
        return tuple(specs[name] for name in TopologicalSorter(graph).static_order())
    except CycleError as error:
        cycle = " -> ".join(map(str, error.args[1]))
        raise PipelineError(f"{pipeline.name}: tasks wait for each other in a circle: {cycle}.") from error
