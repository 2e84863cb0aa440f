"""A run and all that it is made of: tasks, datasets, checks, lineage, environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from nbops.model.found import Anomaly, Distribution, MonitorCount
from nbops.model.words import ColumnTransformation, RunStatus, Severity, TaskKind, TaskStatus, Verdict

__all__ = [
    "CellRun",
    "CellTable",
    "Check",
    "CheckResult",
    "Column",
    "ColumnEdge",
    "Dataset",
    "Definition",
    "Environment",
    "GitState",
    "LineageEdge",
    "LineageNote",
    "Measurement",
    "MetricRequest",
    "Notice",
    "Quarantine",
    "Run",
    "RunError",
    "TaskLineage",
    "TaskRun",
]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Where somebody outside says with authority what a thing means: an entry of a business glossary, a tutorial, its code."""

    url: str
    type: str
    """ODCS: ``businessDefinition``, ``transformationImplementation``, ``tutorial``..., or any other word."""
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a dataset, as found in the data; what a contract adds stands beside it."""

    name: str
    physical_type: str
    """Type as the measuring engine names it, for example ``BIGINT`` or ``VARCHAR``."""
    logical_type: str | None = None
    description: str | None = None
    classification: str | None = None
    """ODCS classification (``public``, ``restricted``, ``confidential``, ``personal``, ...)."""
    business_name: str | None = None
    """The term of the business for it."""
    tags: tuple[str, ...] = ()
    definitions: tuple[Definition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRequest:
    """A measurement that somebody needs; equal requests are measured once."""

    metric: str
    column: str | None = None
    arguments: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number (or value) taken from a dataset. ``error`` set means that it could not be taken."""

    metric: str
    column: str | None = None
    arguments: tuple[tuple[str, Any], ...] = ()
    value: int | float | str | bool | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule of a contract, or one that a notebook declares."""

    id: str
    """Stable over runs and unique within the dataset, e.g. ``customer_id.nullValues``."""
    dataset: str
    metric: str
    """What is measured: a library metric (``nullValues``...), ``sql``, ``schema``, ``freshness``, or a notebook's expectation."""
    column: str | None = None
    arguments: tuple[tuple[str, Any], ...] = ()
    operator: str | None = None
    """ODCS operator: ``mustBe``, ``mustNotBe``, ``mustBeGreaterThan``, ``mustBeBetween``..."""
    expected: Any = None
    unit: Literal["rows", "percent"] = "rows"
    severity: Severity = "error"
    quarantine: bool = False
    """Row-level rule: rows that break it are set aside, the rest is published."""
    dimension: str | None = None
    description: str | None = None
    origin: str = ""
    """Where it was declared, e.g. ``contracts/orders.odcs.yaml: schema[0].quality[2]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """A check's verdict on one dataset in one run."""

    check: Check
    verdict: Verdict
    observed: int | float | str | bool | None = None
    message: str = ""
    """One sentence: what was expected, what was found."""
    failing_rows: int | None = None
    examples: tuple[Mapping[str, Any], ...] = ()
    """At most five rows that break the rule; values of personal columns are masked."""
    from_run: str | None = None
    """The run that measured it, when carried over because neither data nor contract changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Rows set aside by row-level rules: ``rows_in == rows_out + rows``."""

    dataset: str
    task: str
    path: str
    rows_in: int
    rows_out: int
    rows: int
    reasons: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    """Check id to number of rows that broke it (a row may break several)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A named product holding rows, as one run saw it."""

    name: str
    task: str
    path: str
    format: str
    """``parquet``, ``csv``, ``jsonl``, ``relation``."""
    columns: tuple[Column, ...] = ()
    rows: int | None = None
    bytes: int | None = None
    content_hash: str | None = None
    measurements: tuple[Measurement, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    storage: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """How the file is written, where its rows do not tell: ``bom``, ``encoding``, ``delimiter``."""
    verdict: Verdict = "skipped"
    published: bool = True
    """False when its checks failed: the path still holds the last good version."""
    changed: bool = True
    """False when its content equals that of the run before."""
    from_run: str | None = None
    """The run that measured it, when carried over because neither data nor contract changed; only its age may differ."""
    contract: str | None = None
    contract_hash: str | None = None
    owner: str | None = None
    description: str | None = None
    business_name: str | None = None
    """The term of the business for it."""
    domain: str | None = None
    """The part of the business that it belongs to."""
    tags: tuple[str, ...] = ()
    definitions: tuple[Definition, ...] = ()
    sla: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    profile: str | None = None
    """Path of the profile page below ``reports/``."""
    error: str | None = None
    """Why it could not be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTable:
    """A table in a notebook's memory that a cell made or changed: how much of it there is, never what is in it."""

    name: str
    """The variable."""
    rows: int
    columns: int
    nulls: int | None = None
    """Values that are not there, in all columns; None when the table was too large to count them."""
    of: str | None = None
    """The table that the numbers before are of: the same variable as the cells above left it, or what the cell made it of."""
    rows_before: int | None = None
    columns_before: int | None = None
    nulls_before: int | None = None
    finding: str = ""
    """A sentence, where rows were lost or multiplied: ``the inner join lost 12 % of the rows of orders``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRun:
    """One executed cell. ``index`` counts all cells of the source notebook from 0, without the injected one."""

    index: int
    seconds: float | None = None
    status: Literal["succeeded", "failed", "not_run"] = "succeeded"
    tables: tuple[CellTable, ...] = ()
    """Tables that it made or changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """Something that went wrong, scrubbed of secrets, personal values and machine paths."""

    kind: str
    """Exception class or fault: ``ValueError``, ``KernelDied``, ``Killed``, ``TimeLimit``, ``ChecksFailed``..."""
    message: str
    task: str | None = None
    cell: int | None = None
    cell_source: str | None = None
    traceback: str | None = None
    hint: str | None = None
    """What to do next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A finding that is no check: an undeclared output, a failed exporter, a truncated output, a recovered fault."""

    kind: str
    message: str
    task: str | None = None
    severity: Severity = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """A task of the pipeline in one run."""

    name: str
    kind: TaskKind
    status: TaskStatus
    source: str | None = None
    reasons: tuple[str, ...] = ()
    """Why it ran, or why not; sentences for people, the first is the most important."""
    upstream: tuple[str, ...] = ()
    products: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Product key to path; a single unnamed product has the key ``product``."""
    parameters: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    started_at: str | None = None
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    attempts: int = 0
    cells: tuple[CellRun, ...] = ()
    notebook: str | None = None
    """The executed, scrubbed notebook below ``reports/``, e.g. ``runs/<run_id>/tasks/clean.ipynb``."""
    error: RunError | None = None
    fingerprint: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """What the task depended on when it last succeeded: component to hash."""
    attempted: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """What it depended on in this run, where it ran and did not succeed: so that what changed can be told."""
    last_success: str | None = None
    """Id of the run in which it last succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEdge:
    """Data flows from ``source`` to ``target``.

    Nodes are ``task:NAME``, ``dataset:NAME``, ``file:PATH``, or ``host:NAME:PORT`` for what a task was connected to.
    """

    source: str
    target: str
    kind: Literal["reads", "writes"] = "reads"
    how: Literal["declared", "static", "observed"] = "declared"
    """Declared in the pipeline, its settings or parameters; named in the code; or only seen while the task ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEdge:
    """A column of ``target`` comes from, or its rows are chosen by, a column of ``source``.

    ``transformation`` follows the subtypes of OpenLineage's columnLineage facet, in lower case.
    """

    source: str
    """A dataset's name; of what is outside the pipeline the path, relation or URL as the code names it."""
    source_column: str | None
    """None: all columns of ``source`` (what is read is beyond analysis, or does not depend on one column)."""
    target: str
    target_column: str | None
    """None: all columns of ``target``, as where rows are chosen; of influence only ``window`` and ``conditional`` name one."""
    kind: Literal["derived", "influence"]
    """``derived``: the value is made of the source's value; ``influence``: the row is there, or is where it is, because of it."""
    how: Literal["sql", "static", "observed", "assumed"]
    """Known from SQL, from the code of cells, from what happened in a run, or assumed since the code is beyond analysis."""
    transformation: ColumnTransformation = "transformation"
    task: str = ""
    cells: tuple[int, ...] = ()
    """Indexes of the cells, from 0 and as in :class:`CellRun`, in which it happens, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNote:
    """Why some columns' sources are wider than they may be, or what could not be seen."""

    message: str
    cell: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLineage:
    """Where the columns come from that a task makes. What no edge is said of is not known to depend on anything."""

    task: str
    edges: tuple[ColumnEdge, ...] = ()
    notes: tuple[LineageNote, ...] = ()
    basis: str = ""
    """Hash of what the edges follow from: code, schemas, what is known of values, and nbops' analysis itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """Where the code came from."""

    commit: str | None = None
    branch: str | None = None
    """None on a detached head."""
    dirty: bool = False
    changed_files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the code ran on."""

    python: str
    platform: str
    nbops: str
    packages: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Distribution name to version, of those that the pipeline imports."""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One ``ploomber build`` (or ``ploomber task``)."""

    id: str
    """Sortable UTC stamp and a short random suffix: ``20261122T194156Z-1f0c9a``."""
    status: RunStatus
    verdict: Verdict
    """The worst of all: a run with a failed task is ``failed`` whatever its checks say."""
    pipeline: str
    command: str
    """``ploomber build``, ``ploomber task clean``..."""
    started_at: str
    finished_at: str | None = None
    seconds: float | None = None
    git: GitState | None = None
    environment: Environment | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    """The pipeline's ``env`` values; secrets are masked."""
    tasks: tuple[TaskRun, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    quarantine: tuple[Quarantine, ...] = ()
    lineage: tuple[LineageEdge, ...] = ()
    """Between tasks, datasets and what is outside."""
    column_lineage: tuple[TaskLineage, ...] = ()
    """Between columns, task by task."""
    anomalies: tuple[Anomaly, ...] = ()
    monitors: tuple[MonitorCount, ...] = ()
    logical_date: str | None = None
    """The instant or day that the run's data is for, where a parameter says so (``--env--day 2011-01-04``); else None."""
    errors: tuple[RunError, ...] = ()
    notices: tuple[Notice, ...] = ()
