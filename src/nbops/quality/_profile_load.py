"""Loading the profiler: what its statistics need, or the whole of it."""

from __future__ import annotations

import contextlib
import copy
import gc
import importlib
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import Any

from nbops.quality._profile_lean import Absence, left_out

__all__ = ["MODULES", "DoubtfulError", "Loaded", "load_lean", "load_whole", "settings_of"]

MODULES = ("ydata_profiling", "data_profiling")
"""The profiler and its successor (``fg-data-profiling``), which keeps the interface."""
_NEW_OBJECTS = 50_000
"""Between two collections, once the profiler is imported."""
_OPTIONAL = ("numba", "pyspark")
"""What the profiler looks for and does without: numba would be a second of import, and compiles nothing that is used here."""


_SETTINGS: Mapping[str, Any] = {
    "progress_bar": False,
    "pool_size": 1,  # the order of work is the order of columns
    "samples": None,  # no raw rows on a page that is committed
    "duplicates": None,
    "interactions": None,
    "missing_diagrams": None,  # drawn from the same counts on our page
    "vars": {"cat": {"characters": False, "words": False}, "text": {"characters": False, "words": True}},
    "plot": {"histogram": {"bins": 30}},
}
_CORRELATED = 0.5
"""Correlation that is worth an alert (the profiler's own threshold)."""


class DoubtfulError(Exception):
    """The profiler does not work with something left out."""


def settings_of(*, correlate: bool) -> Mapping[str, Any]:
    """Return the profiler's settings.

    Args:
        correlate: Whether correlations are worked out.
    """
    return {**_SETTINGS, "correlations": {"auto": {"calculate": correlate, "threshold": _CORRELATED}}}


class Loaded:
    """The profiler's ``ProfileReport``, called likewise, and whether its answers can be trusted.

    Args:
        report: The class.
        absence: What was left out of its import; None when it is the whole.
    """

    def __init__(self, report: Any, absence: Absence | None = None) -> None:
        self._report = report
        self._absence = absence
        self._failed = False
        self._settings: dict[str, tuple[bytes, Any, Any]] = {}

    @property
    def doubtful(self) -> bool:
        """Whether something went wrong that may be due to what was left out, even if the profiler made light of it."""
        return self._absence is not None and (self._failed or bool(self._absence.used))

    def __call__(self, frame: Any, *, type_schema: Mapping[str, str], **settings: Any) -> _Report:
        """Return what describes a data frame."""
        return _Report(self, lambda: self._make(frame, dict(type_schema), settings).get_description())

    def _make(self, frame: Any, type_schema: dict[str, str], settings: Mapping[str, Any]) -> Any:
        """Return a report.

        The profiler's checks of settings, and its graph of types, take as long as a small description, so they are made once.
        """
        key = repr(settings)
        if key in self._settings:
            config, typeset, summarizer = self._settings[key]
            own = copy.copy(typeset)
            own.type_schema = own._init_type_schema(type_schema)  # noqa: SLF001 - what its initializer calls with it
            return self._report(frame, config=pickle.loads(config), typeset=own, summarizer=summarizer)  # noqa: S301 - our own
        report = self._report(frame, type_schema=type_schema, **copy.deepcopy(dict(settings)))  # it writes into what it is given
        with contextlib.suppress(AttributeError, pickle.PicklingError, TypeError):
            if callable(report.typeset._init_type_schema):  # noqa: SLF001 - likewise
                self._settings[key] = (pickle.dumps(report.config), report.typeset, report.summarizer)
        return report

    def fail(self) -> None:
        """Note that a description failed."""
        self._failed = True


class _Report:
    def __init__(self, loaded: Loaded, describe: Callable[[], Any]) -> None:
        self._loaded = loaded
        self._describe = describe

    def get_description(self) -> Any:
        try:
            return self._describe()
        except Exception:
            self._loaded.fail()
            raise


def load_whole() -> Loaded:
    """Import the profiler, quietly and without its call home.

    Raises:
        ImportError: Neither the profiler nor its successor is installed.
    """
    _quiet()
    for name in MODULES:
        with contextlib.suppress(ImportError):
            return Loaded(importlib.import_module(name).ProfileReport)
    for optional in _OPTIONAL:
        sys.modules.pop(optional, None)
    for name in MODULES:
        with contextlib.suppress(ImportError):
            return Loaded(importlib.import_module(name).ProfileReport)
    raise ImportError(" or ".join(MODULES))


def load_lean() -> Loaded:
    """Import what the profiler's statistics need, and try it; see ``load_whole``.

    Raises:
        DoubtfulError: That does not work (or there is no profiler).
    """
    _quiet()
    gc.disable()  # what is imported stays
    try:
        loaded = _without()
        _try(loaded)
    except Exception as error:
        raise DoubtfulError from error
    if loaded.doubtful:
        raise DoubtfulError
    gc.freeze()  # thousands of functions and classes that every collection would look at
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    gc.enable()
    return loaded


def _without() -> Loaded:
    importlib.import_module("pandas")  # first, since it looks for libraries that are left out
    for name in MODULES:
        absence = Absence(name)
        with contextlib.suppress(ImportError), left_out(absence), _no_plugins():
            report = importlib.import_module(name).ProfileReport
            statistics = importlib.import_module("nbops.quality._profile_statistics")
            statistics.provide_counts(sys.modules.get(f"{name}.model.pandas.correlations_pandas"))
            return Loaded(report, absence)
    raise DoubtfulError


@contextlib.contextmanager
def _no_plugins() -> Iterator[None]:
    """Keep networkx from looking through all that is installed for other ways to compute on graphs: types are ordered with it."""
    usual = metadata.entry_points

    def entry_points(**wanted: Any) -> Any:
        return () if str(wanted.get("group", "")).startswith("networkx.") else usual(**wanted)

    metadata.entry_points = entry_points
    try:
        yield
    finally:
        metadata.entry_points = usual


def _quiet() -> None:
    os.environ["YDATA_PROFILING_NO_ANALYTICS"] = "True"
    os.environ["YDATA_SUPPRESS_BANNER"] = "1"
    os.environ.setdefault("MPLBACKEND", "agg")
    warnings.simplefilter("ignore")
    for name in _OPTIONAL:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def _try(loaded: Loaded) -> None:
    """Describe a few rows of each kind."""
    import pandas as pd  # noqa: PLC0415  # not wanted where this is imported for its names

    rows = range(12)
    frame = pd.DataFrame(
        {
            "number": [float(row * row) for row in rows],
            "category": [("a", "b", "b")[row % 3] for row in rows],
            "text": [f"some words {row}" for row in rows],
            "date": pd.date_range("2024-01-01", periods=len(rows)),
            "boolean": pd.Series([row % 2 == 0 for row in rows], dtype=object),
            "nothing": pd.Series([None for _ in rows], dtype=object),
        }
    )
    schema = {"number": "numeric", "category": "categorical", "text": "text"}
    loaded(frame, type_schema=schema, **settings_of(correlate=True)).get_description()
