"""Ploomber with stand-ins is Ploomber: what users reach is real, and what is used becomes real."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from nbops.adapters.lean_imports import _ENTRY_POINTS, _LEFT_OUT, _LIGHT_MODELS, _PUT_OFF, _REDUCED

_START = """
import importlib, json, sys
from nbops.adapters.lean_imports import lean_imports, stand_ins
with lean_imports():
    importlib.import_module("nbops.workflow.attach")
    importlib.import_module("nbops.adapters.ploomber_build")
"""
_HEAVY = ["pandas", "matplotlib", "sqlalchemy", "nbconvert", "IPython", "ploomber_engine", "papermill.execute", "joblib"]
_HEAVY += ["pydantic", "jsonschema.validators", "jsonschema._format", "networkx.readwrite", "networkx.algorithms.centrality"]
_HEAVY += ["wcwidth", "nbops.pages.render", "nbops.workflow.conclude"]


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
        module, _, single = name.partition(":")
        if single:
            assert f"from {module} import" in source, name
            assert f" {single}" in source, name
            continue
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


_NETWORKX = """
import networkx as nx
assert "networkx.algorithms.dag" in sys.modules and "networkx.algorithms.centrality" not in sys.modules
"""


@pytest.mark.parametrize(
    "use",
    [
        "nx.shortest_path(nx.path_graph(3), 0, 2)",
        "nx.algorithms.shortest_paths.shortest_path(nx.path_graph(3), 0, 2)",
        "__import__('networkx.algorithms.community') and nx.community.louvain_communities and [0, 1, 2]",
        "exec('from networkx import *', globals()) or shortest_path(path_graph(3), 0, 2)",
        "exec('from networkx.algorithms import bipartite', globals()) or (bipartite.sets and [0, 1, 2])",
        "dir(nx).count('shortest_path') and nx.readwrite.json_graph.node_link_data and [0, 1, 2]",
    ],
)
def test_a_reduced_package_becomes_whole_when_it_is_asked_for_more(use: str) -> None:
    whole = """
import importlib, subprocess
fresh = subprocess.run([sys.executable, "-W", "ignore", "-c", "import networkx as nx; import networkx.algorithms as a;"
    "print(sorted(n for n in vars(nx) if not n.startswith('__')), sorted(n for n in vars(a) if not n.startswith('__')))"],
    capture_output=True, text=True, check=True).stdout.strip()
import networkx.algorithms as a
here = f"{sorted(n for n in vars(nx) if not n.startswith('__'))} {sorted(n for n in vars(a) if not n.startswith('__'))}"
assert here == fresh
assert "__getattr__" not in vars(nx) and "__dir__" not in vars(a)
assert nx.topological_sort is a.topological_sort is a.dag.topological_sort
try:
    nx.nothing_such
except AttributeError as error:
    print(error)
"""
    found = run(f"{_NETWORKX}print({use})\n{whole.replace('nx.community', 'nx')}")
    if "community" in use:
        assert found.startswith("[0, 1, 2]")
        return
    assert found == "[0, 1, 2]\nmodule 'networkx' has no attribute 'nothing_such'"


def test_a_reduced_package_does_not_become_whole_by_itself() -> None:
    text = run(
        f"""{_NETWORKX}
graph = nx.DiGraph()
graph.add_edge(1, 2)
graph.add_edge(2, 3)
print(list(nx.algorithms.topological_sort(graph)), hasattr(nx, "__wrapped__"), "networkx.readwrite" in sys.modules)
graph.add_edge(2, 1)
try:
    list(nx.algorithms.topological_sort(graph))
except nx.NetworkXUnfeasible:
    print("cycle")
"""
    )
    assert text == "[1, 2, 3] False False\ncycle"


def test_threads_wait_until_a_reduced_package_is_whole() -> None:
    text = run(
        f"""{_NETWORKX}
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    print(len(set(pool.map(lambda n: nx.shortest_path_length(nx.path_graph(4), 0, 3), range(8)))))
"""
    )
    assert text == "1"


@pytest.mark.parametrize("package", sorted(_REDUCED))
def test_the_modules_of_a_reduced_package_are_there(package: str) -> None:
    for name in _REDUCED[package]:
        import_module(name)


def test_a_model_of_one_string_needs_no_pydantic() -> None:
    text = run(
        """
from ploomber.util.dotted_path import DottedPath, DottedPathSpecModel
from ploomber.exceptions import SpecValidationError
path = DottedPath("json.dumps")
print(path(1), "pydantic" in sys.modules)
print(DottedPath({"dotted_path": "json.dumps", "indent": 1})([1]).split(), "pydantic" in sys.modules)
for wrong in ({"dotted_path": 1}, {"no": "path"}, {"dotted_path": None, "a": 1}):
    try:
        DottedPathSpecModel(**wrong)
    except SpecValidationError as error:
        print(type(error).__name__, error.errors[0]["type"], error.kwargs == wrong)
print(DottedPathSpecModel(dotted_path="a.b").model_fields_set, DottedPathSpecModel(dotted_path="a.b").model_dump())
try:
    DottedPath(1)
except TypeError as error:
    print(error)
"""
    )
    assert text.splitlines() == [
        "1 False",
        "['[', '1', ']'] True",
        "SpecValidationError string_type True",
        "SpecValidationError missing True",
        "SpecValidationError string_type True",
        "{'dotted_path'} {'dotted_path': 'a.b'}",
        "Expected dotted path spec to be a str or Mapping, got 1 (type: int)",
    ]


def test_what_is_wrong_with_a_notebook_is_said_as_ever() -> None:
    code = """
import nbformat
try:
    nbformat.validate({"cells": [{"cell_type": "code"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
except nbformat.ValidationError as error:
    print(str(error).splitlines()[0], list(error.path))
errors = nbformat.validator.iter_validate({"cells": 1, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
print([error.message for error in errors])
wrong = {"cells": [], "metadata": {"orig_nbformat": "a"}, "nbformat": 4, "nbformat_minor": 4, "more": 1}
print(nbformat.validator.normalize(wrong, relax_add_props=True, strip_invalid_metadata=True))
import jsonschema
print(jsonschema.Draft4Validator({}).is_valid(1), jsonschema.FormatChecker.__name__, jsonschema.validate.__name__)
print(jsonschema.draft3_format_checker, jsonschema.RefResolver, sorted(vars(jsonschema)))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert run(f"assert 'jsonschema.validators' not in sys.modules{code}") == done.stdout.strip()


def test_installed_packages_are_looked_through_once() -> None:
    text = run(
        """
from importlib import metadata
from nbops import plugins
assert plugins._every_entry_point.cache_info().misses == 1
for group in ("nbops.checks", "jupyter_client.kernel_provisioners", "nothing.such"):
    assert list(plugins.entry_points(group=group)) == list(metadata.entry_points(group=group))
sys.path.append("/nowhere")
plugins.entry_points(group="nbops.checks")
print(plugins._every_entry_point.cache_info().misses)
"""
    )
    assert text == "2"


def test_engines_and_file_handlers_that_others_install_are_found(tmp_path: Path) -> None:
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[papermill.io]\nother:// = other:Handler\n[papermill.engine]\nother = other:Engine\n")
    (tmp_path / "other.py").write_text(
        "class Handler:\n    read = staticmethod(lambda path: f'read {path}')\n\nclass Engine:\n    name = 'other'\n"
    )
    asked = """
from papermill import engines, iorw
print(iorw.papermill_io.read("other://a"), engines.papermill_engines.get_engine("other").name)
"""
    assert run(asked, cwd=tmp_path) == "read other://a other"


def test_one_that_makes_no_sense_is_told_and_left_out(tmp_path: Path) -> None:
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[papermill.engine]\nother = no module! at all\n")
    asked = "from papermill import engines; print(sorted(map(str, engines.papermill_engines._engines)))"
    assert run(asked, cwd=tmp_path) == run(asked)


def test_they_are_not_looked_for_once_more() -> None:
    assert run("import papermill.execute, papermill.iorw; print('entrypoints' in sys.modules)") == "False"


def test_what_is_served_apart_is_imported_there() -> None:
    for holder in _ENTRY_POINTS[1]:
        assert "entry_points" in Path(str(import_module(holder).__file__)).read_text(encoding="utf-8")
    holder, package, _ = _LIGHT_MODELS
    assert f"import {package}\n" in Path(str(import_module(holder).__file__)).read_text(encoding="utf-8")


def test_pages_are_made_as_ever_without_what_few_notebooks_need() -> None:
    code = """
import json, warnings
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import clean_html
from ipython_pygments_lexers import IPython3Lexer
from bs4 import BeautifulSoup
import nbformat
cells = [nbformat.v4.new_markdown_cell("# A *b* $x$"), nbformat.v4.new_code_cell("%%bash\\nls -l | wc")]
notebook = nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}})
for number, cell in enumerate(notebook.cells):
    cell.id = f"c{number}"
html = HTMLExporter(exclude_anchor_links=True).from_notebook_node(notebook)[0]
source = "%%html\\n<a href='b'>\\n!ls -l $x\\n%%ruby\\nputs 1\\n"
print(json.dumps([html, [str(token) for token in IPython3Lexer().get_tokens(source)], clean_html("<script>a</script><b>c</b>"),
                  [str(tag) for tag in BeautifulSoup("<p class=a>x</p>", "html.parser").select("p.a")],
                  BeautifulSoup("\u00e9".encode("latin-1"), "html.parser").text]))
"""
    plain = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    lean = run(f"with lean_imports():\n    import nbconvert.exporters\n    import ipython_pygments_lexers\n{code}")
    assert json.loads(lean) == json.loads(plain.stdout)
