"""Everything that changed between two runs and could be a cause: code, modules, parameters, packages, inputs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbops.model import CauseKind, Run, TaskRun

__all__ = ["Candidate", "candidates_of", "recipe_of"]

_FOLDER = 4
"""From so many changed files of one folder and kind on, the folder stands for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that changed."""

    kind: CauseKind
    name: str
    """A task, a path, a parameter, a distribution."""
    subject: str
    what: str
    """The change as a sentence, without its end."""
    tasks: frozenset[str]
    """Tasks that it changed something for."""
    paths: tuple[str, ...] = ()
    prior: float = 0.8


def recipe_of(task: TaskRun) -> Mapping[str, Any]:
    """Return what a task depended on in its run, also when it failed there."""
    return task.attempted or task.fingerprint


def candidates_of(before: Run, after: Run, *, touched: Collection[str] = ()) -> tuple[Candidate, ...]:
    """Return what changed from one run to another, in no order.

    Args:
        before: The earlier run.
        after: The later one.
        touched: Files that commits between them changed: what a task only was seen to read is not recorded where it failed.
    """
    old, new = {task.name: task for task in before.tasks}, {task.name: task for task in after.tasks}
    both = [(old[name], new[name]) for name in new if name in old]
    return (
        *_code(both),
        *_modules(both),
        *_pipeline(old, new),
        *_parameters(before, after, both),
        *_packages(before, after, both),
        *_inputs(both, frozenset(touched)),
    )


def _code(both: Iterable[tuple[TaskRun, TaskRun]]) -> Iterator[Candidate]:
    for old, new in both:
        one, other = recipe_of(old).get("code"), recipe_of(new).get("code")
        if one is not None and other is not None and one != other:
            source = new.source or new.name
            yield Candidate(
                kind="code",
                name=new.name,
                subject=f"task:{new.name}",
                what=f"the code of {new.name} changed",
                tasks=frozenset({new.name}),
                paths=(source,),
                prior=0.92,
            )


def _parts(both: Iterable[tuple[TaskRun, TaskRun]], *parts: str) -> dict[str, tuple[Any, Any, set[str]]]:
    """Return the entries of some parts of the recipes that differ: before, after, and the tasks."""
    found: dict[str, tuple[Any, Any, set[str]]] = {}
    for old, new in both:
        one, other = recipe_of(old), recipe_of(new)
        if not one or not other:
            continue
        was = {key: value for part in reversed(parts) for key, value in (one.get(part) or {}).items()}
        now = {key: value for part in reversed(parts) for key, value in (other.get(part) or {}).items()}
        if new.attempted:  # what it only was seen to read is not known of a run that failed
            was = {key: value for key, value in was.items() if key in now or key in (one.get(parts[0]) or {})}
        for key in was.keys() | now.keys():
            if was.get(key) != now.get(key):
                entry = found.setdefault(str(key), (was.get(key), now.get(key), set()))
                entry[2].add(new.name)
    return found


def _modules(both: list[tuple[TaskRun, TaskRun]]) -> Iterator[Candidate]:
    for path, (was, now, tasks) in sorted(_parts(both, "modules").items()):
        word = "is new" if was is None else "is gone" if now is None else "changed"
        yield Candidate(
            kind="code",
            name=path,
            subject=f"file:{path}",
            what=f"the module {path} {word}",
            tasks=frozenset(tasks),
            paths=(path,),
            prior=0.9,
        )


def _pipeline(old: Mapping[str, TaskRun], new: Mapping[str, TaskRun]) -> Iterator[Candidate]:
    for name in sorted(new.keys() ^ old.keys()):
        word = "is a new task" if name in new else "is no task any more"
        task = new.get(name) or old[name]
        below = {one.name for one in new.values() if name in one.upstream}
        yield Candidate(
            kind="code",
            name=name,
            subject=f"task:{name}",
            what=f"{name} {word}",
            tasks=frozenset({name, *below}),
            paths=tuple(path for path in (task.source, "pipeline.yaml") if path),
            prior=0.75,
        )
    for name in sorted(new.keys() & old.keys()):
        if set(new[name].upstream) != set(old[name].upstream):
            yield Candidate(
                kind="code",
                name=name,
                subject=f"task:{name}",
                what=f"{name} reads other tasks: {', '.join(new[name].upstream) or 'none'}",
                tasks=frozenset({name}),
                paths=tuple(path for path in (new[name].source, "pipeline.yaml") if path),
                prior=0.85,
            )


def _parameters(before: Run, after: Run, both: list[tuple[TaskRun, TaskRun]]) -> Iterator[Candidate]:
    hashed = _parts(both, "parameters")
    values: dict[str, tuple[Any, Any]] = {}
    for old, new in both:
        for key in old.parameters.keys() | new.parameters.keys():
            one, other = old.parameters.get(key), new.parameters.get(key)
            if one != other or type(one) is not type(other):
                values.setdefault(key, (one, other))
    for key in before.parameters.keys() | after.parameters.keys():
        one, other = before.parameters.get(key), after.parameters.get(key)
        if one != other or type(one) is not type(other):
            values[key] = (one, other)
    for key in sorted(values.keys() | hashed.keys()):
        if key in {"product", "upstream"}:
            continue
        tasks = hashed[key][2] if key in hashed else {new.name for _, new in both if key in new.parameters}
        told = f"changed from {_shown(values[key][0])} to {_shown(values[key][1])}" if key in values else "has another value"
        yield Candidate(
            kind="parameter",
            name=key,
            subject=f"parameter:{key}",
            what=f"the parameter {key} {told}",
            tasks=frozenset(tasks),
            prior=0.86,
        )


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - characters that are read at a glance


def _packages(before: Run, after: Run, both: list[tuple[TaskRun, TaskRun]]) -> Iterator[Candidate]:
    found = _parts(both, "packages")
    for attribute in ("packages",):
        one = getattr(before.environment, attribute, {}) or {}
        other = getattr(after.environment, attribute, {}) or {}
        for key in one.keys() & other.keys():
            if one[key] != other[key] and key not in found:
                found[key] = (
                    one[key],
                    other[key],
                    {new.name for _, new in both if key in (recipe_of(new).get("packages") or {})},
                )
    for name, (was, now, tasks) in sorted(found.items()):
        if was is None or now is None:
            continue  # imported since, or no more: the code says so
        yield Candidate(
            kind="package",
            name=name,
            subject=f"package:{name}",
            what=f"{name} went from {was} to {now}",
            tasks=frozenset(tasks),
            prior=_prior(str(was), str(now)),
        )


def _prior(was: str, now: str) -> float:
    """Return how likely a change of version changes results: by how much of the version changed."""
    one, other = was.split(" ", maxsplit=1)[0].split("."), now.split(" ", maxsplit=1)[0].split(".")
    if one == other:
        return 0.2  # only the pin differs
    if one[:1] != other[:1]:
        return 0.85
    return 0.75 if one[:2] != other[:2] else 0.62


def _inputs(both: list[tuple[TaskRun, TaskRun]], touched: frozenset[str]) -> Iterator[Candidate]:
    found = _parts(both, "files", "observed")
    for old, new in both:
        for path in touched & (recipe_of(old).get("observed") or {}).keys() if new.attempted else ():
            found.setdefault(path, ("as it was", "as it is", set()))[2].add(new.name)
    folders: dict[tuple[str, str], list[str]] = {}
    for path in found:
        pure = PurePosixPath(path)
        folders.setdefault((str(pure.parent), pure.suffix), []).append(path)
    for (folder, suffix), paths in sorted(folders.items()):
        if len(paths) >= _FOLDER:
            tasks = {task for path in paths for task in found[path][2]}
            words = [_word(*found[path][:2]) for path in paths]
            told = ", ".join(f"{words.count(word)} {word}" for word in ("changed", "came", "went") if word in words)
            yield _input(f"{folder}/*{suffix}", f"files of {folder}/ changed ({told})", tasks, tuple(sorted(paths)))
            continue
        for path in sorted(paths):
            was, now, tasks = found[path]
            yield _input(path, f"the input {path} {_word(was, now)}", tasks, (path,))


def _word(was: Any, now: Any) -> str:
    return "came" if was in {None, "missing"} else "went" if now in {None, "missing"} else "changed"


def _input(name: str, what: str, tasks: Iterable[str], paths: tuple[str, ...]) -> Candidate:
    return Candidate(kind="input", name=name, subject=f"file:{name}", what=what, tasks=frozenset(tasks), paths=paths, prior=0.84)
