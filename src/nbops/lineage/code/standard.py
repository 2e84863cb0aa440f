"""Functions of the standard library: paths, files, ``json``, ``itertools``, ``datetime``."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.iteration import iterate
from nbops.lineage.code.texts import machine_rename, path_function
from nbops.lineage.code.values import Choice, Const, Map, Object, Seq, Taint, Text, Value

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
from nbops.lineage.code.plain import make_mapping

__all__ = ["standard"]


_LONGEST = 200
"""Characters of a text, and of a pattern, that ``re.sub`` is followed for."""
_MOST = 3
"""Quantifiers in such a pattern: the work grows as the length of the text to this power at most."""


def standard(machine: Machine, name: str, args: Arguments) -> Value | None:
    """Return what a function of the standard library returns; None when it is not known here."""
    if name in {"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "pathlib.PurePosixPath"}:
        if not args.pos:
            return Const(".", path=True)
        joined_ = path_function(machine, "join", args.pos) if len(args.pos) > 1 else args.pos[0]
        if isinstance(joined_, Const):
            text = str(joined_.value)
            while text.startswith("./") and len(text) > 2:
                text = text[2:]
            return Const(text, joined_.params, path=True)
        return replace(joined_, path=True) if isinstance(joined_, Text) else joined_
    if name == "pathlib.Path.cwd":
        return Const(".", path=True)
    if name.startswith("os.path."):
        return path_function(machine, name.removeprefix("os.path."), args.pos)
    if name == "os.fspath" and args.pos:
        return args.pos[0]
    if name in {"os.replace", "os.rename", "shutil.move"} and len(args.pos) > 1:
        machine_rename(machine, args.pos[0], args.pos[1])
        return Taint()
    if name in {"shutil.copy", "shutil.copyfile", "shutil.copy2"} and len(args.pos) > 1:
        table = machine.read(machine.path(args.pos[0]), name, lib="file", params=machine.params(args.pos[0]))
        machine.write(machine.path(args.pos[1]), table, name, machine.params(args.pos[1]))
        return Taint()
    if name in {"json.dump", "pickle.dump", "yaml.dump", "yaml.safe_dump", "joblib.dump", "toml.dump"} and len(args.pos) > 1:
        return _dump(machine, name, args)
    if name in {"json.load", "pickle.load", "yaml.safe_load", "joblib.load", "tomllib.load"} and args.pos:
        if isinstance(args.pos[0], (Const, Text)):
            return machine.unknown([machine.new(machine.read(machine.path(args.pos[0]), name, lib="file"))])
        return machine.unknown([args.pos[0]])
    if name in {"glob.glob", "glob.iglob"} and args.pos:
        return machine.new(Seq((args.pos[0],), exact=False))
    if name in {"copy.copy", "copy.deepcopy"} and args.pos:
        thing = machine.thing(args.pos[0])
        return machine.new(thing) if thing is not None else args.pos[0]
    if name == "re.sub":
        return _substituted(machine, args)
    if name == "functools.partial" and args.pos:
        return machine.new(Object(kind="partial", attributes={"function": args.pos[0]}, taint=Taint()))
    if name == "functools.reduce" and len(args.pos) > 1:
        return _fold(machine, args)
    if name.startswith("itertools.chain") and args.pos:
        parts = [
            iterate(machine, value)
            for value in (iterate(machine, args.pos[0]) or [] if name.endswith("from_iterable") else args.pos)
        ]
        known = None not in parts
        return machine.new(Seq(tuple(item for part in parts if part is not None for item in part), exact=known))
    if name.startswith(
        ("datetime.", "time.", "random.", "uuid.", "os.", "sys.", "re.", "collections.", "math.", "json.", "hashlib.")
    ):
        return _scalar(machine, name, args)
    return None


def _fold(machine: Machine, args: Arguments) -> Value:
    items = iterate(machine, args.pos[1])
    if items is None:
        return machine.unknown(args.all())
    given = [*args.pos[2:3], *items]
    result = given[0] if given else Const(None)
    for item in given[1:]:
        result = machine.call(args.pos[0], type(args)([result, item]))
    return result


def _scalar(machine: Machine, name: str, args: Arguments) -> Value:
    if name in {"collections.OrderedDict", "collections.defaultdict", "collections.Counter"}:
        if name == "collections.defaultdict":
            return machine.new(Map({}, exact=not machine.inside))
        return make_mapping(machine, args) if args.pos or args.kw else machine.new(Map({}))
    if name == "collections.namedtuple":
        return machine.unknown(args.all())
    data = [machine.col(value) for value in args.all() if machine.taint(value).deps or machine.taint(value).params]
    return replace(machine.blend(data), flags=frozenset({"scalar"})) if data else Taint()


def _dump(machine: Machine, name: str, args: Arguments) -> Value:
    target = args.pos[1]
    thing = machine.of(target, Object)
    path = thing.attributes["path"] if thing is not None and "path" in thing.attributes else target
    if isinstance(path, (Const, Text, Choice)):
        machine.write_other(machine.path(path), name, args.pos[0], machine.params(path))
    return Taint()


def _substituted(machine: Machine, args: Arguments) -> Value | None:
    """``re.sub(...)`` of known texts, as where columns are renamed; None for patterns that may take long.

    Time is exponential only where something that is repeated is repeated, which needs a quantifier behind a group.
    """
    texts = [
        machine.plain(value)
        for value in (args.get(0, "pattern"), args.get(1, "repl"), args.get(2, "string"))
        if value is not None
    ]
    known = len(texts) == len(args.all()) == 3 and all(isinstance(text, str) and len(text) <= _LONGEST for text in texts)
    if not known or re.search(r"\)[*+{?]", texts[0]) or len(re.findall(r"[*+{]", texts[0])) > _MOST:
        return None
    try:
        return Const(re.sub(*texts), frozenset().union(*(machine.params(value) for value in args.all())))
    except (re.error, IndexError):
        return None
