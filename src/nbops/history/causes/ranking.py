"""Candidates weighed by what speaks for and against each. Scores are judgements between 0 and 1 and no probabilities.

The score of a candidate is a product: how often such a change breaks data (a prior), how much it has to do with what is wrong
(lineage by columns, and a slice of the notebooks' code), and what the data in between says: a change whose task made the data it
made before is no cause, one below a dataset that had moved as much already is hardly one, and a cell cannot be the cause of what
cells above it show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from nbops.history.causes.candidates import recipe_of
from nbops.history.causes.case import AS_MUCH, Case, Weighed
from nbops.history.causes.codediff import affected_names, changes_of, relevance_of, same_cells
from nbops.history.causes.focus import is_telling, moved_by, turned
from nbops.history.causes.raising import raised_in
from nbops.history.counting import counted

if TYPE_CHECKING:
    from nbops.history.causes.candidates import Candidate
    from nbops.history.causes.codediff import CodeChange
    from nbops.history.causes.facts import InputLook
    from nbops.history.causes.statements import Slice
    from nbops.model import Dataset, RunError, TaskRun

__all__ = ["weigh"]

_ELSEWHERE = 0.02
"""Factor of what is not upstream, or made the data that it made before."""
_ELSEWHERE_IN_LINEAGE = 0.3
_OTHER_WAY = 0.35
_SAME, _INHERITED = 0.12, 0.3
"""Factors where what is measured is the same, and where the data above had moved already."""
_TOO_LATE, _THERE, _NOT_THERE = 0.35, 1.15, 0.35
_NOT_COME = 0.5
"""Factor of an input that only got more rows, where what is in question did not: they may have come into sums."""
_DERIVED = 0.7
"""Strength in lineage from which on values are made of values, all the way."""
_MADE_ELSEWHERE = 0.9
"""Part of a column's strength that code of a module has which names it, where the notebook does not make it itself."""
_INFRASTRUCTURE = frozenset({"pandas", "numpy", "polars", "duckdb", "pyarrow", "python", "scipy", "ibis-framework"})


def weigh(case: Case, candidate: Candidate) -> Weighed:
    """Return how likely a candidate is the cause of one finding."""
    best = Weighed(score=0.0)
    for task in sorted(candidate.tasks):
        found = _in_task(case, candidate, task)
        if found.score > best.score:
            best = found
    if best.score == 0.0:
        why = "no task that is upstream of it uses this" if candidate.tasks else "no task uses it"
        return Weighed(score=candidate.prior * _ELSEWHERE, evidence=(why,))
    return best


def _in_task(case: Case, candidate: Candidate, task: str) -> Weighed:
    if task not in case.upstream.tasks:
        return Weighed(score=candidate.prior * _ELSEWHERE, evidence=(f"{task} is not upstream of it",), task=task)
    score, evidence = candidate.prior, []
    relevance, cells, changes, why = _relevance(case, candidate, task)
    score *= relevance
    evidence += why
    for factor, said in _data(case, task):
        score *= factor
        evidence += [said] if said else []
    for factor, said in _cells(case, candidate, task, cells):
        score *= factor
        evidence += [said] if said else []
    if candidate.kind == "input":
        for factor, said in _looked(case, candidate):
            score *= factor
            evidence += [said] if said else []
    return Weighed(score=min(score, 0.99), cells=cells, evidence=tuple(evidence), changes=changes, task=task)


# -- how much it has to do with it ------------------------------------------------------------------------------------------

_Relevance = tuple[float, tuple[int, ...], "tuple[CodeChange, ...]", list[str]]


def _relevance(case: Case, candidate: Candidate, task: str) -> _Relevance:
    if candidate.kind == "code":
        return _code(case, task) if candidate.name == task else _module(case, candidate, task)
    if candidate.kind == "parameter":
        return _parameter(case, candidate, task)
    if candidate.kind == "package":
        return _package(case, candidate, task)
    return _input(case, candidate, task)


def _code(case: Case, task: str) -> _Relevance:
    found = case.slices(task)
    if found is None:
        return 0.6, (), (), ["its code is not at hand, so which part changed is not known"]
    changes = changes_of(case.facts.code[task])
    if not changes:
        return 0.08, (), (), ["the change renames variables or moves code, no more"]
    relevance, ordered = relevance_of(changes, *found)
    raising = raised_in(ordered, case.focus, _error(case, task))
    if raising is not None:
        cells = tuple(sorted({item.cell for item in ordered if item.after is not None} - {raising.cell}))
        first_of_all = (raising, *(item for item in ordered if item is not raising))
        return 1.0, (raising.cell, *cells), first_of_all, [f"cell {raising.cell} raises what it failed of: {raising.text}"]
    strong = [item for item in ordered if item.after is not None or item.before is not None][:1]
    cells = tuple(sorted({item.cell for item in ordered if item.after is not None} or {item.cell for item in ordered}))
    first = strong[0]
    cells = (first.cell, *(cell for cell in cells if cell != first.cell))
    column = case.focus.column
    if relevance >= 0.5:  # noqa: PLR2004 - half of the scale
        said = f"cell {first.cell} is upstream of {'it' if column is None else column}: {first.text}"
    elif relevance < 0.1:  # noqa: PLR2004
        said = f"what changed there (cell {first.cell}) makes other columns"
    else:
        said = f"cell {first.cell} may matter to {'it' if column is None else column}: {first.text}"
    return relevance, cells, ordered, [said]


def _error(case: Case, task: str) -> RunError | None:
    """Return why the task failed that is asked about; None of another."""
    found = next((one for one in case.after.tasks if one.name == task), None) if task == case.focus.task else None
    return found.error if found is not None else None


def _module(case: Case, candidate: Candidate, task: str) -> _Relevance:
    found, modules = case.slices(task), case.facts.modules
    if candidate.name not in modules:
        return (0.5 if found is None else 0.4), (), (), []
    changes = changes_of(modules[candidate.name])
    if not changes:
        return 0.05, (), (), ["the change alters nothing that runs"]
    names = affected_names(modules, candidate.name)
    if not names:
        return 0.05, (), changes, ["it changes no more than how something is shown"]
    if found is None:
        return 0.5, (), changes, [f"it changes {_some(names)}"]
    strength, cells = found[0].using(names)
    if not cells:
        return 0.06, (), changes, [f"{task} uses nothing of what changed ({_some(names)})"]
    strength = max(strength, _MADE_ELSEWHERE * _made_in(changes, case.targets(task)[0], found[0]))
    return strength, cells, changes, [f"{task} uses {_some(names)} in {_cell_words(cells)}: {changes[0].text}"]


def _made_in(changes: Iterable[CodeChange], columns: Mapping[str, float], notebook: Slice) -> float:
    """Return the strength of the columns that changed code names and that no statement of the notebook itself makes."""
    made = {name for item in notebook.statements for name in item.writes}
    words = {word for change in changes for one in (change.before, change.after) if one is not None for word in one.words}
    return max((strength for name, strength in columns.items() if name in words - made), default=0.0)


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")  # noqa: PLR2004


def _cell_words(cells: tuple[int, ...]) -> str:
    return f"cell {cells[0]}" if len(cells) == 1 else f"cells {', '.join(map(str, cells[:4]))}"


def _parameter(case: Case, candidate: Candidate, task: str) -> _Relevance:
    strength = case.upstream.of(f"parameter:{candidate.name}")
    found = case.slices(task)
    cells: tuple[int, ...] = ()
    used = 0.0
    if found is not None:
        used, cells = found[0].using({candidate.name})
    if strength and (used or found is None):
        about = case.focus.column or case.focus.dataset or case.focus.task
        return max(strength * 0.97, used), cells, (), [f"lineage leads from it to {about}"]
    if found is None:
        return max(0.5, strength), (), (), []
    if not cells:
        return 0.06, (), (), [f"no cell of {task} uses it"]
    said = f"{task} uses it in {_cell_words(cells)}"
    named = f"parameter:{candidate.name}"
    if not strength and not case.focus.rows and case.focus.kind != "nulls":
        edges = [edge for part in case.after.column_lineage if part.task == task for edge in part.edges]
        if any(edge.source == named and edge.target_column is not None for edge in edges):
            used = min(used, _ELSEWHERE_IN_LINEAGE)  # lineage leads from it to other columns
    return max(used, strength * 0.6), cells, (), [said if used > 0.1 else f"{said}, for other columns"]  # noqa: PLR2004


def _package(case: Case, candidate: Candidate, task: str) -> _Relevance:
    found = case.slices(task)
    if found is None:
        return 0.5, (), (), []
    modules = set(case.facts.imports.get(candidate.name, ())) or {candidate.name.replace("-", "_")}
    names = _bound(found[0], modules)
    inside = _through_modules(case, modules)
    strength, cells = found[0].using(names | inside)
    base = 0.3 if candidate.name in _INFRASTRUCTURE else 0.0
    if not cells and not base:
        return 0.1, (), (), [f"no cell of {task} uses it by name"]
    if candidate.name in _INFRASTRUCTURE:
        return max(base, min(strength, 0.45)), cells, (), ["it is used all over"]
    said = f"{task} uses it in {_cell_words(cells)}"
    return strength, cells, (), [said if strength > 0.1 else f"{said}, for other columns"]  # noqa: PLR2004


def _bound(code: Slice, modules: set[str]) -> set[str]:
    """Return the names under which code imports some modules."""
    found: set[str] = set()
    for item in code.statements:
        words = item.text.replace(",", " ").split()
        if words[:1] in (["import"], ["from"]) and any(word.split(".")[0] in modules for word in words[1:]):
            found |= item.stores
    return found


def _through_modules(case: Case, modules: set[str]) -> set[str]:
    """Return the names of the project's modules in which something of a package is used."""
    from nbops.history.causes.statements import slice_of, statements_of  # noqa: PLC0415 - of use here only

    found: set[str] = set()
    for code in case.facts.modules.values():
        items = statements_of(code.after)
        bound = _bound(slice_of(items, {}, rows=0.0), modules)
        found |= {name for item in items if bound & item.loads for name in item.stores}
    return found


def _input(case: Case, candidate: Candidate, task: str) -> _Relevance:
    names = [name for name in case.upstream.reached if name.startswith("file:") or "/" in name]
    hits = [name for name in names if _is(name.removeprefix("file:"), candidate)]
    strength = max((case.upstream.of(name) for name in hits), default=0.0)
    cells: set[int] = set()
    for part in (*case.after.column_lineage, *case.before.column_lineage):
        if part.task == task:
            cells |= {edge.cells[0] for edge in part.edges if edge.cells and _is(edge.source.removeprefix("file:"), candidate)}
    column = case.focus.column
    if not hits:
        known = any(part.task == task and part.edges for part in case.after.column_lineage)
        return (0.3 if known else 0.6), tuple(sorted(cells)), (), []
    what = "the rows" if column is None else column
    said = f"{what} of {case.focus.dataset or case.focus.task} {'come' if column is None else 'comes'} from it"
    return max(0.2, strength), tuple(sorted(cells)), (), [said] if strength >= 0.6 else []  # noqa: PLR2004


def _is(source: str, candidate: Candidate) -> bool:
    return (
        source in candidate.paths
        or source == candidate.name
        or any(fnmatch(path, source) or path.startswith(source.rstrip("/") + "/") for path in candidate.paths)
    )


# -- what the data says -----------------------------------------------------------------------------------------------------


def _data(case: Case, task: str) -> Iterator[tuple[float, str]]:
    """Yield factors by what the task's data, and the data that it reads, did."""
    focus = case.focus
    own = task == focus.task
    moved = _moved(case, task)
    if not own and moved is not None:
        if moved == 0.0:
            same = all(_equal(*case.dataset(name)) for name in case.made_by(task))
            said = f"{_some(case.made_by(task))} is the same as before"
            yield (_ELSEWHERE, said) if same else (_SAME, f"what matters of {_some(case.made_by(task))} is as it was")
            return
        if _other_way(case, case.made_by(task)):
            yield _OTHER_WAY, f"{_some(case.made_by(task))} moved the other way"
            return
        yield 1.0, f"{_some(case.made_by(task))} moved as well"
    here = moved if moved is not None else 0.0
    above = [(name, size) for name, size in _inputs_moved(case, task) if size is not None and here]
    inherited = [name for name, size in above if size >= AS_MUCH * here and not _other_way(case, [name])]
    if inherited:
        yield _INHERITED, f"{_some(inherited)}, which {task} reads, had moved as much already"


def _other_way(case: Case, names: Iterable[str]) -> bool:
    """Tell whether rows, or missing values, became fewer where those in question became more, or the reverse."""
    focus = case.focus
    if focus.dataset is None:
        return False
    here = turned(*case.dataset(focus.dataset), focus.column, focus.kind)
    column = None if focus.kind == "rows" else focus.column
    there = {turned(*case.dataset(name), column, focus.kind) for name in names} - {0}
    return bool(here and there and here not in there)


def _equal(old: Dataset | None, new: Dataset | None) -> bool:
    return old is not None and new is not None and old.content_hash is not None and old.content_hash == new.content_hash


def _moved(case: Case, task: str) -> float | None:
    """Return the furthest that anything that counts of a task's data moved; None when it is not known."""
    found: list[float] = []
    unsure = False
    for name, columns in case.made_by(task).items():
        old, new = case.dataset(name)
        for column, strength in columns.items():
            if column is None and len(columns) > 1 and not case.focus.rows:
                continue
            # what only decides which rows meet need not show the same as what comes of it
            kind = "values" if column is not None and strength < _DERIVED else case.focus.kind
            size = moved_by(old, new, column, kind)
            told = size is not None and (size > 0.0 or column is None or is_telling(new, column) or _equal(old, new))
            if size is None or not told:
                unsure = unsure or strength >= 0.4  # noqa: PLR2004 - else it hardly matters
                continue
            found.append(size)
    most = max(found, default=None)
    return None if unsure and not most else most


def _inputs_moved(case: Case, task: str) -> Iterator[tuple[str, float | None]]:
    made = {d.name: d.task for d in case.after.datasets}
    reads = {e.source.removeprefix("dataset:") for e in case.after.lineage if e.target == f"task:{task}" and e.kind == "reads"}
    for name in sorted(reads & case.upstream.reached.keys()):
        if made.get(name) == task:
            continue
        old, new = case.dataset(name)
        sizes = []
        for column, strength in case.upstream.reached[name].items():
            if column is None and not case.focus.rows:
                continue
            if strength < 0.4:  # noqa: PLR2004 - it has little to do with it
                continue
            size = moved_by(old, new, column, case.focus.kind)
            sizes += [size] if size is not None else []
        yield name, max(sizes, default=None)


# -- what cells show --------------------------------------------------------------------------------------------------------


def _cells(case: Case, candidate: Candidate, task: str, cells: tuple[int, ...]) -> Iterator[tuple[float, str]]:
    """Yield a factor by where a notebook's tables first differ from those of the run before."""
    if case.focus.kind not in {"rows", "nulls"} or task not in case.facts.cells or task not in case.facts.code or not cells:
        return
    first = _first_difference(case, task)
    if first is None:
        return
    cell, what = first
    nearest = cells[0] if candidate.kind in {"code", "input"} else min((c for c in cells if c <= cell), default=min(cells))
    if nearest == cell:
        yield _THERE, f"cell {cell} is where {what}"
    elif nearest > cell:
        yield _TOO_LATE, f"{what} in cell {cell} already"
    elif candidate.kind == "input":
        yield _NOT_THERE, f"cell {nearest} reads as much as before; {what} in cell {cell}"


def _first_difference(case: Case, task: str) -> tuple[int, str] | None:
    old_cells, new_cells = case.facts.cells[task]
    aligned = same_cells(case.facts.code[task])
    old = {cell.index: {table.name: table for table in cell.tables} for cell in old_cells}
    if not old:
        return None
    for cell in new_cells:
        if cell.index not in aligned or aligned[cell.index] not in old:
            continue
        for table in cell.tables:
            was = old[aligned[cell.index]].get(table.name)
            if was is None:
                continue
            if case.focus.kind == "nulls" and None not in {was.nulls, table.nulls} and was.nulls != table.nulls:
                return cell.index, f"{table.name} first has {counted(table.nulls or 0, 'null value')}, {was.nulls:,} before"
            if case.focus.kind == "rows" and was.rows != table.rows:
                return cell.index, f"{table.name} first has {counted(table.rows, 'row')}, {was.rows:,} before"
    return None


def _looked(case: Case, candidate: Candidate) -> Iterator[tuple[float, str]]:
    looks = [case.facts.inputs[path] for path in candidate.paths if path in case.facts.inputs]
    if not looks:
        return
    # of many files that are one candidate, the one that says most counts
    factor = max(_look_factor(case, look) for look in looks)
    telling = [look for look in looks if look.text and _look_factor(case, look) == factor]
    yield factor, ""
    for look in telling[:3]:
        more = f"; its earlier rows are as they were, and {case.focus.dataset} has as many as before"
        yield 1.0, look.text + (more if factor == _NOT_COME else "")


def _look_factor(case: Case, look: InputLook) -> float:
    if look.more and _as_many(case):
        return _NOT_COME
    return {True: 1.2, False: 0.25, None: 1.0}[look.same]


def _as_many(case: Case) -> bool:
    """Tell whether what is in question is about values in rows of which there are as many as before."""
    if case.focus.kind not in {"values", "nulls", "distinct"} or case.focus.dataset is None:
        return False
    old, new = case.dataset(case.focus.dataset)
    return old is not None and new is not None and old.rows is not None and old.rows == new.rows


def uses(task: TaskRun, package: str) -> bool:
    """Tell whether a task imports a distribution."""
    return package in (recipe_of(task).get("packages") or {})
