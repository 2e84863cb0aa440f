"""20 checks on Parquet of 0.1 to 50 million rows: nbops, DuckDB by hand, the bare read, Pandera, Great Expectations, Soda.

All read the same file, in which violations are planted and counted; every contestant must find exactly those, in every run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestants.rules import RULES, Rule
from benchmarks.context import CONTESTANTS, Context
from benchmarks.harness import USAGE, WORK_CPU, WORK_WALL, Contestant, Experiment, SkippedError, execute, say
from benchmarks.peers import environment_of

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "Checks"
MINUTES = 12.0

_QUIET = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "SODA_CORE_TELEMETRY_ENABLED": "false",
    "DISABLE_PANDERA_IMPORT_WARNING": "True",
}
_TOO_LARGE = "not tried: it holds the whole table in memory; at 5 million rows it took {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """How many rows, and how often."""

    name: str
    rows: int
    rounds: int
    slow_rounds: int
    slow_limit: float = 1_200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tool:
    """A contestant at every size."""

    key: str
    label: str
    script: str
    arguments: Sequence[str] = ()
    peer: str | None = None
    slow: bool = False
    too_large: str = ""
    """Why it cannot take 50 million rows; empty when it can."""
    about: str = ""


_TOOLS = (
    _Tool(key="bare", label="bare read", script="checks_bare.py", about="pyarrow decodes the columns; nothing is checked."),
    _Tool(key="duckdb", label="DuckDB by hand", script="checks_duckdb.py", about="One fused query, one more a unique column."),
    _Tool(key="nbops_checks", label="nbops, checks only", script="checks_nbops.py", arguments=("checks",)),
    _Tool(
        key="nbops_audit",
        label="nbops, audit of a run",
        script="checks_nbops.py",
        arguments=("audit",),
        about="The checks, numbers of every column, example rows, content hash: all that a run does with a dataset.",
    ),
    _Tool(key="soda3", label="Soda 3", script="checks_soda3.py", peer="soda3"),
    _Tool(key="soda4", label="Soda 4", script="checks_soda4.py", peer="soda4"),
    _Tool(
        key="pandera_polars",
        label="Pandera on Polars",
        script="checks_pandera.py",
        arguments=("polars",),
        peer="pandera",
        too_large="1.2 GB",
    ),
    _Tool(
        key="pandera_pandas",
        label="Pandera on pandas",
        script="checks_pandera.py",
        arguments=("pandas",),
        peer="pandera",
        slow=True,
        too_large="3.3 GB",
    ),
    _Tool(
        key="gx",
        label="Great Expectations",
        script="checks_gx.py",
        peer="great-expectations",
        slow=True,
        too_large="4.2 GB and more than a minute",
    ),
)
_SIZES = (
    _Size(name="100k", rows=100_000, rounds=5, slow_rounds=3),
    _Size(name="1m", rows=1_000_000, rounds=5, slow_rounds=1),
    _Size(name="5m", rows=5_000_000, rounds=5, slow_rounds=3),
    _Size(name="50m", rows=50_000_000, rounds=1, slow_rounds=1),
)
_LARGE = 50_000_000
_MEMORY_BOUND = "2GB"


def data_file(context: Context, rows: int) -> Path:
    """Return the file of so many rows, which is made when it is not there."""
    path = context.folder("data") / f"orders-{rows}.parquet"
    if not path.with_suffix(".json").exists():
        say(f"  making {rows:,} rows ...")
        done = context.unmeasured([context.python, CONTESTANTS / "checks_data.py", path, str(rows)], folder=context.work)
        if done.returncode:
            raise SystemExit(f"the data could not be made: {done.stderr}")
    return path


def _contract(path: Path) -> Path:
    """Write the 20 checks as a contract."""
    lines = ["apiVersion: v3.1.0", "kind: DataContract", "id: orders", "version: 1.0.0", "status: active", "schema:"]
    lines += ["  - name: orders", "    logicalType: object", "    properties:"]
    for column in dict.fromkeys(rule.column for rule in RULES):
        mine = {rule.kind: rule for rule in RULES if rule.column == column}
        lines += [f"      - name: {column}", f"        logicalType: {_logical_type(column)}"]
        lines += ["        required: true"] if "not_null" in mine else []
        lines += ["        unique: true"] if "unique" in mine else []
        if "one_of" in mine:
            lines += ["        enum:", *(f"          - value: {value}" for value in mine["one_of"].argument)]
        lines += _options(mine)
    lines += ["    quality:", "      - name: rows", "        type: library", "        metric: rowCount"]
    lines += ["        mustBeGreaterThan: 0"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _options(mine: Mapping[str, Rule]) -> list[str]:
    options = [f"{kind}: {mine[kind].argument!r}" for kind in ("minimum", "maximum", "pattern") if kind in mine]
    return [f"        logicalTypeOptions: {{{', '.join(options)}}}"] if options else []


def _logical_type(column: str) -> str:
    integers, numbers = {"id", "customer", "quantity"}, {"price", "discount"}
    if column == "ordered_at":
        return "timestamp"
    return "integer" if column in integers else "number" if column in numbers else "string"


def _run(context: Context, tool: _Tool, size: _Size) -> Callable[[int], Mapping[str, float]]:
    def run(_round: int) -> Mapping[str, float]:
        if size.rows >= _LARGE and tool.too_large:
            raise SkippedError(_TOO_LARGE.format(tool.too_large))
        python = environment_of(context, tool.peer) if tool.peer else context.python
        data = data_file(context, size.rows)
        contract = [_contract(context.folder("data") / "orders.odcs.yaml")] if tool.script == "checks_nbops.py" else []
        more = dict(_QUIET)
        if size.rows >= _LARGE and tool.script == "checks_nbops.py":
            more["NBOPS_BENCHMARK_MEMORY"] = _MEMORY_BOUND
        usage = execute(
            [python, CONTESTANTS / tool.script, data, *contract, *tool.arguments],
            folder=context.folder("runs/checks"),
            environment=context.environment(python, **more),
            time_limit=size.slow_limit,
        )
        return usage.values()

    return run


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield the sizes, the smallest first."""
    for size in (_Size(name="20k", rows=20_000, rounds=1, slow_rounds=1),) if context.quick else _SIZES:
        tools = [tool for tool in _TOOLS if not (context.quick and tool.peer and not _installed(context, tool.peer))]
        yield Experiment(
            key=f"checks.{size.name}",
            title=f"20 checks on {size.rows:,} rows x 10 columns of Parquet",
            about=(
                "Nulls, uniqueness (exact), minima, maxima, sets, a pattern, the row count. Every run must find exactly the "
                "violations that are planted in the file, else it does not count. The ratios are against the bare read."
            ),
            baseline="bare",
            contestants=[
                Contestant(
                    key=tool.key,
                    label=tool.label,
                    about=tool.about,
                    run=_run(context, tool, size),
                    rounds=min(size.slow_rounds, context.rounds or size.slow_rounds) if tool.slow else None,
                )
                for tool in tools
            ],
            rounds=context.rounds_or(size.rounds),
            metrics=(WORK_CPU, *USAGE, WORK_WALL),
        )


def _installed(context: Context, peer: str) -> bool:
    try:
        environment_of(context, peer)
    except SkippedError as error:
        print(f"  {peer}: {error}", file=sys.stderr)
        return False
    return True
