"""What the notebooks of a pipeline import from elsewhere, so that it can be imported before they run."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from nbops import kernels
from nbops.adapters.pipeline_yaml import read_pipeline
from nbops.errors import ConfigError
from nbops.pipeline import TaskSpec
from nbops.quality.profile import FORKED
from nbops.workflow.fingerprint import Fingerprinter
from nbops.workflow.hashing import HashCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Any

    from nbops.contract.config import Config

__all__ = ["imported_by", "prestart", "start_kernels_early"]

_IMAGES = frozenset({"Bmp", "Gif", "Jpeg", "Png", "Ppm"})
_PARTS: tuple[tuple[str, tuple[str, ...], frozenset[str]], ...] = (
    ("pandas", ("parquet",), frozenset({"pyarrow", "pyarrow.dataset", "pyarrow.pandas_compat", "pyarrow.parquet"})),
    # arrays and tables of Python's values may be pandas' own, for which it is imported where it is installed
    ("pyarrow", ("array(", "table(", "from_py", "to_pandas"), frozenset({"pandas", "pyarrow.compute", "pyarrow.pandas_compat"})),
    (
        "matplotlib.pyplot",
        ("",),
        frozenset({"matplotlib.backends.backend_agg", *(f"PIL.{name}ImagePlugin" for name in _IMAGES)}),
    ),
    ("nbops", ("nbops.check(", "nbops.expect("), frozenset({"nbops.quality.notebook"})),
)
"""A library, words, and what the library imports itself once code with one of the words runs."""
_TEXT = frozenset({".py"})
_NOTEBOOK = frozenset({".ipynb"})


def start_kernels_early(root: Path, config: Config, *, pipeline: Path | None, values: Mapping[str, Any]) -> None:
    """Start the process that kernels are forked from before anything is known of the pipeline but its file.

    What it imports was remembered from the last run; before the first one, it is read from the sources of the tasks.

    Args:
        root: The project's root.
        config: Its settings.
        pipeline: The pipeline file, or None where there is none to be read.
        values: What ``--env--NAME VALUE`` sets.
    """
    foreseen = None
    if pipeline is not None and config.kernels == "warm" and not kernels.remembers(root):
        with suppress(ConfigError, OSError):
            sources = [task.source for task in read_pipeline(pipeline, values=values).tasks if task.source is not None]
            if not any(source.suffix in _NOTEBOOK | _TEXT for source in sources):
                return  # no kernel is going to be asked for
            foreseen = _foreseen(root, config, sources)
    prestart(root, config, imports=foreseen)


def prestart(root: Path, config: Config, *, imports: Iterable[str] | None) -> None:
    """Start the process that kernels, and the profiler, are forked from; see :func:`nbops.kernels.prestart`."""
    kernels.prestart(root, config, imports=imports, companion=FORKED if config.profile else None)


def _foreseen(root: Path, config: Config, sources: Iterable[Path]) -> tuple[str, ...] | None:
    """Return what the sources import as far as they can be read without Ploomber; None when none of them can."""
    tasks = []
    for number, source in enumerate(sources):
        with suppress(OSError, UnicodeDecodeError, ValueError, KeyError, TypeError):
            code = _code_of(source)
            if code is not None:
                tasks.append(_notebook(str(number), source, code))
    if not tasks:
        return None
    hashes = HashCache(root / ".nbops/cache/hashes.json")
    return imported_by(tasks, fingerprinter=Fingerprinter(root=root, tasks=tuple(tasks), config=config, hashes=hashes))


def _notebook(name: str, source: Path, code: tuple[str, ...]) -> TaskSpec:
    return TaskSpec(name=name, kind="notebook", source=source, code=code, language="python", upstream=(), products=())


def _code_of(source: Path) -> tuple[str, ...] | None:
    """Return the code of a source, None when it is neither notebook nor Python: a percent script is Python as it stands."""
    if source.suffix in _TEXT:
        return (source.read_text(encoding="utf-8"),)
    if source.suffix not in _NOTEBOOK:
        return None
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    return tuple("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def imported_by(tasks: Iterable[TaskSpec], *, fingerprinter: Fingerprinter) -> tuple[str, ...]:
    """Return the dotted names that Python notebooks, and the project's modules that they import, import from outside the project.

    Args:
        tasks: The pipeline's tasks.
        fingerprinter: Knows what code imports, and remembers it from build to build.
    """
    found: set[str] = set()
    code: list[str] = []
    for task in tasks:
        if task.kind != "notebook" or task.language != "python":
            continue
        code += task.code
        imports, outside = fingerprinter.imports(task)
        found |= outside
        for item in imports:
            if item.level == 0 and item.module.split(".")[0] in outside:
                # a name that is taken from a package may be a module: what is none is left out when it is looked for
                found |= {item.module, *(f"{item.module}.{name}" for name in item.names if name.islower())}
    libraries = frozenset(found)
    for library, words, parts in _PARTS:
        if library in libraries and any(word in cell for cell in code for word in words):
            found |= parts
    return tuple(sorted(found))
