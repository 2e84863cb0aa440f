"""What may have caused an incident: gathers what the ranking needs from ledgers, git, notebooks and data.

Everything here is optional: without git, notebooks or rows the ranking goes on with what there is. Nothing is run again.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.errors import NbopsError
from nbops.history.causes import CodeOf, CommitOf, Facts, InputLook, SegmentFound, causes_of
from nbops.history.causes.candidates import Candidate, candidates_of, recipe_of
from nbops.history.causes.focus import foci_of, merged_lineage, moved_by, turned, upstream_of
from nbops.lineage.graph import Graph
from nbops.record.git import GitError
from nbops.record.repository import Repository, open_repository
from nbops.record.store import ledger_path, read_run
from nbops.workflow.sourcecells import cells_of_source, cells_of_text, function_cells
from nbops.workflow.taskrecord import load_notebook

if TYPE_CHECKING:
    from nbops.contract.config import Config
    from nbops.history.causes.focus import Focus, Upstream
    from nbops.model import Cause, CellRun, Incident, Run, TaskRun

__all__ = ["causes_for", "columns_of_file", "commits_between", "gather"]

_PINS = ("*requirements*", "constraints*.txt", "pyproject.toml", "environment*.y*ml", "*.lock", "setup.*")
"""Files that say versions."""
_MOST_COMMITS = 200
_MOST_INPUTS = 6
_MOST_BYTES = 200 * 1024 * 1024
"""Inputs and datasets that are larger are not read again for a cause."""
_SAME, _LITTLE = 0.3, 0.05
"""An input that moved this part of the movement shows it; one that moved less than the other part does not."""


def causes_for(
    root: Path, config: Config, incident: Incident, run: Run, last_good: Run | None, *, rows: bool = True
) -> tuple[Cause, ...]:
    """Return the possible causes of an incident, the likeliest first; never raises for what cannot be read.

    Args:
        root: The project's root.
        config: The project's settings.
        incident: Its findings say what is wrong.
        run: The first run that showed it.
        last_good: The last run before it that did not; None when there is none.
        rows: Look at rows of inputs and datasets too; else only ledgers and code are read, which is quicker.
    """
    if last_good is None:
        return causes_of(incident, run, None)
    gathered = gather(root, config, incident, run, last_good, rows=rows)
    found = causes_of(incident, run, last_good, gathered.facts)
    return tuple(gathered.committed(cause) for cause in found)


def gather(root: Path, config: Config, incident: Incident, run: Run, last_good: Run, *, rows: bool = True) -> _Gathering:
    """Return what is known besides the two ledgers."""
    return _Gathering(
        root=root, config=config, incident=incident, run=merged_lineage(run, last_good), before=last_good, rows=rows
    )


@dataclass
class _Gathering:
    """Finds out what the ranking asks for."""

    root: Path
    config: Config
    incident: Incident
    run: Run
    before: Run
    rows: bool = True
    _ran: dict[tuple[str, str], TaskRun | None] = field(default_factory=dict)

    @cached_property
    def facts(self) -> Facts:
        """Everything that could be found out."""
        tasks = {task.name: task for task in self.before.tasks}
        both = [(tasks[task.name], task) for task in self.run.tasks if task.name in tasks]
        changed = [(old, new) for old, new in both if recipe_of(old) != recipe_of(new) or old.parameters != new.parameters]
        code = {new.name: self._code(old, new) for old, new in changed}
        facts = Facts(
            code={name: found for name, found in code.items() if found is not None},
            modules=self._modules(changed),
            cells={new.name: (self._cells(self.before, old), self._cells(self.run, new)) for old, new in changed},
            commits=self.commits,
            ran=self._earlier(both),
        )
        candidates = candidates_of(self.before, self.run, touched=facts.touched)
        imports = {one.name: _imported(one.name) for one in candidates if one.kind == "package"}
        facts = replace(facts, imports={name: names for name, names in imports.items() if names})
        if not self.rows:
            return facts
        looks, segments = self._looks(candidates), self._segments()
        return replace(facts, inputs=looks, segments=segments)

    # -- code ---------------------------------------------------------------------------------------------------------------

    @cached_property
    def repository(self) -> Repository | None:
        """The project's repository, if there is one."""
        with suppress(GitError):
            return open_repository(self.root)
        return None

    @cached_property
    def commits(self) -> tuple[CommitOf, ...]:
        """The commits between the two runs, without nbops' own."""
        first, last = (one.git.commit if one.git else None for one in (self.before, self.run))
        if self.repository is None or not first or not last or first == last:
            return ()
        return commits_between(self.repository, first, last, reports=self.config.reports)

    def text_at(self, run: Run, path: str) -> str | None:
        """Return a file of the project as a run had it; of a work tree with changes, as it is on the disk."""
        git = run.git
        if run is self.run and (git is None or git.dirty or git.commit is None):
            with suppress(OSError, UnicodeDecodeError):
                return (self.root / path).read_text(encoding="utf-8")
        if git is None or git.commit is None:
            return None
        return self.text_in(git.commit, path)

    def text_in(self, commit: str, path: str) -> str | None:
        """Return a file of the project in a commit; None when it is not there."""
        data = self.bytes_in(commit, path)
        return data.decode("utf-8", "replace") if data is not None else None

    def bytes_in(self, commit: str, path: str) -> bytes | None:
        """Return the bytes of a file of the project in a commit; None when it is not there."""
        if self.repository is None or Path(path).is_absolute() or "\0" in path:
            return None
        try:
            return self.repository.git.call("cat-file", "blob", f"{commit}:{self.repository.prefix}{path}")
        except GitError:
            return None

    def _code(self, old: TaskRun, new: TaskRun) -> CodeOf | None:
        before, after = self._cells_code(self.before, old), self._cells_code(self.run, new)
        return CodeOf(before=before, after=after) if before and after else None

    def _cells_code(self, run: Run, task: TaskRun) -> tuple[tuple[int, str], ...]:
        """Return a task's code as it ran: from its executed notebook, else from git or the disk."""
        for name in self._notebooks(task):
            notebook = load_notebook(self.root / self.config.reports / name)
            if notebook is not None:
                return cells_of_source(notebook)
        if task.source is None:
            return ()
        text = self.text_at(run, task.source)
        if text is None:
            return ()
        return function_cells(text, task.name) if task.kind == "function" else cells_of_text(text, task.source)

    def _notebooks(self, task: TaskRun) -> list[str]:
        found = [task.notebook] if task.notebook else []
        if not task.attempted and task.last_success and task.status != "failed":
            ran = self._run_of(task.last_success, task.name)
            found += [ran.notebook] if ran is not None and ran.notebook else []
        return found

    def _run_of(self, run_id: str, task: str) -> TaskRun | None:
        """Return a task as the run that last ran it recorded it."""
        if (run_id, task) not in self._ran:
            found: TaskRun | None = None
            with suppress(NbopsError, OSError):
                if ledger_path(self.root / self.config.reports, run_id).is_file():
                    run = read_run(self.root / self.config.reports, run_id)
                    found = next((one for one in run.tasks if one.name == task), None)
            self._ran[run_id, task] = found
        return self._ran[run_id, task]

    def _earlier(self, both: Iterable[tuple[TaskRun, TaskRun]]) -> Mapping[str, TaskRun]:
        """Return how tasks that ran did when they last ran before; read only where it is asked how long that took."""
        if not any(finding.subject.startswith("task:") and finding.kind == "monitor" for finding in self.incident.findings):
            return {}
        found = {
            new.name: self._run_of(old.last_success, new.name)
            for old, new in both
            if new.status == "succeeded" and old.status != "succeeded" and old.last_success
        }
        return {name: task for name, task in found.items() if task is not None}

    def _cells(self, run: Run, task: TaskRun) -> tuple[CellRun, ...]:
        if task.cells or not task.last_success or task.last_success == run.id or task.status == "failed":
            return task.cells
        ran = self._run_of(task.last_success, task.name)
        return ran.cells if ran is not None else ()

    def _modules(self, changed: Iterable[tuple[TaskRun, TaskRun]]) -> Mapping[str, CodeOf]:
        found: dict[str, CodeOf] = {}
        paths = {path for old, new in changed for one in (old, new) for path in (recipe_of(one).get("modules") or {})}
        for path in sorted(paths):
            before, after = self.text_at(self.before, path), self.text_at(self.run, path)
            if before is not None or after is not None:
                parts = [((0, text),) if text is not None else () for text in (before, after)]
                found[path] = CodeOf(before=parts[0], after=parts[1])
        return found

    def committed(self, cause: Cause) -> Cause:
        """Name the commit that brought what matters, where several commits changed a file."""
        if cause.kind in {"parameter", "package"}:
            return self._named(cause)
        if cause.kind != "code" or not cause.cells or not (cause.subject or "").startswith("task:"):
            return cause
        name = (cause.subject or "").removeprefix("task:")
        task = next((one for one in self.run.tasks if one.name == name), None)
        code = self.facts.code.get(name)
        touched = [one for one in self.commits if task is not None and task.source in one.files]
        if task is None or task.source is None or code is None or len(touched) <= 1:
            return cause
        wanted = dict(code.after).get(cause.cells[0], "").strip()
        for one in touched:
            text = self.text_in(one.commit, task.source)
            if text is not None and any(cell.strip() == wanted for _, cell in cells_of_text(text, task.source)):
                said = f"committed by {one.author} as {one.commit[:10]}: {one.subject}"
                rest = tuple(item for item in cause.evidence if not item.startswith("committed by "))
                return replace(cause, commit=one.commit, evidence=(said, *rest))
        return cause

    def _named(self, cause: Cause) -> Cause:
        """Name the commit that wrote a parameter's value or a package's version, in the files that say these."""
        name = (cause.subject or "").partition(":")[2]
        first, last = (one.git.commit if one.git else None for one in (self.before, self.run))
        rest = tuple(item for item in cause.evidence if not item.startswith("committed by "))
        if self.repository is None or not first or not last or not name:
            return replace(cause, commit=None, evidence=rest)
        files = ("env*.yaml", "pipeline*.yaml") if cause.kind == "parameter" else _PINS
        pattern = "".join(f"[{sign}]" if sign in "-_." else re.escape(sign) for sign in name)
        pattern = pattern.replace("[-]", "[-_.]").replace("[_]", "[-_.]") if cause.kind == "package" else pattern
        paths = [f":(top,glob){glob.escape(self.repository.prefix)}{path}" for path in files]
        try:
            told = self.repository.git.line(
                *("log", "--reverse", "-i", "--format=%H", f"-G(^|[^A-Za-z0-9_]){pattern}([^A-Za-z0-9_]|$)"),
                *(f"{first}..{last}", "--", *paths),
            )
        except GitError:
            told = ""
        known = {one.commit: one for one in self.commits}
        hits = [known[commit] for commit in told.split() if commit in known]
        if not hits:
            return replace(cause, commit=None, evidence=rest)
        one = hits[-1]
        said = f"committed by {one.author} as {one.commit[:10]}: {one.subject}"
        return replace(cause, commit=one.commit, evidence=(said, *rest))

    # -- data ---------------------------------------------------------------------------------------------------------------

    @cached_property
    def _focus(self) -> tuple[Focus, Upstream] | None:
        foci = [one for one in foci_of(self.incident.findings, self.run) if one.dataset is not None]
        if not foci:
            return None
        focus = max(foci, key=lambda one: (one.kind in {"rows", "nulls"}, self._size(one) or 0.0))
        return focus, upstream_of(focus, self.run, Graph.of_columns(self.run))

    def _size(self, focus: Focus) -> float | None:
        old, new = (next((d for d in run.datasets if d.name == focus.dataset), None) for run in (self.before, self.run))
        return moved_by(old, new, focus.column, focus.kind)

    def _looks(self, candidates: Iterable[Candidate]) -> Mapping[str, InputLook]:
        """Look at the inputs that changed: do they show the movement themselves?"""
        if self._focus is None:
            return {}
        focus, upstream = self._focus
        size = self._size(focus)
        paths = [path for one in candidates if one.kind == "input" for path in one.paths][:_MOST_INPUTS]
        found: dict[str, InputLook] = {}
        for path in paths:
            with suppress(Exception):  # a look is extra: whatever a file holds, the ranking goes on
                look = self._look(path, focus, upstream, size)
                if look is not None:
                    found[path] = look
        return found

    def _look(self, path: str, focus: Focus, upstream: Upstream, size: float | None) -> InputLook | None:
        from nbops.workflow.inputlooks import look_at  # noqa: PLC0415 - loads DuckDB

        commit = self.before.git.commit if self.before.git else None
        old = self.bytes_in(commit, path) if commit else None
        now = self.root / path
        if not now.is_file() or now.stat().st_size > _MOST_BYTES or old is None:
            return None
        columns = columns_of_file(path, upstream, self.run)
        items = [next((d for d in run.datasets if d.name == focus.dataset), None) for run in (self.before, self.run)]
        way = turned(items[0], items[1], focus.column, focus.kind)
        return look_at(old, now, columns=columns, kind=focus.kind, size=size, same=_SAME, little=_LITTLE, way=way)

    def _segments(self) -> tuple[SegmentFound, ...]:
        if self._focus is None:
            return ()
        from nbops.workflow.segmenting import segments_of  # noqa: PLC0415 - loads DuckDB

        with suppress(Exception):  # likewise
            return segments_of(self.root, self._focus[0], self.before, self.run)
        return ()


def columns_of_file(path: str, upstream: Upstream, run: Run) -> Mapping[str | None, float]:
    """Return the columns of a file that count, also where lineage names it by a pattern or by its folder.

    Where all of the file flows into a task's data, the columns that count there count under the same name here.

    Args:
        path: The file, relative to the project.
        upstream: What counts, of everything.
        run: With all lineage that is known.
    """
    found: dict[str | None, float] = {}
    for name, columns in upstream.reached.items():
        if _is_of(path, name):
            for column, strength in columns.items():
                found[column] = max(strength, found.get(column, 0.0))
    whole = found.get(None, 0.0)
    readers = {edge.target for edge in run.lineage if _is_of(path, edge.source)}
    for item in run.datasets if whole else ():
        if f"task:{item.task}" in readers:
            for column, strength in upstream.reached.get(item.name, {}).items():
                found[column] = max(strength, found.get(column, 0.0))
    return found


def _is_of(path: str, source: str) -> bool:
    """Tell whether a node of lineage stands for a file: by its path, a pattern, or a folder."""
    name = source.removeprefix("file:")
    return source.startswith("file:") and (name == path or fnmatch(path, name) or path.startswith(f"{name.rstrip('/')}/"))


def commits_between(repository: Repository, first: str, last: str, *, reports: str = "reports") -> tuple[CommitOf, ...]:
    """Return the commits after one and up to another, the oldest first; those that touch nothing but reports are left out.

    Authors are named without their addresses.
    """
    try:
        told = repository.git.call(
            *("log", "--reverse", "--no-renames", "--name-only", f"--max-count={_MOST_COMMITS}", "-z"),
            *("--format=%x01%H%x02%an%x02%aI%x02%s%x02", f"{first}..{last}", "--"),
        ).decode("utf-8", "replace")
    except GitError:
        return ()
    found = []
    for entry in told.split("\x01")[1:]:
        commit, author, at, subject, rest = [*entry.split("\x02", 4), ""][:5]
        names = [name.strip("\n") for name in rest.split("\0") if name.strip("\n")]
        inside = [name.removeprefix(repository.prefix) for name in names if name.startswith(repository.prefix)]
        files = tuple(name for name in inside if not name.startswith(f"{reports}/"))
        if files:
            found.append(CommitOf(commit=commit, author=author[:80], subject=subject[:120], at=at, files=files))
    return tuple(found)


def _imported(distribution: str) -> tuple[str, ...]:
    """Return the names by which a distribution is imported."""
    try:
        found = metadata.distribution(distribution)
        listed = found.read_text("top_level.txt")
        names = listed.split() if listed else []
        if not names and found.files:
            tops = {Path(str(path)).parts[0] for path in found.files if str(path).endswith(".py")}
            names = sorted(
                top.removesuffix(".py") for top in tops if not top.endswith((".dist-info", ".data")) and ".." not in top
            )
    except (metadata.PackageNotFoundError, OSError, ValueError, IndexError):
        names = []
    return tuple(names)
