"""Ploomber with stand-ins is Ploomber: what users reach is real, and what is used becomes real."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from nbops.adapters.lean_imports import _LEFT_OUT, _PUT_OFF

_START = """
import importlib, json, sys
from nbops.adapters.lean_imports import lean_imports, stand_ins
with lean_imports():
    importlib.import_module("nbops.workflow.attach")
    importlib.import_module("nbops.adapters.ploomber_build")
"""
_HEAVY = ["pandas", "matplotlib", "sqlalchemy", "nbconvert", "IPython", "ploomber_engine", "papermill.execute", "joblib"]


def run(code: str, *, cwd: Path | None = None) -> str:
    """Run code after a lean start in a process of its own, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _START + code], capture_output=True, text=True, check=False, timeout=300, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_start_is_lean_and_leaves_imports_alone() -> None:
    found = json.loads(
        run(
            f"""
import builtins
print(json.dumps([[name for name in {_HEAVY!r} if name in sys.modules], repr(builtins.__import__), len(stand_ins())]))
"""
        )
    )
    loaded, importer, count = found
    assert loaded == []
    assert importer == "<built-in function __import__>"
    assert count > 20


def test_what_a_user_imports_is_real() -> None:
    text = run(
        """
from types import ModuleType
import pandas, sqlalchemy, nbconvert, papermill, jupyter_client, jupytext, requests, joblib, cloudpickle, IPython.display
import matplotlib.pyplot as plt
from papermill import execute_notebook, inspect_notebook
from jupytext import TextFileContentsManager
from jupyter_client import KernelManager
from nbconvert import ExporterNameError
import ploomber.cli
import inspect
for module in (pandas, sqlalchemy, nbconvert, papermill, jupyter_client, jupytext, requests, joblib, cloudpickle, plt,
               papermill.execute, jupyter_client.channels, ploomber.cli.plot):
    assert type(module) is ModuleType or module.__class__.__mro__[1] is ModuleType, module
for function in (execute_notebook, inspect_notebook, papermill.execute_notebook, joblib.dump, cloudpickle.dump):
    assert inspect.isroutine(function), function
for type_ in (TextFileContentsManager, KernelManager, ExporterNameError, IPython.display.HTML, pandas.DataFrame):
    assert inspect.isclass(type_), type_
namespace = {}
exec("from papermill import *", namespace)
assert namespace["execute_notebook"] is execute_notebook
try:
    papermill.nothing_such
except AttributeError as error:
    print(error)
"""
    )
    assert text == "module 'papermill' has no attribute 'nothing_such'"


def test_first_use_replaces_every_stand_in_of_the_package() -> None:
    text = run(
        """
from ploomber.tasks import notebook, tasks
before = {name for holder, name in stand_ins() if holder == "ploomber.tasks.notebook"}
try:
    notebook.NotebookConverter._get_exporter("no such exporter", "x.pdf")
except Exception as error:
    assert type(error).__name__ == "TaskInitializationError", error
import nbconvert
from nbconvert.exporters.webpdf import WebPDFExporter
assert notebook.nbconvert is nbconvert and notebook.WebPDFExporter is WebPDFExporter
assert notebook.ExporterNameError is nbconvert.ExporterNameError
print(sorted(before), sorted(name for holder, name in stand_ins() if holder == "ploomber.tasks.notebook"))
"""
    )
    assert text == "['ExporterNameError', 'WebPDFExporter', 'nbconvert', 'pe'] ['pe']"


def test_stand_ins_work_as_classes_functions_and_modules() -> None:
    text = run(
        """
import pickle
from ploomber.tasks import tasks
from ploomber.io import serialize, unserialize
pdb, dump, pd = tasks.TerminalPdb, serialize.cloudpickle_dump, unserialize.pd
assert {type(item).__name__ for item in (pdb, dump, pd)} == {"_StandIn"}
assert not isinstance(3, pdb)
class Own(pdb): pass
import IPython.terminal.debugger, cloudpickle, pandas
assert Own.__mro__[1] is IPython.terminal.debugger.TerminalPdb
assert issubclass(Own, pdb) and pdb == IPython.terminal.debugger.TerminalPdb and hash(pdb) == hash(Own.__mro__[1])
assert pickle.loads(pickle.dumps(dump)) is cloudpickle.dump
assert pd.DataFrame is pandas.DataFrame and "read_csv" in dir(pd) and repr(pd) == repr(pandas)
assert unserialize.pd is pandas
print(pd.DataFrame({"a": [1]}).to_csv(index=False).split())
"""
    )
    assert text == "['a', '1']"


def test_engines_of_other_packages_are_loaded_when_asked_for() -> None:
    text = run(
        """
from papermill.engines import papermill_engines
assert "ploomber_engine.engine" not in sys.modules
engine = papermill_engines.get_engine("embedded")
print(engine.execute_notebook.__qualname__, "ploomber_engine.engine" in sys.modules)
"""
    )
    assert text == "Engine.execute_notebook True"


@pytest.mark.parametrize("holder", sorted(_PUT_OFF))
def test_the_tables_name_imports_that_are_there(holder: str) -> None:
    """An entry that serves nothing would be an oversight: each module holds the name of what it is said to import."""
    source = Path(str(import_module(holder).__file__)).read_text(encoding="utf-8")
    for name in _PUT_OFF[holder]:
        package, _, last = name.rpartition(".")
        written = [f"import {name}", f"from {name} import", f"from .{last} import", f"from {package} import {last}"]
        assert any(text in source for text in written), name


@pytest.mark.parametrize("package", sorted(_LEFT_OUT))
def test_packages_use_nothing_of_what_they_are_left_without(package: str) -> None:
    """A name that the package's own functions use must not be left out: they would not find it."""
    import ast

    tree = ast.parse(Path(str(import_module(package).__file__)).read_text(encoding="utf-8"))
    passed_on = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (("." * node.level and f"{package}.{node.module}") or node.module) in _LEFT_OUT[package]
        for alias in node.names
    }
    assert passed_on
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert used & passed_on == set()
