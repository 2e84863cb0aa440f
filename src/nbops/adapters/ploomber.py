"""Ploomber behind the :class:`nbops.pipeline.Runner` protocol: the only place that touches its private parts.

Ploomber 0.23.3 (2024-09) is its last release, so what is used here will not move; ``tests/adapters/test_ploomber.py`` holds every
private name to its contract, so that a different version fails there and not in somebody's build.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ploomber.constants import TaskStatus
from ploomber.exceptions import DAGBuildEarlyStop, DAGBuildError
from ploomber.executors.abc import Executor as _AbstractExecutor
from ploomber.products import File, MetaProduct
from ploomber.table import TaskReport
from ploomber.tasks import NotebookRunner, PythonCallable, ScriptRunner, ShellScript

from nbops.errors import EarlyStop, NbopsError
from nbops.lineage.dialects import dialect_of
from nbops.pipeline import ExecuteOptions, Product, TaskSpec
from nbops.record.store import replace_file

if TYPE_CHECKING:
    from nbops.model import TaskKind

__all__ = [
    "DagRunner",
    "SingleTaskRunner",
    "install",
    "is_building",
    "is_debugging",
    "is_forced",
    "is_partial",
    "mend_metadata",
    "selected_targets",
    "show_status",
]


class _Fixed:
    """Stands in for a product's rendered identifier while its output goes to the staging path."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __str__(self) -> str:
        return self._path

    def render(self, params: object, **_: object) -> None:
        """Do nothing: the path is final."""

    def best_repr(self, *, shorten: bool = False) -> str:  # noqa: ARG002 - Ploomber's signature
        """Return the path, as Ploomber's placeholders do."""
        return self._path


def mend_metadata() -> None:
    """Make Ploomber's metadata files safe: written in one step, and a broken one counts as missing.

    Ploomber writes ``.NAME.metadata`` in place; after a kill in between, every later build fails while it renders, before any
    hook is called. This is called when ``nbops.attach`` is looked up, which is before anything is rendered.
    """
    if getattr(File.save_metadata, "_nbops", False):
        return
    fetch = File.fetch_metadata

    def fetch_metadata(self: Any) -> Any:
        try:
            found = fetch(self)
        except (ValueError, OSError):
            return None
        return found if _is_metadata(found) else None

    def save_metadata(self: Any, metadata: Any) -> None:
        replace_file(self._path_to_metadata, json.dumps(metadata).encode(), durable=False)

    save_metadata._nbops = True  # type: ignore[attr-defined]  # noqa: SLF001 - our own mark
    File.fetch_metadata = fetch_metadata
    File.save_metadata = save_metadata


def _is_metadata(found: Any) -> bool:
    """Return whether valid JSON is what Ploomber wrote: on null, a list or a wrong type in it, Ploomber fails later."""
    types = {"timestamp": int | float | None, "stored_source_code": str | None, "params": dict | None}
    return isinstance(found, dict) and all(isinstance(found.get(key), type_) for key, type_ in types.items())


def is_forced() -> bool:
    """Return whether the render that is going on was called with ``force=True``.

    Ploomber does not pass the flag to hooks, and a forced render leaves the same statuses as a pipeline that never ran; so it is
    read from the frame of ``DAG._render_current`` that called the hook.
    """
    found = _caller("_render_current", "force")
    return bool(found and found["force"])


def is_building() -> bool:
    """Return whether the render that is going on is the first step of a build."""
    return _caller("_build", "show_progress") is not None


def is_partial() -> bool:
    """Return whether the build that is going on is one of ``--partially``, for which Ploomber takes tasks out of the DAG."""
    return _caller("_build_partially", "targets") is not None


def selected_targets() -> frozenset[str] | None:
    """Return the only tasks that the build that is going on may run (``--partially --skip-upstream``), or None for all."""
    found = _caller("_build_partially", "targets")
    return frozenset(str(name) for name in found["targets"]) if found and found.get("skip_upstream") else None


def _caller(function: str, variable: str) -> Mapping[str, Any] | None:
    """Return the variables of the nearest caller of that name that has such a variable."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to look at callers
    while frame is not None:
        if frame.f_code.co_name == function and variable in frame.f_locals:
            return dict(frame.f_locals)
        frame = frame.f_back  # type: ignore[assignment]
    return None


class _DagBase:
    """What both runners share: a view of the DAG's tasks."""

    def __init__(self, dag: Any, *, forced: bool) -> None:
        self._dag = dag
        self.forced = forced
        self.partial = False
        self.workers: int | None = None
        self.name = "pipeline" if dag.name in {None, "No name"} else str(dag.name)
        self._parameters: Mapping[str, Any] = {}

    def tasks(self) -> tuple[TaskSpec, ...]:
        """Return every task of the DAG in topological order."""
        return tuple(_describe(task) for task in self._dag.values())

    def parameters(self) -> Mapping[str, Any]:
        """Return the values that the pipeline was parameterised with."""
        return self._parameters

    def execute(self, name: str, *, staged: Mapping[str, str], options: ExecuteOptions) -> None:
        """Run the task; its file products go to ``staged``."""
        task = self._dag[name]
        with _redirected(task, staged):
            for path in staged.values():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            if _runs_by_our_engine(task):
                from nbops.adapters.papermill import ENGINE_NAME, register_engine  # noqa: PLC0415 - costs what only a run needs

                register_engine(max_output_bytes=options.max_output_bytes, copy_to=options.notebook)
                task.executor_params = {"progress_bar": False, "engine_name": ENGINE_NAME, **task.executor_params}
            with warnings.catch_warnings():
                # Ploomber's and papermill's own deprecations are not the user's to mend
                warnings.simplefilter("ignore", DeprecationWarning)
                warnings.simplefilter("ignore", FutureWarning)
                task.run()
                # the user's own gate sees what was staged, before it is published
                task._run_on_finish()  # noqa: SLF001

    def exists(self, name: str) -> bool:
        """Return whether all products of the task are there."""
        return bool(self._dag[name].product.exists())

    def finished(self, name: str) -> None:
        """Save Ploomber's metadata and mark the task as executed (its ``on_finish`` ran before publication)."""
        task = self._dag[name]
        hook, task._on_finish = task._on_finish, None  # noqa: SLF001
        try:
            task._post_run_actions()  # noqa: SLF001
        finally:
            task._on_finish = hook  # noqa: SLF001
        task._exec_status = TaskStatus.Executed  # noqa: SLF001 - the public setter recomputes all that is downstream

    def failed(self, name: str) -> None:
        """Run the task's ``on_failure`` hook and mark it as errored."""
        task = self._dag[name]
        task._exec_status = TaskStatus.Errored  # noqa: SLF001
        task._run_on_failure()  # noqa: SLF001

    def skipped(self, name: str) -> None:
        """Mark the task as up to date."""
        self._dag[name]._exec_status = TaskStatus.Skipped  # noqa: SLF001

    def working_directory(self) -> Path:
        """Return the directory that relative product paths start from."""
        return Path.cwd()


class DagRunner(_DagBase):
    """A whole ``ploomber build``."""

    def __init__(self, dag: Any, *, forced: bool, parameters: Mapping[str, Any]) -> None:
        super().__init__(dag, forced=forced)
        self._parameters = parameters


class SingleTaskRunner(_DagBase):
    """``ploomber task NAME``: one task of the DAG."""

    def __init__(self, dag: Any, task: str, *, forced: bool, parameters: Mapping[str, Any]) -> None:
        super().__init__(dag, forced=forced)
        self.selected = task
        self._parameters = parameters


class _GovernedExecutor(_AbstractExecutor):  # type: ignore[misc]
    """Ploomber's executor slot, filled by nbops."""

    def __init__(self, original: Any, build: Callable[[Any, bool, int | None], Mapping[str, float | None]]) -> None:
        self.original = original
        self._build = build
        self.forced = False

    @property
    def workers(self) -> int | None:
        """Tasks at once that the pipeline's own executor was set to; None for one that does not say (Ploomber's default)."""
        processes = getattr(self.original, "processes", None)
        return int(processes) if processes else None

    def __call__(self, dag: Any, show_progress: bool) -> list[Any]:  # noqa: ARG002, FBT001 - Ploomber's signature
        super().__call__(dag)
        try:
            seconds = self._build(dag, self.forced, self.workers)
        except EarlyStop as stop:
            raise DAGBuildEarlyStop(str(stop)) from stop
        except NbopsError as error:
            raise DAGBuildError(str(error)) from error
        return [TaskReport.with_data(name=name, ran=True, elapsed=value) for name, value in seconds.items() if value is not None]


def install(
    dag: Any,
    *,
    build: Callable[[Any, bool, int | None], Mapping[str, float | None]],
    build_task: Callable[[Any, str, bool], None],
) -> None:
    """Put nbops in charge of the DAG's executor and of each task's ``build`` method.

    Args:
        dag: A rendered Ploomber DAG.
        build: Called with the DAG, whether it is forced, and the most workers (or None); returns seconds per task, None for
            those that did not run.
        build_task: Called with the DAG, a task's name and whether it is forced, by ``ploomber task``.
    """
    executor = dag.executor
    if not isinstance(executor, _GovernedExecutor):
        executor = _GovernedExecutor(executor, build)
        dag.executor = executor
    executor.forced = is_forced()
    for name in list(dag):
        task = dag[name]

        def governed(force: bool = False, catch_exceptions: bool = True, *, _name: str = task.name) -> Any:  # noqa: ARG001, FBT001, FBT002
            try:
                build_task(dag, _name, force)
            except NbopsError as error:
                raise DAGBuildError(str(error)) from error
            return TaskReport.with_data(name=_name, ran=True, elapsed=0)

        task.build = governed


def is_debugging(dag: Any) -> bool:
    """Return whether the user asked for ``--debug``, which needs the task in this process and the terminal."""
    return any(getattr(dag[name], "debug_mode", None) for name in list(dag))


def show_status(dag: Any, stale: Mapping[str, bool]) -> None:
    """Make ``ploomber status`` (and plot and report) tell nbops' own judgement of what is stale.

    Args:
        dag: A rendered DAG.
        stale: Task to whether it would run in the next build.
    """
    for task in dag.values():
        waits = any(stale.get(name, True) for name in task.upstream)
        outdated = stale.get(task.name, True)
        status = TaskStatus.Skipped if not outdated else TaskStatus.WaitingUpstream if waits else TaskStatus.WaitingExecution
        task._exec_status = status  # noqa: SLF001
        for product in _products(task.product):
            _ = product.metadata.timestamp  # reading metadata for the first time forgets the statuses below
            product._outdated_data_dependencies_status = outdated and waits  # noqa: SLF001
            product._outdated_code_dependency_status = outdated and not waits  # noqa: SLF001
            product._is_outdated_status = outdated  # noqa: SLF001


def _products(product: Any) -> list[Any]:
    return list(product) if isinstance(product, MetaProduct) else [product]


def _keyed_products(product: Any) -> dict[str, Any]:
    if not isinstance(product, MetaProduct):
        return {"product": product}
    inner = product.products.products
    if isinstance(inner, Mapping):
        return {str(key): value for key, value in inner.items()}
    return {str(index): value for index, value in enumerate(inner)}


def _notebook_keys(task: Any) -> frozenset[str]:
    """Keys of the products that are the executed notebook itself."""
    if not isinstance(task, NotebookRunner):
        return frozenset()
    if not isinstance(task.product, MetaProduct):
        return frozenset({"product"})
    keys = task.nb_product_key
    return frozenset([keys] if isinstance(keys, str) else keys)


def _describe(task: Any) -> TaskSpec:
    notebook_keys = _notebook_keys(task)
    products = tuple(
        Product(
            key=key,
            path=_relative(str(product)) if isinstance(product, File) else str(product),
            kind="notebook" if key in notebook_keys else "file" if isinstance(product, File) else "relation",
        )
        for key, product in _keyed_products(task.product).items()
    )
    kind, language, code, function = _code(task)
    location = task.source.loc
    # a function's location reads "file.py:12"
    source = Path(str(location).rsplit(":", 1)[0] if function else str(location)).resolve() if location else None
    return TaskSpec(
        name=str(task.name),
        kind=kind,
        source=source,
        code=code,
        language=language,
        upstream=tuple(str(name) for name in task.upstream),
        products=products,
        parameters=_plain(task.params.to_json_serializable(params_only=True)),
        function=function,
        dialect=_dialect(task) if language == "sql" else "",
        in_process=_holds_client(task),
        can_wait=kind == "notebook" and _runs_by_our_engine(task) and "engine_name" not in task.executor_params,
    )


def _runs_by_our_engine(task: Any) -> bool:
    return isinstance(task, NotebookRunner) and task.executor == "papermill" and not task.debug_mode


def _relative(path: str) -> str:
    """Return a product's path as the pipeline's file has it: Ploomber makes paths absolute, which differ from clone to clone."""
    absolute = os.path.normpath(Path.cwd() / path)
    inside = absolute.startswith(str(Path.cwd()) + os.sep)
    return os.path.relpath(absolute) if inside else absolute


def _code(task: Any) -> tuple[TaskKind, str, tuple[str, ...], str | None]:
    if isinstance(task, NotebookRunner | ScriptRunner):
        kind: TaskKind = "notebook" if isinstance(task, NotebookRunner) else "script"
        _, notebook = task.source._read_nb_str_unrendered()  # noqa: SLF001
        cells = tuple(cell.source for cell in notebook.cells if cell.cell_type == "code")
        return kind, str(task.source.language or "python"), cells, None
    if isinstance(task, PythonCallable):
        function = getattr(task.source.primitive, "__name__", str(task.source.name))
        return "function", "python", (str(task.source),), function
    if isinstance(task, ShellScript):
        return "shell", "shell", (_raw(task.source),), None
    return ("sql" if "sql" in type(task).__name__.lower() else "other"), "sql", (_raw(task.source),), None


def _raw(source: Any) -> str:
    """Return a template's text before the product's path is filled in (the path is no part of the code)."""
    raw = getattr(getattr(source, "_placeholder", None), "_raw", None)
    return raw if isinstance(raw, str) else str(source)


def _holds_client(task: Any) -> bool:
    if isinstance(task, NotebookRunner | ScriptRunner | PythonCallable | ShellScript):
        return False
    with suppress(Exception):
        return task.client is not None
    return True


def _dialect(task: Any) -> str:
    """Return the dialect of a task's client as sqlglot calls it, "" where it does not tell; nothing is connected to."""
    with suppress(Exception):
        client = task.client
        uri = getattr(client, "_uri", None)  # SQLAlchemyClient
        connect = getattr(client, "connect_fn", None)  # DBAPIClient
        driver = str(uri).partition("://")[0] if uri is not None else str(getattr(connect, "__module__", ""))
        return dialect_of(driver)
    return ""


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON would carry it; what JSON cannot carry becomes its ``repr`` without memory addresses."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(inner) for inner in value]
        return sorted(items, key=str) if isinstance(value, set | frozenset) else items
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


@contextmanager
def _redirected(task: Any, staged: Mapping[str, str]) -> Iterator[None]:
    """Point the task's file products at their staging paths, render again, and undo it afterwards."""
    products = _keyed_products(task.product)
    originals = {key: product._identifier for key, product in products.items()}  # noqa: SLF001
    converters = _converters(task)
    paths = [converter._path_to_output for converter in converters]  # noqa: SLF001
    back = {str(products[key]): path for key, path in staged.items()}
    try:
        for key, path in staged.items():
            products[key]._identifier = _Fixed(path)  # noqa: SLF001
        for converter in converters:
            current = str(converter._path_to_output)  # noqa: SLF001
            converter._path_to_output = back.get(current, current)  # noqa: SLF001
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were shown when the DAG was rendered
            task.source.render(task.params)
        yield
    finally:
        for key, product in products.items():
            product._identifier = originals[key]  # noqa: SLF001
        for converter, path in zip(converters, paths, strict=True):
            converter._path_to_output = path  # noqa: SLF001
        if multiprocessing.parent_process() is None:  # a process of the task's own is about to end
            with warnings.catch_warnings(), suppress(Exception):
                warnings.simplefilter("ignore")
                task.source.render(task.params)


def _converters(task: Any) -> list[Any]:
    converter = getattr(task, "_converter", None)
    if converter is None:
        return []
    return list(converter) if isinstance(converter, list) else [converter]
