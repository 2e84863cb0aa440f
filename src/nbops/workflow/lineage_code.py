"""What an analysis of a task's code needs, gathered from what the build knows of the pipeline."""

from __future__ import annotations

import ast
import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops import lineage
from nbops.lineage.task import TaskCode
from nbops.record.secret_values import is_secret_name
from nbops.workflow.code import function_closure
from nbops.workflow.datasets import absolute
from nbops.workflow.hashing import digest
from nbops.workflow.headers import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.config import Config
    from nbops.pipeline import Product, TaskSpec
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["task_code"]

_LONGEST_VALUE = 10_000
_MOST_FILES = 50
"""Files that are looked into for their columns."""
_LANGUAGES = {"python": "python", "sql": "sql"}


def task_code(record: TaskRecord, *, records: Mapping[str, TaskRecord], root: Path, config: Config) -> TaskCode:
    """Return what is to be analysed of a task.

    Args:
        record: The task, with its datasets as they were measured.
        records: All tasks of the build.
        root: The project's root.
        config: The project's settings, for names of secrets.
    """
    spec = record.spec
    values = _values(spec, records, config)
    schemas, names = _schemas(records), _names(records, root)
    schemas |= _files(record, root, known=schemas)
    makes = _makes(record, names)
    language = _LANGUAGES.get(spec.language, spec.language) if spec.kind != "shell" else "shell"
    modules = _modules(record, root)
    cells, indexes = _cells(record, values)
    recipe: Mapping[str, Any] = record.recipe or record.fingerprint
    text = [values, schemas, list(indexes), makes, sorted(names.items()), dict(recipe.get("modules", {})), language, spec.dialect]
    return TaskCode(
        task=spec.name,
        language=language,
        cells=cells,
        indexes=indexes,
        values=values,
        schemas={**schemas, **{str(absolute(root, path)): columns for path, columns in schemas.items()}},
        modules=modules,
        dialect=spec.dialect or "duckdb",
        names={**names, **{str(absolute(root, path)): name for path, name in names.items()}},
        folders=tuple(dict.fromkeys([str(root), *([str(spec.source.parent)] if spec.source is not None else [])])),
        makes=makes,
        reads=_reads(record, records, names),
        basis=digest("lineage", _analyser(), str(recipe.get("code", "")), json.dumps(text, sort_keys=True, default=str))[:16],
    )


@cache
def _analyser() -> str:
    """Return what tells one version of the analyses from another: the names and sizes of their modules."""
    folder = Path(lineage.__file__).parent
    return repr(sorted((path.relative_to(folder).as_posix(), path.stat().st_size) for path in folder.rglob("*.py")))


def _path(product: Product) -> str:
    return product.path.replace(os.sep, "/")


def _given(products: tuple[Product, ...]) -> Any:
    """Return products as a task gets them: one path, or a mapping of them."""
    if len(products) == 1 and products[0].key == "product":
        return _path(products[0])
    return {product.key: _path(product) for product in products}


def _values(spec: TaskSpec, records: Mapping[str, TaskRecord], config: Config) -> dict[str, Any]:
    upstream = {up: _given(records[up].spec.products) for up in spec.upstream if up in records}
    given = {
        name: value
        for name, value in spec.parameters.items()
        if not is_secret_name(name, frozenset(config.secrets)) and len(str(value)) < _LONGEST_VALUE
    }
    return {**given, "upstream": upstream, "product": _given(spec.products)}


def _schemas(records: Mapping[str, TaskRecord]) -> dict[str, tuple[str, ...]]:
    """Return the columns of each dataset of the build, by its path as tasks get it."""
    found: dict[str, tuple[str, ...]] = {}
    for record in records.values():
        columns = {audit.dataset.name: tuple(column.name for column in audit.dataset.columns) for audit in record.audits}
        paths = {product.key: _path(product) for product in record.spec.products}
        for plan in record.plans:
            if columns.get(plan.name):
                found[paths.get(plan.key, plan.final_path)] = columns[plan.name]
    return found


def _files(record: TaskRecord, root: Path, *, known: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the columns of CSV files that a task reads, by each path that names them from the root or its own folder."""
    recipe: Mapping[str, Any] = record.recipe or record.fingerprint
    folders = [root, *([record.spec.source.parent] if record.spec.source is not None else [])]
    found: dict[str, tuple[str, ...]] = {}
    for name in [*recipe.get("files", {}), *record.fingerprint.get("observed", {})][:_MOST_FILES]:
        columns = columns_of(root / name) if name not in known else ()
        if columns:
            found.update({os.path.relpath(root / name, folder).replace(os.sep, "/"): columns for folder in folders})
    return found


def _names(records: Mapping[str, TaskRecord], root: Path) -> dict[str, str]:
    """Return what the pipeline calls each product, by its path as tasks get it."""
    found: dict[str, str] = {}
    for record in records.values():
        datasets = {plan.key: plan.name for plan in record.plans}
        for product in record.spec.products:
            path = _path(product)
            if product.kind == "relation":
                found[path] = f"relation:{path}"
            else:
                target = absolute(root, path)
                inside = target.relative_to(root).as_posix() if root in target.parents else target.as_posix()
                found[path] = datasets.get(product.key, f"file:{inside}")
    return found


def _makes(record: TaskRecord, names: Mapping[str, str]) -> dict[str, tuple[str, ...] | None]:
    """Return what a task makes besides its notebook, with columns where they are known."""
    columns = {audit.dataset.name: tuple(column.name for column in audit.dataset.columns) for audit in record.audits}
    found: dict[str, tuple[str, ...] | None] = {plan.name: columns.get(plan.name) or None for plan in record.plans}
    for product in record.spec.products:
        if product.kind != "notebook":  # a model, a JSON file, a relation
            found.setdefault(names[_path(product)], None)
    return found


def _reads(record: TaskRecord, records: Mapping[str, TaskRecord], names: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a task is known to read: what is upstream (notebooks that were executed hold no rows), and files."""
    found = [
        names[_path(product)]
        for up in record.spec.upstream
        if up in records
        for product in records[up].spec.products
        if product.kind != "notebook"
    ]
    recipe: Mapping[str, Any] = record.recipe or record.fingerprint
    files = [*recipe.get("files", {}), *record.fingerprint.get("observed", {}), *record.fingerprint.get("unordered", ())]
    found += [names.get(path, f"file:{path}") for path in files]
    found += [f"host:{host}" for host in record.fingerprint.get("hosts", ())]
    return tuple(dict.fromkeys(found))


def _modules(record: TaskRecord, root: Path) -> dict[str, str]:
    """Return the project's modules that the task imports, under each name that they can be imported by."""
    spec = record.spec
    bases = [root, root / "src", *([spec.source.parent] if spec.source is not None else [])]
    recipe: Mapping[str, Any] = record.recipe or record.fingerprint
    found: dict[str, str] = {}
    for name in recipe.get("modules", {}):
        path = root / name
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        for base in dict.fromkeys(bases):
            if base in path.parents:
                parts = list(path.relative_to(base).with_suffix("").parts)
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = text
    return {name: text for name, text in found.items() if name}


def _cells(record: TaskRecord, values: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[int | None, ...]]:
    spec = record.spec
    if spec.function is not None:
        return (_call(spec, spec.function, values),), ()
    if spec.language == "sql":
        return tuple(_filled(text, values) for text in spec.code), ()
    indexes = tuple(cell.index for cell in record.cells)
    return spec.code, indexes if len(indexes) == len(spec.code) else ()


def _call(spec: TaskSpec, name: str, values: Mapping[str, Any]) -> str:
    """Return a script that does what a function task does: what the function needs of its module, and a call of it."""
    try:
        text = spec.source.read_text(encoding="utf-8") if spec.source is not None else "\n".join(spec.code)
        tree = ast.parse(text)
        closure = function_closure(text, name)
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError, RecursionError):
        return "\n".join(spec.code)
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if closure is None or not functions:
        return "\n".join(spec.code)
    arguments = functions[-1].args
    taken = [item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    given = ", ".join(f"{item}={item}" for item in taken if item in values)
    # `product` and `upstream` are injected names, as in a notebook
    return "\n".join([*imports, closure[0], f"{name}({given})"])


class _Relation(str):
    """A relation as SQL templates get it."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Its name without the schema."""
        return self.rpartition(".")[2]

    @property
    def schema(self) -> str:
        """Its schema."""
        return self.rpartition(".")[0]


def _filled(text: str, values: Mapping[str, Any]) -> str:
    """Return SQL with its placeholders filled in; as it is where that does not work."""
    from jinja2 import TemplateError  # noqa: PLC0415 - only where SQL is analysed anew
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415

    def relation(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: relation(item) for key, item in value.items()}
        return _Relation(value) if isinstance(value, str) else value

    try:
        return SandboxedEnvironment().from_string(text).render({name: relation(value) for name, value in values.items()})
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError):
        return text
