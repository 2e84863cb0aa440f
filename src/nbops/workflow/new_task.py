"""A new task: its notebook, and its entry in ``pipeline.yaml``, where every other byte is left as it was.

The file is never written by a YAML library, which would reflow it. The entry is put into the text, and that is done only when the
new text then parses to the old document with exactly this task more.
"""

from __future__ import annotations

import io
import json
import keyword
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from nbops.adapters.pipeline_yaml import FileTask, PipelineFile, read_pipeline
from nbops.errors import ConfigError, did_you_mean
from nbops.record.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NewTask", "create_task"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DATA = frozenset({".parquet", ".csv", ".jsonl", ".json"})
_READERS = {
    ".parquet": "read_parquet({})",
    ".csv": "read_csv({})",
    ".jsonl": "read_json({}, lines=True)",
    ".json": "read_json({})",
}
_WRITERS = {
    ".parquet": "to_parquet({}, index=False)",
    ".csv": "to_csv({}, index=False)",
    ".jsonl": 'to_json({}, orient="records", lines=True)',
    ".json": 'to_json({}, orient="records")',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task that was made."""

    name: str
    notebook: str
    """Its path, relative to the project's root."""
    product: str
    """Likewise, of the dataset."""
    line: int
    """Where its entry begins in the pipeline file, counted from 1."""


def create_task(
    pipeline: Path, name: str, *, upstream: Sequence[str] = (), product: str | None = None, notebook: str | None = None
) -> NewTask:
    """Write the notebook of a new task, and its entry in the pipeline.

    Args:
        pipeline: The pipeline file.
        name: The task's name; also that of its dataset unless ``product`` says otherwise.
        upstream: Tasks that it reads from.
        product: The dataset's file, relative to the project's root; by default beside those of the other tasks.
        notebook: The notebook's file, ``.ipynb`` or ``.py``; by default beside and like the other notebooks.

    Raises:
        ConfigError: The pipeline cannot be read or extended, or something that was asked for cannot be; nothing was written.
        OSError: A file cannot be written; nothing is left half-written.
    """
    known = read_pipeline(pipeline)
    _check_name(name, known)
    chosen = _check_upstream(upstream, known)
    source = _path(notebook or _beside_notebooks(known, name), "notebook", known.root, endings={".ipynb", ".py"})
    data = _path(product or f"{_folder_of_products(known)}/{name}.parquet", "product", known.root, endings=_DATA)
    _check_free(source, data, known)
    executed = (PurePosixPath(data).parent / f"{name}.ipynb").as_posix()
    key = re.sub(r"\W", "_", PurePosixPath(data).stem)
    if executed == source:
        raise ConfigError(f"product {data}: the executed notebook would be written over {source}. Choose another folder.")
    text = pipeline.read_bytes().decode("utf-8")
    entry = {"source": source, "name": name, "product": {"nb": executed, key: data}}
    if not known.extract_upstream and chosen:
        entry["upstream"] = [task.name for task in chosen]
    edited, line = _with_entry(text, entry, pipeline)
    content = _notebook(name, chosen, key=key, ending=PurePosixPath(data).suffix, as_text=source.endswith(".py"), known=known)
    target = known.root / source
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as stream:  # never over a file that came into being meanwhile
        stream.write(content)
    try:
        replace_file(pipeline, edited.encode("utf-8"))
        read_pipeline(pipeline)
    except BaseException:
        with suppress(OSError):
            target.unlink()
        if pipeline.read_bytes() == edited.encode("utf-8"):
            replace_file(pipeline, text.encode("utf-8"))
        raise
    return NewTask(name=name, notebook=source, product=data, line=line)


def _check_name(name: str, known: PipelineFile) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigError(
            f"task {name[:60]!r}: letters, digits, '_' and '-' are allowed, at most 64, a letter first; no Python keyword."
        )
    if any(task.name.lower() == name.lower() for task in known.tasks):
        raise ConfigError(f"task {name!r}: {known.path.name} has a task of this name. Choose another.")


def _check_upstream(upstream: Sequence[str], known: PipelineFile) -> list[FileTask]:
    tasks = {task.name: task for task in known.tasks}
    for wanted in upstream:
        if wanted not in tasks:
            raise ConfigError(f"upstream {wanted[:60]!r} is no task of {known.path.name}. {did_you_mean(wanted, tasks)}")
    return [tasks[wanted] for wanted in dict.fromkeys(upstream)]


def _path(text: str, what: str, root: Path, *, endings: set[str] | frozenset[str]) -> str:
    """Return a path within the project as it is written in the pipeline.

    Raises:
        ConfigError: It leads out of the project, or is none that a new file can have.
    """
    path = PurePosixPath(text)
    parts = path.parts
    if path.is_absolute() or not parts or not all(_FILE.fullmatch(part) and part not in {".", ".."} for part in parts):
        raise ConfigError(
            f"{what} {text[:80]!r}: a path within the project is needed, of letters, digits, '_', '-' and '.', "
            "such as notebooks/clean.ipynb or output/clean.parquet."
        )
    if path.suffix not in endings:
        raise ConfigError(f"{what} {text[:80]!r}: it must end in one of {', '.join(sorted(endings))}.")
    existing = root
    for part in parts[:-1]:
        existing /= part
        if existing.is_symlink() or (existing.exists() and not existing.is_dir()):
            raise ConfigError(f"{what} {text[:80]!r}: {part} is no folder of the project.")
    return path.as_posix()


def _check_free(source: str, data: str, known: PipelineFile) -> None:
    target = known.root / source
    if target.exists() or target.is_symlink():
        raise ConfigError(f"notebook {source}: the file is there already. Choose another name, or move it away.")
    for task in known.tasks:
        made = task.product.values() if isinstance(task.product, dict) else [task.product]
        if known.root / data in made:
            raise ConfigError(f"product {data}: {task.name} makes it. Choose another.")


def _beside_notebooks(known: PipelineFile, name: str) -> str:
    sources = [task.source for task in known.tasks if task.source is not None and task.source.suffix in {".ipynb", ".py"}]
    near = [source for source in sources if source.is_relative_to(known.root)]
    if not near:
        return f"notebooks/{name}.ipynb"
    folder = near[-1].parent.relative_to(known.root).as_posix()
    return f"{folder}/{name}{near[-1].suffix}" if folder != "." else f"{name}{near[-1].suffix}"


def _folder_of_products(known: PipelineFile) -> str:
    for task in reversed(known.tasks):
        for made in task.product.values() if isinstance(task.product, dict) else [task.product]:
            if isinstance(made, Path) and made.is_relative_to(known.root) and made.parent != known.root:
                return made.parent.relative_to(known.root).as_posix()
    return "output"


def _with_entry(text: str, entry: dict[str, Any], pipeline: Path) -> tuple[str, int]:
    """Return the pipeline's text with one task more, and the line at which it begins."""
    place = _place(text, pipeline)
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = _as_yaml(entry).splitlines()
    block = [f"{' ' * place.column}- {lines[0]}", *(f"{' ' * (place.column + 2)}{line}" for line in lines[1:])]
    before, after = text[: place.offset], text[place.offset :]
    glue = "" if not before or before.endswith("\n") else ending
    gap = ending if place.gap else ""
    edited = before + glue + gap + ending.join(block) + ending + after
    line = (before + glue + gap).count("\n") + 1
    _verify(text, edited, entry, pipeline)
    return edited, line


@dataclass(frozen=True, slots=True)
class _Place:
    offset: int
    column: int
    gap: bool
    """Tasks are separated by an empty line."""


def _place(text: str, pipeline: Path) -> _Place:
    """Return where the entry goes: below the last task, before what follows it."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - takes 30 ms to import

    root = YAML(typ="safe", pure=True).compose(io.StringIO(text))
    tasks = root
    if root is not None and root.tag.endswith(":map"):
        tasks = next((value for key, value in root.value if key.value == "tasks"), None)
    if tasks is None or not tasks.tag.endswith(":seq") or tasks.flow_style or not tasks.value:
        raise ConfigError(
            f"{pipeline.name}: tasks are not written as a list of lines that begin with '-', so the entry must be added by hand."
        )
    last = tasks.value[-1]
    offset = _line_after(text, last)
    first_dash = tasks.value[0].start_mark
    start_of_line = text.rfind("\n", 0, first_dash.index) + 1
    column = text[start_of_line : first_dash.index].find("-")
    if column < 0:
        column = tasks.start_mark.column
    gap = len(tasks.value) > 1 and _blank_before(text, last.start_mark.index)
    return _Place(offset=offset, column=column, gap=gap)


def _line_after(text: str, node: Any) -> int:
    """Return the beginning of the line after the last one that holds something of a node."""
    leaf = node
    while isinstance(leaf.value, list) and leaf.value and not leaf.flow_style:
        leaf = leaf.value[-1][1] if isinstance(leaf.value[-1], tuple) else leaf.value[-1]
    end = leaf.end_mark.index
    end -= len(text[:end]) - len(text[:end].rstrip())
    found = text.find("\n", end)
    return len(text) if found < 0 else found + 1


def _blank_before(text: str, index: int) -> bool:
    lines = text[:index].split("\n")
    return len(lines) > 1 and not lines[-2].strip()


def _as_yaml(entry: dict[str, Any]) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 10_000
    stream = io.StringIO()
    yaml.dump(entry, stream)
    return stream.getvalue()


def _verify(text: str, edited: str, entry: dict[str, Any], pipeline: Path) -> None:
    """Make sure that the new text says what the old one said, and this task more."""
    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    def read(what: str) -> Any:
        return YAML(typ="safe", pure=True).load(what)

    try:
        old, new = read(text), read(edited)
    except YAMLError as error:
        raise ConfigError(f"{pipeline.name}: the entry cannot be added to it as it is written; add it by hand.") from error
    expected = [*old, entry] if isinstance(old, list) else {**old, "tasks": [*old["tasks"], entry]}
    if new != expected:
        raise ConfigError(f"{pipeline.name}: the entry cannot be added to it as it is written; add it by hand.")


def _notebook(name: str, upstream: list[FileTask], *, key: str, ending: str, as_text: bool, known: PipelineFile) -> bytes:
    """Return a notebook that reads what it depends on and writes its dataset: it builds at once."""
    import jupytext  # noqa: PLC0415
    import nbformat  # noqa: PLC0415

    names = [task.name for task in upstream]
    reads = [line for task in upstream for line in _reading(task)]
    frame = _variable(upstream[0].name) if reads else 'pd.DataFrame({"id": [1, 2, 3]})'
    declared = f"upstream = {json.dumps(names)}" if names and known.extract_upstream else "upstream = None"
    v4: Any = nbformat.v4  # its functions have no types
    where, variable = f'product["{key}"]', _variable(name)
    cells = [
        v4.new_markdown_cell(f"# {name}\n\nTODO: what it makes, and for whom."),
        v4.new_code_cell(f"{declared}\nproduct = None", metadata={"tags": ["parameters"]}),
        v4.new_code_cell("from pathlib import Path\n\nimport pandas as pd"),
        *([v4.new_code_cell("\n".join(reads))] if reads else []),
        v4.new_code_cell(f"{variable} = {frame}\n{variable}.head()"),
        v4.new_code_cell(f"Path({where}).parent.mkdir(parents=True, exist_ok=True)\n{variable}.{_WRITERS[ending].format(where)}"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    made = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    for index, cell in enumerate(made["cells"]):
        cell["id"] = f"cell-{index}"  # the same every time
    as_percent: Any = jupytext.writes
    as_json: Any = nbformat.writes
    text: str = as_percent(made, fmt="py:percent") if as_text else as_json(made) + "\n"
    return text.encode("utf-8")


def _reading(task: FileTask) -> list[str]:
    """Return the lines that read the datasets of an upstream task, the first by the task's name."""
    products = task.product if isinstance(task.product, dict) else {"": task.product}
    files = {key: made for key, made in products.items() if isinstance(made, Path) and made.suffix in _READERS}
    lines = []
    for number, (key, made) in enumerate(files.items()):
        where = f'upstream["{task.name}"]' + (f'["{key}"]' if key else "")
        variable = _variable(task.name) if number == 0 else _variable(f"{task.name}_{key}")
        lines.append(f"{variable} = pd.{_READERS[made.suffix].format(where)}")
    return lines


def _variable(name: str) -> str:
    found = re.sub(r"\W", "_", name)
    return f"{found}_" if keyword.iskeyword(found) or found[:1].isdigit() else found
