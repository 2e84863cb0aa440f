"""``pipeline.yaml`` read without Ploomber, for what an editor must know of a notebook: its parameters, upstream and products.

Importing Ploomber costs about ten CPU seconds and building its DAG imports the project's code; neither belongs in a notebook
server that only opens a file. What is read here is Ploomber 0.23's format
(https://docs.ploomber.io/en/latest/api/spec.html); ``tests/lab/test_pipeline_yaml.py`` holds it against Ploomber itself.
"""

from __future__ import annotations

import ast
import fnmatch
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nbops.adapters.pipeline_env import Placeholders, load_yaml
from nbops.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FileTask", "PipelineFile", "find_pipeline", "find_task", "injected_values", "read_pipeline"]

_NOTEBOOKS = frozenset({".py", ".ipynb", ".r", ".R", ".Rmd", ".rmd", ".md"})
_FILES = _NOTEBOOKS | {".sql", ".sh"}
_LEVELS_UP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTask:
    """A task as ``pipeline.yaml`` declares it, placeholders resolved."""

    name: str
    source: Path | None
    """The source file, absolute; None for a function."""
    product: Any
    """An absolute path or a relation's name, or a mapping of key to such; None when the notebook declares it."""
    upstream: tuple[str, ...] = ()
    """Names or wildcards, when they stand in the YAML."""
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    local_execution: bool = False
    """Builds run the notebook in its own folder, not in the project's root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFile:
    """A whole ``pipeline.yaml``."""

    path: Path
    root: Path
    """The project's root: what relative paths in the file start from."""
    tasks: tuple[FileTask, ...]
    extract_upstream: bool
    """Upstream is read from each notebook's parameters cell, not from the YAML."""
    extract_product: bool
    """Likewise the products."""
    on_render: str | None = None
    """Dotted path of the hook that every command calls."""


def find_pipeline(start: Path) -> Path | None:
    """Return the pipeline that a file belongs to: the nearest ``pipeline.yaml`` at or above its folder, or None.

    As in Ploomber, ``ENTRY_POINT`` names another file, ``src/<package>/pipeline.yaml`` counts where a ``setup.py`` stands, and
    the search ends six folders up.

    Args:
        start: The folder to start from.
    """
    name = Path(os.environ.get("ENTRY_POINT", "")).name or "pipeline.yaml"
    if Path(name).suffix not in {".yaml", ".yml"}:
        name = "pipeline.yaml"
    for folder in itertools.islice((start, *start.parents), _LEVELS_UP + 1):
        if (folder / name).is_file():
            return folder / name
        if (folder / "setup.py").is_file():
            packaged = sorted(folder.glob(f"src/*/{name}"))
            if packaged:
                return packaged[0]
    return None


def read_pipeline(path: Path, *, values: Mapping[str, Any] = MappingProxyType({})) -> PipelineFile:
    """Read a pipeline file and resolve its placeholders from ``env.yaml``.

    Args:
        path: The pipeline file.
        values: What the command line sets of those, nested as in the file.

    Raises:
        ConfigError: It is not YAML, not a pipeline, or says something that cannot be known without running Ploomber.
    """
    here = path.resolve().parent
    root = here.parent.parent if (here.parent.parent / "setup.py").is_file() and here.parent.name == "src" else here
    document = load_yaml(path)
    if isinstance(document, list):
        document = {"tasks": document}
    if not isinstance(document, dict) or not isinstance(document.get("tasks"), list):
        raise ConfigError(
            f"{path.name}: there is no list of tasks, so what its notebooks receive is not known without running it."
        )
    environment = Placeholders(path, here=here, root=root, values=values)
    document = environment.resolve(document)
    meta = document.get("meta") or {}
    if not isinstance(meta, dict):
        raise ConfigError(f"{path.name}: meta: expected a mapping, got {type(meta).__name__}.")
    raw = list(document["tasks"])
    if meta.get("import_tasks_from"):
        raw += _imported(here / str(meta["import_tasks_from"]), environment)
    relative_to_source = bool(meta.get("product_relative_to_source", False))
    tasks = [task for entry in raw for task in _tasks_of(entry, root=root, relative_to_source=relative_to_source, file=path.name)]
    hook = document.get("on_render")
    return PipelineFile(
        path=path,
        root=root,
        tasks=tuple(tasks),
        extract_upstream=bool(meta.get("extract_upstream", True)),
        extract_product=bool(meta.get("extract_product", False)),
        on_render=hook.get("dotted_path") if isinstance(hook, dict) else hook,
    )


def find_task(pipeline: PipelineFile, source: Path) -> FileTask | None:
    """Return the (first) task whose source is this file, or None."""
    wanted = source.resolve()
    return next((task for task in pipeline.tasks if task.source == wanted), None)


def injected_values(pipeline: PipelineFile, task: FileTask, *, parameters_cell: str | None, base: Path) -> dict[str, Any]:
    """Return what the pipeline would give a notebook: its parameters, ``upstream`` and ``product``.

    Args:
        pipeline: The pipeline.
        task: The notebook's task.
        parameters_cell: The source of its cell tagged ``parameters``; None when there is none.
        base: The folder that the kernel runs in; paths within the project are relative to it.

    Raises:
        ConfigError: An upstream task does not exist.
    """
    names = _assigned(parameters_cell, "upstream") if pipeline.extract_upstream else task.upstream
    values = dict(task.params)
    upstream = _upstream(pipeline, _strings(names))
    if upstream:
        values["upstream"] = upstream
    values["product"] = _declared(pipeline, parameters_cell) if pipeline.extract_product else task.product
    shown: dict[str, Any] = _relative(values, root=pipeline.root, base=base.resolve())
    return shown


def _upstream(pipeline: PipelineFile, names: tuple[str, ...]) -> dict[str, Any]:
    tasks = {task.name: task for task in pipeline.tasks}
    found: dict[str, Any] = {}
    for name in names:
        if "*" in name:
            found[name] = {match: _product(pipeline, tasks[match]) for match in fnmatch.filter(tasks, name)}
        elif name in tasks:
            found[name] = _product(pipeline, tasks[name])
        else:
            raise ConfigError(f"{pipeline.path.name}: upstream {name!r} is no task. {did_you_mean(name, tasks)}")
    return found


def _product(pipeline: PipelineFile, task: FileTask) -> Any:
    if not pipeline.extract_product or task.source is None:
        return task.product
    return _declared(pipeline, _parameters_cell(task.source))


def _declared(pipeline: PipelineFile, parameters_cell: str | None) -> Any:
    """Return the product that a notebook declares itself."""
    found = _assigned(parameters_cell, "product")
    if isinstance(found, dict):
        return {key: _path(value, pipeline.root) for key, value in found.items()}
    return _path(found, pipeline.root)


def _path(value: Any, base: Path) -> Any:
    return Path(os.path.normpath(base / value)) if isinstance(value, str) else value


def _relative(value: Any, *, root: Path, base: Path) -> Any:
    """Return a copy in which a path is text, and relative where it is within the project."""
    if isinstance(value, dict):
        return {key: _relative(item, root=root, base=base) for key, item in value.items()}
    if isinstance(value, Path):
        return Path(os.path.relpath(value, base)).as_posix() if value.is_relative_to(root) else value.as_posix()
    return value


def _parameters_cell(source: Path) -> str | None:
    import jupytext  # noqa: PLC0415 - only for pipelines that declare products in notebooks

    notebook = jupytext.read(source)
    return next((str(cell.source) for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])), None)


def _assigned(code: str | None, name: str) -> Any:
    """Return the literal that ``code`` assigns to ``name`` at its top level; None when it does not, or not a literal."""
    try:
        statements = ast.parse(code or "").body
    except (SyntaxError, ValueError):
        return None
    found = None
    for statement in statements:
        if isinstance(statement, ast.AnnAssign):
            targets: list[ast.expr] = [statement.target]
        else:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            try:
                found = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                found = None
    return found


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, set):
        value = sorted(value, key=str)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, (list, tuple, dict)) else ()


def _imported(path: Path, environment: Placeholders) -> list[Any]:
    """Return the tasks of ``meta.import_tasks_from``, whose relative sources start from that file."""
    tasks = environment.resolve({"tasks": load_yaml(path)})["tasks"]
    if not isinstance(tasks, list):
        raise ConfigError(f"{path.name}: expected a list of tasks, got {type(tasks).__name__}.")
    entries = [{"source": task} if isinstance(task, str) else task for task in tasks]
    return [
        {**entry, "source": str(path.parent / entry["source"])}
        if isinstance(entry, dict) and Path(str(entry.get("source"))).suffix in _FILES
        else entry
        for entry in entries
    ]


def _tasks_of(entry: Any, *, root: Path, relative_to_source: bool, file: str) -> Iterator[FileTask]:
    """Yield the task, or the tasks of a grid, that one entry of ``tasks`` declares."""
    entry = {"source": entry} if isinstance(entry, str) else entry
    if not isinstance(entry, dict) or not isinstance(entry.get("source"), str):
        raise ConfigError(f"{file}: tasks: each needs a source; got {str(entry)[:80]!r}.")
    text = entry["source"]
    source = (root / text).resolve() if Path(text).suffix in _FILES else None
    base = source.parent if relative_to_source and source is not None else root
    raw = entry.get("product")
    is_file = entry.get("product_class", "File") == "File"

    def product(suffix: str | None = None, given: Mapping[str, Any] = MappingProxyType({}), name: str = "") -> Any:
        def one(value: Any) -> Any:
            return _one_product(value, base=base, is_file=is_file, suffix=suffix, given=given, name=name)

        return {key: one(value) for key, value in raw.items()} if isinstance(raw, dict) else one(raw)

    upstream = _strings(entry.get("upstream"))
    params = _mapping(entry.get("params"), f"{file}: tasks: {text}: params")
    local = bool(entry.get("local_execution", False))
    default = source.stem if source is not None else text.rpartition(".")[2]
    if "grid" not in entry:
        name = str(entry.get("name", default))
        files = _mapping(params.get("resources_"), f"{file}: tasks: {text}: params: resources_")
        resources = {key: str((root / str(path)).resolve()) for key, path in files.items()}
        given = {**params, "resources_": resources} if resources else params
        yield FileTask(name=name, source=source, product=product(), upstream=upstream, params=given, local_execution=local)
        return
    for index, chosen in enumerate(_grid(entry["grid"])):
        given = {**chosen, **params}
        template = str(entry.get("name", default))
        named = "[[" in template
        name = _fill(template, given) if named else f"{template}{index}"
        made = product(suffix=f"-{index}", given=given, name=name)
        yield FileTask(name=name, source=source, product=made, upstream=upstream, params=given, local_execution=local)


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    if value and not isinstance(value, dict):
        raise ConfigError(f"{where}: expected a mapping, got {str(value)[:80]!r}.")
    return value or {}


def _grid(grid: Any) -> Iterator[dict[str, Any]]:
    """Yield all combinations of a grid, the last key fastest."""
    for part in grid if isinstance(grid, list) else [grid]:
        if not isinstance(part, dict):
            continue
        lists = [value if isinstance(value, (list, tuple)) else [value] for value in part.values()]
        for values in itertools.product(*lists):
            yield dict(zip(part, values, strict=True))


def _fill(template: str, values: Mapping[str, Any]) -> str:
    """Fill ``[[name]]`` placeholders, which only grids have."""
    for key, value in values.items():
        template = template.replace(f"[[{key}]]", str(value))
    return template


def _one_product(value: Any, *, base: Path, is_file: bool, suffix: str | None, given: Mapping[str, Any], name: str) -> Any:
    if isinstance(value, (list, tuple)):  # a relation: [name, kind] or [schema, name, kind]
        parts = [str(part) for part in value][:-1]
        parts[-1:] = [_fill(part + (suffix or ""), given) for part in parts[-1:]]
        return ".".join(parts)
    if not isinstance(value, str) or not is_file:
        return value
    if suffix is not None:
        # Ploomber puts the index before all of a file's suffixes, whether or not placeholders already tell the tasks apart
        path = Path(value.replace("{{name}}", name))
        ending = "".join(path.suffixes)
        value = _fill(str(path.parent / f"{path.name.replace(ending, '') if ending else path.name}{suffix}{ending}"), given)
    return _path(value, base)
