"""Ploomber imported without what it rarely needs: those imports are put off until something uses them.

Importing Ploomber runs about six CPU seconds of other packages: pandas for its (un)serializers, matplotlib for the profiler of
ploomber-engine, SQLAlchemy for database clients, nbconvert for HTML products, IPython for debuggers and figures. A build uses few
of them, and one with nothing to do none.

While :func:`lean_imports` is entered, the import statements that the tables below name bind a stand-in instead. Nothing is put
into ``sys.modules`` and only the listed modules are served, so that user code, and every other package, imports the real thing.
The first real use of a stand-in imports its package and writes the real objects over every stand-in for that package. ``except``
cannot do with a stand-in, so no exception is put off but one of nbconvert's, which Ploomber only names around calls of nbconvert.

Packages whose own ``__init__`` imports everything are imported in part (:mod:`nbops.adapters.lean_packages`), and become whole
when somebody asks them for more. For a model of a single string there is no pydantic (:mod:`nbops.adapters.lean_models`).

The tables are of Ploomber 0.23.3, its last release, and of the modules between it and the heavy packages. An import that is not
found as listed runs as ever: a stand-in can be missing, which costs time, and is never wrong.
"""

# ruff: noqa: SLF001 - what a stand-in stands for is private so that it hides nothing of the real thing

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from contextlib import contextmanager, suppress
from importlib import metadata
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from nbops.adapters.lean_models import LightPydantic
from nbops.adapters.lean_packages import add_reduced, public
from nbops.plugins import entry_points
from nbops.record.jsonschemas import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["lean_imports", "stand_ins"]

_PUT_OFF: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ploomber._requests": frozenset({"requests"}),
        "ploomber.cli.io": frozenset({"ipdb"}),
        "ploomber.clients.db": frozenset({"sqlalchemy"}),
        "ploomber.clients.shell": frozenset({"paramiko"}),
        "ploomber.clients.storage.aws": frozenset({"boto3", "botocore"}),
        "ploomber.codediffer": frozenset({"autopep8", "sqlparse"}),
        "ploomber.dag.dag": frozenset({"IPython.display"}),
        "ploomber.dag.plot": frozenset({"IPython.display"}),
        "ploomber.io.file": frozenset({"pyarrow", "pyarrow.parquet"}),
        "ploomber.io.serialize": frozenset({"cloudpickle", "joblib"}),
        "ploomber.io.unserialize": frozenset({"cloudpickle", "joblib", "pandas"}),
        "ploomber.sources.interact": frozenset({"jupyter_client"}),
        "ploomber.sources.notebooksource": frozenset({"jupytext.cli"}),
        "ploomber.static_analysis.sql": frozenset({"sqlparse"}),
        "ploomber.tasks.notebook": frozenset({"nbconvert", "nbconvert.exporters.webpdf", "ploomber_engine"}),
        "ploomber.tasks.tasks": frozenset({"IPython.terminal.debugger", "debuglater"}),
        # between Ploomber and what is heavy
        "bs4.css": frozenset({"soupsieve"}),
        "bs4.dammit": frozenset({"charset_normalizer"}),
        "ipython_pygments_lexers": frozenset(
            {f"pygments.lexers:{name}Lexer" for name in ("Bash", "Html", "Javascript", "Perl", "Ruby", "Tex")}
        ),
        "jupytext.myst": frozenset(
            {
                "markdown_it",
                "mdit_py_plugins.front_matter",
                "mdit_py_plugins.myst_blocks",
                "mdit_py_plugins.myst_role",
            }
        ),
        "nbconvert.exporters.html": frozenset({"nbconvert.filters.markdown_mistune"}),
        "nbconvert.filters.markdown": frozenset({"nbconvert.filters.markdown_mistune"}),
        "nbconvert.filters.strings": frozenset({"bleach", "nbconvert.preprocessors.sanitize"}),
        "nbformat.json_compat": frozenset({"jsonschema:Draft4Validator"}),
        "papermill.engines": frozenset({"papermill.clientwrap"}),
        "papermill.iorw": frozenset({"pyarrow.fs", "requests"}),
        "ploomber_engine.profiling": frozenset({"matplotlib.pyplot"}),
        "tabulate": frozenset({"wcwidth"}),
    }
)
"""Module to what it imports and uses, if at all, only within its functions: modules, or ``module:name`` for a single name."""

_LEFT_OUT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "jupyter_client": frozenset(
            {
                "jupyter_client.asynchronous",
                "jupyter_client.blocking",
                "jupyter_client.client",
                "jupyter_client.manager",
                "jupyter_client.multikernelmanager",
            }
        ),
        "jupytext": frozenset({"jupytext.async_contentsmanager", "jupytext.sync_contentsmanager"}),
        "nbconvert.postprocessors": frozenset({"nbconvert.postprocessors.serve"}),
        "nbconvert.preprocessors": frozenset({"nbconvert.preprocessors.csshtmlheader"}),
        "papermill": frozenset({"papermill.execute", "papermill.inspection"}),
        "ploomber.cli": frozenset({"ploomber.cli"}),
    }
)
"""Package to the modules whose names it only passes on: they are imported when somebody asks the package for such a name."""

_REDUCED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "jsonschema": frozenset({"jsonschema._types", "jsonschema.exceptions"}),
        "networkx": frozenset(
            {
                *(f"networkx.{name}" for name in ("algorithms", "classes", "convert", "convert_matrix", "exception")),
                *(f"networkx.{name}" for name in ("lazy_imports", "relabel", "utils")),
            }
        ),
        "networkx.algorithms": frozenset({"networkx.algorithms.dag"}),
    }
)
"""Package to those of its own modules that are imported at once; the others when somebody asks for a name that is missing."""

_MADE_LATER = frozenset({("jsonschema", "Draft4Validator")})
"""Classes whose stand-ins put their objects off, too: nbformat makes one for each schema, and asks it only what is wrong."""

_LIGHT_MODELS = ("ploomber.util.dotted_path", "pydantic", ())
"""The one import of pydantic, for a model of a single string."""

_KEPT_SCHEMAS = ("nbformat.json_compat", "fastjsonschema", ())
"""The import of fastjsonschema whose compiled schema of notebooks is kept from build to build."""

_ENTRY_POINTS = ("importlib.metadata", frozenset({"jupyter_client.provisioning.factory", "networkx.utils.backends"}))
"""Who looks through all that is installed for entry points, which is done once for all."""

_LAZY_ENTRY_POINTS = (frozenset({"papermill.engines", "papermill.iorw"}), "entrypoints")
"""Modules that load every installed engine, or file handler, when they are imported, and the library that they do so with."""

_LISTED = frozenset({*_PUT_OFF, *_LEFT_OUT, *_REDUCED, *_ENTRY_POINTS[1], _LIGHT_MODELS[0], *_LAZY_ENTRY_POINTS[0]})
_import = builtins.__import__
_bound: dict[int, tuple[str, _StandIn]] = {}
"""Which module holds which stand-in, by the stand-in's identity (comparing them would import what they stand for)."""
_left_out: dict[str, dict[str, tuple[str, str | None]]] = {}
"""Package to the names that it will be taught: each a module's name, or with None the module."""
_skipped: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
"""Reduced package to the import statements of it that were passed over, in their order: a module and names."""


class _StandIn:
    """A name of a module (or, without a name, the module) that is imported on first use."""

    __slots__ = ("_nbops_module", "_nbops_name")

    def __init__(self, module: str, name: str | None = None) -> None:
        object.__setattr__(self, "_nbops_module", module)
        object.__setattr__(self, "_nbops_name", name)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(_real(self), attribute)

    def __setattr__(self, attribute: str, value: object) -> None:
        setattr(_real(self), attribute, value)

    def __delattr__(self, attribute: str) -> None:
        delattr(_real(self), attribute)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if (self._nbops_module, self._nbops_name) in _MADE_LATER:
            return _MadeLater(self, arguments, options)
        return _real(self)(*arguments, **options)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (_real(self),)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, _real(self))

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, _real(self))

    def __eq__(self, other: object) -> bool:
        return bool(_real(self) == (_real(other) if type(other) is _StandIn else other))

    def __hash__(self) -> int:
        return hash(_real(self))

    def __or__(self, other: Any) -> Any:
        return _real(self) | other

    def __ror__(self, other: Any) -> Any:
        return other | _real(self)

    def __dir__(self) -> list[str]:
        return dir(_real(self))

    def __repr__(self) -> str:
        return repr(_real(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (self._nbops_module, self._nbops_name)


class _MadeLater:
    """An object that is made when somebody asks it for something."""

    def __init__(self, type_: _StandIn, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._nbops_made_of = type_, arguments, options

    def __getattr__(self, name: str) -> Any:
        if name == "_nbops_made":
            type_, arguments, options = self._nbops_made_of
            self._nbops_made = _real(type_)(*arguments, **options)
            return self._nbops_made
        return getattr(self._nbops_made, name)


def _load(module: str, name: str | None = None) -> Any:
    """Import what a stand-in stands for; listed imports on the way there are put off in their turn."""
    with lean_imports():
        found = importlib.import_module(module)
    if name is None:
        return found
    try:
        return getattr(found, name)
    except AttributeError:
        raise ImportError(f"cannot import name {name!r} from {module!r}", name=module) from None


def _real(stand_in: _StandIn) -> Any:
    """Return what a stand-in stands for, and write the real objects over all stand-ins for its package."""
    module, name = stand_in._nbops_module, stand_in._nbops_name
    found = _load(module, name)
    package = module.partition(".")[0]
    for key, (holder, other) in list(_bound.items()):
        if other._nbops_module.partition(".")[0] != package or _bound.pop(key, None) is None:
            continue
        space = vars(sys.modules[holder]) if holder in sys.modules else {}
        for variable in [held for held, value in space.items() if value is other]:
            with suppress(ImportError):  # it says so itself when it is used
                space[variable] = _load(other._nbops_module, other._nbops_name)
    return found


def stand_ins() -> frozenset[tuple[str, str]]:
    """Return which variables of which modules are stand-ins now."""
    held = [(holder, vars(sys.modules[holder])) for holder in _PUT_OFF if holder in sys.modules]
    return frozenset((holder, name) for holder, space in held for name, value in space.items() if type(value) is _StandIn)


@contextmanager
def lean_imports() -> Iterator[None]:
    """Put the listed imports off that are made within the block."""
    if builtins.__import__ is _lean_import:  # within another
        yield
        return
    before = builtins.__import__
    builtins.__import__ = _lean_import
    try:
        yield
    finally:
        builtins.__import__ = before
        _settle()


def _lean_import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 - the signature of `__import__`
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    importer = globals.get("__name__") if globals else None
    if importer in _LISTED:
        served = _serve(str(importer), name, globals or {}, tuple(fromlist or ()), level)
        if served is not None:
            return served
    found = _import(name, globals, locals, fromlist, level)
    if _left_out or _skipped:
        _settle()
    return found


def _serve(importer: str, name: str, space: Mapping[str, object], fromlist: tuple[str, ...], level: int) -> Any:
    """Return what an import statement of a listed module gets in place of the real thing; None when that is the real thing."""
    try:
        absolute = importlib.util.resolve_name("." * level + name, str(space.get("__package__") or importer)) if level else name
    except ImportError:
        return None
    if importer in _REDUCED and fromlist:
        return _pass_over(importer, absolute, fromlist)
    if absolute in _LEFT_OUT.get(importer, ()) and fromlist:
        return _leave_out(importer, absolute, fromlist)
    return _made_for(importer, absolute, fromlist) or _put_off(importer, absolute, fromlist)


def _made_for(importer: str, absolute: str, fromlist: tuple[str, ...]) -> Any:
    """Return what is made for a single import; None for any other."""
    if absolute == _LAZY_ENTRY_POINTS[1] and importer in _LAZY_ENTRY_POINTS[0]:
        return _EntryPoints()
    if absolute == _ENTRY_POINTS[0] and importer in _ENTRY_POINTS[1]:
        return SimpleNamespace(**{item: getattr(_Metadata, item, None) or getattr(metadata, item) for item in fromlist})
    if (importer, absolute, fromlist) == _KEPT_SCHEMAS:
        return _Schemas()
    return LightPydantic() if (importer, absolute, fromlist) == _LIGHT_MODELS else None


def _pass_over(package: str, absolute: str, fromlist: tuple[str, ...]) -> Any:
    """Return what a reduced package gets of those of its own modules that are not needed at once; None for another import."""
    names = [f"{absolute}.{item}" for item in fromlist] if absolute == package else [absolute]
    if not all(name.startswith(f"{package}.") for name in names):
        return None
    if absolute in _REDUCED and fromlist == ("*",):  # as far as that is there; asking it for all would make it whole
        _skipped.setdefault(package, []).append((absolute, fromlist))
        return SimpleNamespace(**public(sys.modules[absolute]))
    if any(name in _REDUCED[package] for name in names):
        return None
    _skipped.setdefault(package, []).append((absolute, fromlist))
    return SimpleNamespace(**{item: _StandIn(absolute, item) for item in fromlist if item != "*"})


def _leave_out(importer: str, absolute: str, fromlist: tuple[str, ...]) -> Any:
    names: dict[str, tuple[str, str | None]]
    if absolute == importer:  # a package that imports its own modules
        names = {item: (f"{absolute}.{item}", None) for item in fromlist}
    else:
        names = {absolute.rpartition(".")[2]: (absolute, None), **{item: (absolute, item) for item in fromlist}}
    _left_out.setdefault(importer, {}).update(names)
    return SimpleNamespace(**{item: _StandIn(*names[item]) for item in fromlist})  # until the package is imported


def _put_off(importer: str, absolute: str, fromlist: tuple[str, ...]) -> Any:
    wanted = _PUT_OFF.get(importer, frozenset())
    if absolute in wanted and _installed(absolute):
        if not fromlist:
            return _module(importer, absolute)
        return SimpleNamespace(**{item: _bind(importer, _StandIn(absolute, item)) for item in fromlist})
    if fromlist and all(f"{absolute}.{item}" in wanted for item in fromlist) and _installed(absolute):
        return SimpleNamespace(**{item: _bind(importer, _StandIn(f"{absolute}.{item}")) for item in fromlist})
    if any(f"{absolute}:{item}" in wanted for item in fromlist):
        names = {item for item in fromlist if f"{absolute}:{item}" in wanted}
        put_off = {item: _bind(importer, _StandIn(absolute, item)) for item in names}
        others = tuple(item for item in fromlist if item not in names)
        found = _import(absolute, None, None, others, 0) if others else None
        return SimpleNamespace(**put_off, **{item: getattr(found, item) for item in others})
    return None


def _installed(module: str) -> bool:
    package = module.partition(".")[0]
    return package in sys.modules or importlib.util.find_spec(package) is not None


def _bind(importer: str, stand_in: _StandIn) -> _StandIn:
    _bound[id(stand_in)] = (importer, stand_in)
    return stand_in


def _module(importer: str, absolute: str) -> Any:
    """Return what `import a` or `import a.b as c` binds; for the latter, Python takes `b` from what it gets for `a`."""
    parts = absolute.split(".")
    found: Any = _bind(importer, _StandIn(absolute))
    for part in reversed(parts[1:]):
        found = SimpleNamespace(**{part: found})
    return found


class _Metadata:
    """What is served of ``importlib.metadata``, besides what it has itself."""

    entry_points = staticmethod(entry_points)


class _Schemas:
    """The library that compiles schemas, with what it compiled kept."""

    def compile(self, schema: Any, *arguments: Any, **options: Any) -> Any:
        if arguments or options:
            return importlib.import_module(_KEPT_SCHEMAS[1]).compile(schema, *arguments, **options)
        return compiled(schema)

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(_KEPT_SCHEMAS[1]), name)


class _EntryPoints:
    """The library that finds entry points, with those of papermill loaded on first use."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(_LAZY_ENTRY_POINTS[1]), name)

    def get_group_all(self, group: str) -> list[Any]:
        found = list(entry_points(group=group))  # from one look at all that is installed
        if all(entry.pattern.match(entry.value) for entry in found):
            return [SimpleNamespace(name=entry.name, load=_loader(entry)) for entry in found]
        return list(importlib.import_module(_LAZY_ENTRY_POINTS[1]).get_group_all(group))  # which says what is wrong with them


def _loader(entry: Any) -> Callable[[], _StandIn]:
    return lambda: _StandIn(entry.module, entry.attr or None)


def _settle() -> None:
    """Give the packages that are imported by now the names that they were left without, to be imported when asked for."""
    for package in list(_left_out):
        module = sys.modules.get(package)
        if module is None or not getattr(module.__spec__, "_initializing", False):
            names = _left_out.pop(package)
            if module is not None:
                _teach(module, names)
    for package in list(_skipped):
        module = sys.modules.get(package)
        if module is None or not getattr(module.__spec__, "_initializing", False):
            statements = _skipped.pop(package)
            if module is not None:
                add_reduced(module, statements)


def _teach(module: ModuleType, names: Mapping[str, tuple[str, str | None]]) -> None:
    space = vars(module)
    for name in names:
        if type(space.get(name)) is _StandIn:
            del space[name]
    if "__all__" not in space:
        space["__all__"] = [name for name in {*space, *names} if not name.startswith("_")]
    space["__getattr__"] = _Asked(module, names, space.get("__getattr__"))


class _Asked:
    """A package's ``__getattr__``: imports what the package was left without."""

    def __init__(self, module: ModuleType, names: Mapping[str, tuple[str, str | None]], own: Callable[[str], Any] | None) -> None:
        self._package, self._space = module.__name__, vars(module)
        self._missing, self._own = dict(names), own

    def _learn(self, name: str) -> Any:
        self._space[name] = found = _load(*self._missing[name])
        del self._missing[name]
        return found

    def __call__(self, name: str) -> Any:
        if name in self._missing:
            return self._learn(name)
        if self._own is not None:
            with suppress(AttributeError):
                return self._own(name)
        if not name.startswith("_"):
            with suppress(ModuleNotFoundError):
                return _load(f"{self._package}.{name}")
            for other in list(self._missing):  # what was left out may have brought it
                self._learn(other)
            if name in self._space:
                return self._space[name]
        raise AttributeError(f"module {self._package!r} has no attribute {name!r}")
