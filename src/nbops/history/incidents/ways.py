"""Which findings may have one cause: those that data leads to from one another. Pure functions of a Run."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from nbops.history.incidents.look import dataset_of, task_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbops.model import IncidentFinding, Run

__all__ = ["Members", "Ways"]

_DATASET, _TASK = "dataset:", "task:"
_MOST_COLUMNS = 50
"""Columns of a dataset whose lineage is followed; where more are wrong, it is the dataset."""


@dataclass(frozen=True)
class Ways:
    """The ways of data through a run's pipeline.

    Attributes:
        run: The run.
    """

    run: Run

    def apart(self, source: str, target: str) -> int | None:
        """Return how far downstream of one subject another is; None when nothing leads there.

        A subject and itself, and datasets that one task makes, are no distance apart.
        """
        maker = self.maker(source)
        if source == target or (maker is not None and maker == self.maker(target)):
            return 0
        return self._reached(source).get(target)

    def columns_agree(self, source: IncidentFinding, target: IncidentFinding) -> bool:
        """Tell whether the column that a finding is about may come from that of another; also where one is about no column."""
        above, below = dataset_of(source.subject), dataset_of(target.subject)
        if above is None or below is None or source.column is None or target.column is None:
            return True
        reached = self._columns_below(above, source.column)
        return (below, None) in reached or (below, target.column) in reached

    def below(self, subject: str) -> frozenset[str]:
        """Return everything downstream of a subject."""
        return frozenset(self._reached(subject))

    def maker(self, subject: str) -> str | None:
        """Return the task that a subject is or that makes it."""
        return task_of(subject) or self._makers.get(subject)

    def rank(self, subject: str) -> tuple[int, int, str]:
        """Return what sorts subjects from upstream to downstream; what the run does not have comes last."""
        place = self._places.get(self.maker(subject) or "", len(self._places))
        return (-1 if subject.startswith("pipeline:") else place, int(not subject.startswith(_TASK)), subject)

    def held(self, subjects: Iterable[str]) -> frozenset[str]:
        """Return the tasks that were held and lie downstream of some subjects, or of failed tasks that make these."""
        waiting = {_TASK + task.name for task in self.run.tasks if task.status == "held"}
        if not waiting:
            return frozenset()
        failed = {task.name for task in self.run.tasks if task.status == "failed"}
        found: set[str] = set()
        for subject in subjects:
            maker = self.maker(subject)
            found |= self.below(subject) | (self.below(_TASK + maker) if maker in failed else set())
            if subject.startswith("pipeline:"):
                found |= waiting
        return frozenset(found & waiting)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {task.name: index for index, task in enumerate(self.run.tasks)}

    @cached_property
    def _makers(self) -> Mapping[str, str]:
        made = {edge.target: edge.source.removeprefix(_TASK) for edge in self.run.lineage if edge.kind == "writes"}
        return {**made, **{_DATASET + item.name: item.task for item in self.run.datasets}}

    @cached_property
    def _next(self) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for edge in self.run.lineage:
            found[edge.source].add(edge.target)
        for subject, maker in self._makers.items():
            found[_TASK + maker].add(subject)
        for task in self.run.tasks:
            for up in task.upstream:
                found[_TASK + up].add(_TASK + task.name)
        return found

    @cached_property
    def _known(self) -> dict[str, Mapping[str, int]]:
        return {}

    def _reached(self, start: str) -> Mapping[str, int]:
        if start not in self._known:
            found, queue = {start: 0}, deque([start])
            while queue:
                node = queue.popleft()
                for following in self._next.get(node, ()):
                    if following not in found:
                        found[following] = found[node] + 1
                        queue.append(following)
            del found[start]
            self._known[start] = found
        return self._known[start]

    @cached_property
    def _known_columns(self) -> dict[tuple[str, str], frozenset[tuple[str, str | None]]]:
        return {}

    def _columns_below(self, dataset: str, column: str) -> frozenset[tuple[str, str | None]]:
        if (dataset, column) not in self._known_columns:
            from nbops.lineage.graph import Graph, Node  # noqa: PLC0415 - only where two findings are about columns

            reached = Graph.of_columns(self.run).reach([Node(dataset, column)], "down")
            self._known_columns[dataset, column] = frozenset((item.node.name, item.node.column) for item in reached)
        return self._known_columns[dataset, column]


@dataclass
class Members:
    """Findings that are together, and how far downstream of them another is.

    Attributes:
        ways: Of the run.
        columns: Subject to one finding for each column that is among them; None stands for the subject as a whole.
    """

    ways: Ways
    columns: dict[str, dict[str | None, IncidentFinding]] = field(default_factory=dict)

    def add(self, finding: IncidentFinding) -> None:
        """Take a finding in."""
        self.columns.setdefault(finding.subject, {}).setdefault(finding.column, finding)

    def distance(self, finding: IncidentFinding) -> int | None:
        """Return how far downstream of the nearest of them a finding is; None when it is downstream of none.

        Where both are about columns and datasets lie between, the columns decide, unless so many columns of the dataset are among
        them that it is the dataset which is wrong.
        """
        best: int | None = None
        for subject, columns in self.columns.items():
            far = self.ways.apart(subject, finding.subject)
            if far is None or (best is not None and far >= best):
                continue
            whole = far == 0 or finding.column is None or None in columns or len(columns) > _MOST_COLUMNS
            if whole or any(self.ways.columns_agree(one, finding) for one in columns.values()):
                best = far
        return best
