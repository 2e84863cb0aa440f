"""What somebody means who asks about lineage: a dataset, a column, a task, a file of the project, or a range of commits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.errors import UnknownTarget, did_you_mean
from nbops.lineage.graph import Graph, Node, known_datasets
from nbops.record.git import Git, GitError

if TYPE_CHECKING:
    from nbops.contract.config import Config
    from nbops.model import Run, TaskRun

__all__ = ["Meant", "find_node", "find_target"]

_PIPELINE = frozenset({"pipeline.yaml", "env.yaml", "pyproject.toml"})
"""Files on which every task depends."""
_LONGEST = 120
_MOST_NAMED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What was asked about."""

    nodes: tuple[Node, ...] = ()
    tasks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Files of a range of commits, or of a folder; those on which nothing depends too."""
    about: str = ""
    """In words: ``column amount of orders``, ``the code of clean``..."""


def find_node(run: Run, text: str) -> Node:
    """Return the dataset or column that is meant by ``DATASET`` or ``DATASET.COLUMN``.

    Names are taken as they are; where that fits nothing, without regard to case. Files and others that the lineage names as
    sources can be asked about too: ``file:data/raw.csv``.

    Raises:
        UnknownTarget: There is no such dataset or column; the nearest is named.
    """
    graph = Graph.of_columns(run)
    datasets = known_datasets(run)
    names = datasets | set(graph.columns) | {edge.source for edge in graph.edges} | {edge.target for edge in graph.edges}
    shown = text[:_LONGEST]
    for fold in (str, str.casefold):
        by_name = {fold(name): name for name in sorted(names)}
        if fold(text) in by_name:
            return Node(by_name[fold(text)])
        for dot in sorted((at for at, char in enumerate(text) if char == "."), reverse=True):
            name = by_name.get(fold(text[:dot]))
            if name is None:
                continue
            columns = {fold(column): column for column in sorted(graph.columns.get(name, ()))}
            if fold(text[dot + 1 :]) in columns:
                return Node(name, columns[fold(text[dot + 1 :])])
            if fold is str.casefold:
                raise UnknownTarget(f"{name} has no column {shown[dot + 1 :]!r}. {_nearest(text[dot + 1 :], columns.values())}")
    raise UnknownTarget(f"there is no dataset {shown!r}. {_nearest(text.partition('.')[0], datasets)}")


def _nearest(word: str, names: Iterable[str]) -> str:
    names = sorted(names)
    if not names:
        return "There are none."
    if len(names) <= _MOST_NAMED:
        return did_you_mean(word[:_LONGEST], names)
    said = did_you_mean(word[:_LONGEST], names)
    hint = said[said.rindex("Did you mean") :] if "Did you mean" in said else ""
    return f"There are {len(names):,}. {hint}".rstrip()


def find_target(run: Run, text: str, *, root: Path, folder: Path, config: Config) -> Meant:
    """Return what is meant by a dataset, column, task, file, folder, contract or range of commits, tried in this order.

    Args:
        run: The run whose lineage is asked.
        text: What somebody wrote.
        root: The project's root.
        folder: Where paths start from.
        config: The project's settings.

    Raises:
        UnknownTarget: It is none of these.
    """
    try:
        node = find_node(run, text)
    except UnknownTarget as error:
        unknown = error
    else:
        return Meant(nodes=(node,), about=f"column {node.column} of {node.name}" if node.column is not None else node.name)
    if any(task.name == text for task in run.tasks):
        return Meant(tasks=(text,), about=f"task {text}")
    meant = _file(run, text, root=root, folder=folder, config=config) or _commits(run, text, root=root, config=config)
    if meant is None:
        raise UnknownTarget(f"{unknown} It is no task, file of the pipeline or range of commits either.")
    return meant


def _file(run: Run, text: str, *, root: Path, folder: Path, config: Config) -> Meant | None:
    if "\0" in text or len(text) > 4 * _LONGEST:
        return None
    for base in dict.fromkeys((folder, root)):
        path = Path(os.path.normpath(base / text))
        if path != root and root not in path.parents:
            continue
        name = path.relative_to(root).as_posix()
        nodes, tasks, found = _of_files(run, [name], config)
        if found or path.is_file():
            return Meant(nodes=nodes, tasks=tasks, files=(name,), about=name)
        if path.is_dir():
            inside = sorted(item for item in _known_files(run, config) if name == "." or item.startswith(f"{name}/"))
            nodes, tasks, _ = _of_files(run, inside, config)
            return Meant(nodes=nodes, tasks=tasks, files=tuple(inside), about=f"{name}/")
    return None


def _commits(run: Run, text: str, *, root: Path, config: Config) -> Meant | None:
    if not text or text.startswith("-") or "\0" in text:
        return None
    try:
        output = Git(folder=root).call("diff", "--name-only", "--no-renames", "--relative", "-z", text, "--")
    except GitError:
        return None
    names = [os.fsdecode(name) for name in output.split(b"\0") if name]
    nodes, tasks, _ = _of_files(run, names, config)
    return Meant(nodes=nodes, tasks=tasks, files=tuple(names), about=f"the files that changed in {text}")


def _known_files(run: Run, config: Config) -> set[str]:
    found = {dataset.path for dataset in run.datasets}
    found |= {f"{config.contracts}/{dataset.name}.odcs.yaml" for dataset in run.datasets}
    for task in run.tasks:
        found |= {*_inputs(task), *(path for path in (task.source,) if path)}
    return found


def _inputs(task: TaskRun) -> set[str]:
    return {str(name) for part in ("modules", "files", "observed") for name in task.fingerprint.get(part, {})}


def _of_files(run: Run, names: Iterable[str], config: Config) -> tuple[tuple[Node, ...], tuple[str, ...], bool]:
    """Return the datasets and tasks that stand for files, and whether the pipeline knows any of the files."""
    nodes: dict[Node, None] = {}
    tasks: dict[str, None] = {}
    by_path = {dataset.path: dataset.name for dataset in run.datasets}
    contracts = {f"{config.contracts}/{name}.odcs.{suffix}": name for name in known_datasets(run) for suffix in ("yaml", "yml")}
    for name in names:
        dataset = by_path.get(name) or contracts.get(name)
        if dataset is not None:
            nodes[Node(dataset)] = None
        if name in _PIPELINE:
            tasks.update(dict.fromkeys(task.name for task in run.tasks))
        for task in run.tasks:
            if task.source == name or name in _inputs(task) or name in task.products.values():
                own = {item.name for item in run.datasets if item.path == name}
                if not own:
                    tasks[task.name] = None
    known = bool(nodes or tasks)
    ordered = tuple(task.name for task in run.tasks if task.name in tasks)
    return tuple(sorted(nodes)), ordered, known
