"""Which modules are imported ahead: those that the pipeline's notebooks import and that can be forked safely."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["AUTOMATIC", "DATA_LIBRARIES", "Preload", "choose", "fixed_variables", "load_memory", "save_memory"]

AUTOMATIC = "auto"
"""Stands for the automatic choice in ``[tool.nbops] preload``."""

_USUAL = ("numpy", "pandas", "pyarrow", "pyarrow.parquet", "duckdb", "matplotlib.pyplot")
"""What is imported ahead when nothing is known of the notebooks; what is not installed is left out."""

DATA_LIBRARIES = frozenset({
    "duckdb", "numpy", "pandas", "pyarrow", "pyarrow.dataset", "pyarrow.pandas_compat", "pyarrow.parquet",
})  # fmt: skip
"""What is imported first where it is wanted: all that a companion (see :mod:`nbops.kernels.companion`) may find loaded."""

_UNSAFE = frozenset({
    # they start threads or keep connections and devices that a fork breaks, at import or in a way that no check here can see
    "cudf", "cupy", "cv2", "dask", "datafusion", "distributed", "grpc", "jax", "jaxlib", "lightgbm", "mpi4py", "mxnet", "numba",
    "onnxruntime", "paddle", "polars", "pyspark", "ray", "tensorflow", "tensorflow_hub", "torch", "torchvision", "vaex",
    "xgboost",
})  # fmt: skip

_FIXED = re.compile(
    r"PYTHON(?!PATH$|STARTUP$|INSPECT$)\w*|(LD|OMP|GOMP|KMP|OPENBLAS|GOTO|MKL|BLIS|VECLIB|NUMEXPR|NUMBA|MALLOC|JE|MIMALLOC|ARROW"
    r"|PYARROW|DUCKDB|PANDAS|NPY|NUMPY|SCIPY|SKLEARN|LC)_\w+|GLIBC_TUNABLES|MPL\w+|MATPLOTLIBRC|LANG|LANGUAGE|TZ\w*|HOME"
    r"|XDG_CONFIG_HOME|XDG_CACHE_HOME"
)
"""Variables that the interpreter or a library reads once, when it starts or is imported; they cannot be changed after that."""


_SET_BY_LIBRARIES = frozenset({"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"})
"""What joblib, threadpoolctl and others set while the build happens to import them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preload:
    """What to import ahead."""

    modules: tuple[str, ...]
    asked: frozenset[str]
    """Those that the project's settings name: it is said when one of them cannot be had."""


def fixed_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a forked kernel must have in common with the process that it is forked from.

    >>> fixed_variables({"TZ": "UTC", "PYTHONPATH": "a", "PYTHONHASHSEED": "0", "NBOPS_TASK": "load"})
    {'TZ': 'UTC', 'PYTHONHASHSEED': '0'}
    """
    return {name: value for name, value in environment.items() if _FIXED.fullmatch(name) and name not in _SET_BY_LIBRARIES}


def choose(settings: tuple[str, ...] | None, *, imports: Iterable[str] | None, unsafe: Iterable[str] = ()) -> Preload:
    """Return what to import ahead.

    Args:
        settings: ``preload`` of ``[tool.nbops]``: None for the automatic choice; else these, where ``auto`` adds that choice.
        imports: Dotted names that the notebooks import, or None when they are not known.
        unsafe: What was found unsafe before.

    >>> choose(None, imports=["pandas", "json", "polars", "matplotlib.pyplot"]).modules
    ('pandas', 'matplotlib.pyplot')
    >>> choose(("auto", "geopandas"), imports=[]).modules
    ('geopandas',)
    >>> choose((), imports=["pandas"]).modules
    ()
    """
    refused = _UNSAFE | set(unsafe)
    automatic = sorted(set(_USUAL if imports is None else imports), key=lambda name: (name not in DATA_LIBRARIES, name))
    automatic = [name for name in automatic if not _is_standard(name) and _top(name) not in refused and name not in refused]
    if settings is None:
        return Preload(modules=tuple(automatic), asked=frozenset())
    asked = [name for name in settings if name != AUTOMATIC]
    both = [*(automatic if AUTOMATIC in settings else ()), *asked]
    return Preload(modules=tuple(dict.fromkeys(both)), asked=frozenset(asked))


def _top(name: str) -> str:
    return name.split(".", 1)[0]


def _is_standard(name: str) -> bool:
    return _top(name) in sys.stdlib_module_names or not name


def load_memory(root: Path) -> dict[str, Any]:
    """Return what was remembered: ``imports`` of the last run (or None), and ``unsafe`` modules for this interpreter."""
    memory: dict[str, Any] = {"imports": None, "unsafe": []}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(_file(root).read_text(encoding="utf-8"))
        if isinstance(known, dict) and known.get("interpreter") == _interpreter():
            memory.update({key: known[key] for key in memory if isinstance(known.get(key), list)})
    return memory


def save_memory(root: Path, *, imports: Iterable[str] | None, unsafe: Iterable[str]) -> None:
    """Remember both for the next run, where that can be done."""
    known = {
        "interpreter": _interpreter(),
        "imports": sorted(set(imports)) if imports is not None else None,
        "unsafe": sorted(set(unsafe)),
    }
    file = _file(root)
    text = json.dumps(known, indent=1)
    with contextlib.suppress(OSError):
        if file.exists() and file.read_text(encoding="utf-8") == text:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".kernels-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
        Path(name).replace(file)


def _file(root: Path) -> Path:
    return root / ".nbops/cache/kernels.json"


def _interpreter() -> str:
    return f"{sys.executable} {sys.version}"
