"""A shop's runs, built from the records: passing, failing, with failed checks and quarantine, interrupted, hostile."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from nbops.history.accepted import is_accepted
from nbops.history.compare import compare
from nbops.history.matrix import matrix_row
from nbops.history.series import points_of
from nbops.model import (
    CellRun,
    CellTable,
    Check,
    CheckResult,
    Column,
    ColumnEdge,
    Dataset,
    Definition,
    Environment,
    GitState,
    LineageEdge,
    LineageNote,
    Measurement,
    Notice,
    Quarantine,
    Run,
    RunError,
    TaskLineage,
    TaskRun,
)
from nbops.pages.render import render_index, render_run
from nbops.pages.summaries import summarise
from nbops.quality.notes import noted
from nbops.record.ledger import as_stored
from nbops.record.store import write_run

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.history.comparison import Comparison
    from nbops.history.series import Point

FLOW = {
    "ingest": ((), "order_lines_raw", 2.1, 0.0),
    "customers": ((), "customers", 0.8, 0.1),
    "clean": (("ingest", "customers"), "order_lines", 6.4, 2.3),
    "features": (("clean",), "customer_features", 11.9, 8.9),
    "basket": (("clean",), "baskets", 4.2, 9.0),
    "train": (("features", "basket"), "item_factors", 48.3, 21.0),
    "popularity": (("clean",), "popular_items", 0.34, 9.1),
    "recommend": (("train", "popularity"), "recommendations", 9.7, 69.6),
    "evaluate": (("recommend",), "recommender_scores", 3.6, 79.5),
    "monitor": (("recommend", "customers"), "drift", 1.2, 79.6),
}
ROWS = {
    "order_lines_raw": 541_909, "customers": 4_372, "order_lines": 397_924, "customer_features": 4_339, "baskets": 18_536,
    "item_factors": 3_665, "popular_items": 100, "recommendations": 86_780, "recommender_scores": 6, "drift": 24,
}  # fmt: skip
BASE = "20261122T194156Z-1f0c9a"
TABLES = (
    CellTable(
        name="lines",
        rows=397_924,
        columns=8,
        nulls=0,
        of="raw",
        rows_before=541_909,
        columns_before=8,
        nulls_before=135_080,
        finding="the inner join lost 27 % of the rows of raw",
    ),
)


def _clock(seconds: float) -> str:
    whole = 41 * 60 + 56 + int(seconds)
    return f"2026-11-22T19:{whole // 60:02d}:{whole % 60:02d}Z"


def _column(name: str, kind: str, *, personal: bool = False, text: str | None = None) -> Column:
    logical = {"BIGINT": "integer", "VARCHAR": "string", "DOUBLE": "number", "TIMESTAMP": "timestamp"}[kind]
    classification = "personal" if personal else "internal"
    return Column(name=name, physical_type=kind, logical_type=logical, classification=classification, description=text)


COLUMNS = (
    _column("invoice", "VARCHAR", text="Invoice number; a leading C marks a cancellation."),
    _column("stock_code", "VARCHAR", text="Product code of the shop."),
    _column("quantity", "BIGINT", text="Units in the line; negative in a return."),
    _column("price", "DOUBLE", text="Unit price in pounds sterling."),
    _column("customer_id", "BIGINT", personal=True, text="Customer, empty for guests."),
    _column("ordered_at", "TIMESTAMP", text="When the order was placed (UTC)."),
)


def _dataset(name: str, task: str) -> Dataset:
    measured = [Measurement(metric="rowCount", value=ROWS[name]), Measurement(metric="bytes_per_row", value=17.25)]
    for number, column in enumerate(COLUMNS):
        measured += [
            Measurement(metric="nullValues", column=column.name, value=135_080 if column.name == "customer_id" else 0),
            Measurement(metric="distinctValues", column=column.name, value=25_900 // (number + 1)),
        ]
    measured += [
        Measurement(metric="minimum", column="quantity", value=-80_995),
        Measurement(metric="maximum", column="quantity", value=80_995),
        Measurement(metric="mean", column="price", value=4.6111136260897),
        Measurement(metric="quantile", column="price", arguments=(("q", 0.99),), value=18.0),
        Measurement(metric="freshness", error="no column of the type timestamp"),
    ]
    return Dataset(
        name=name,
        task=task,
        path=f"data/{name}.parquet",
        format="parquet",
        columns=COLUMNS,
        rows=ROWS[name],
        bytes=ROWS[name] * 21,
        content_hash="sha256:" + "4f1d" * 16,
        measurements=tuple(measured),
        verdict="passed",
        changed=name != "customers",
        contract=None if name in {"drift", "popular_items"} else f"contracts/{name}.odcs.yaml",
        contract_hash="ab12",
        owner="shop-data@example.com",
        description="Order lines of the online shop, one row an item of an invoice.",
        business_name="Order lines",
        domain="sales",
        tags=("core", "gdpr"),
        definitions=(Definition(url="https://example.com/terms/order", type="businessDefinition", description="An order"),),
        sla={"frequency": "1 d", "retention": "2 y"},
        profile=f"profiles/{name}.html" if name in {"order_lines", "customers"} else None,
    )


def _check(dataset: str, metric: str, column: str | None = None, **more: Any) -> Check:
    given = {"operator": "mustBe", "expected": 0, "origin": f"contracts/{dataset}.odcs.yaml: schema[0].quality[2]", **more}
    return Check(id=".".join(part for part in (column, metric) if part), dataset=dataset, metric=metric, column=column, **given)


def _traced() -> tuple[TaskLineage, ...]:
    """Each dataset has the columns of the first that its task reads; a price is computed, rows are chosen, one task is opaque."""
    found = []
    for task, (upstream, dataset, _, _) in FLOW.items():
        source = FLOW[upstream[0]][1] if upstream else "data/online_retail.csv"
        if task == "train":
            assumed = ColumnEdge(
                source=source, source_column=None, target=dataset, target_column=None, kind="derived", how="assumed", task=task
            )
            note = LineageNote(message="exec runs code that is not known before", cell=3)
            found.append(TaskLineage(task=task, edges=(assumed,), notes=(note,)))
            continue
        edges = [
            ColumnEdge(
                source=source,
                source_column=column.name,
                target=dataset,
                target_column=column.name,
                kind="derived",
                how="static",
                transformation="identity",
                task=task,
                cells=(2,),
            )
            for column in COLUMNS
        ]
        edges += [
            ColumnEdge(
                source=source,
                source_column=column,
                target=dataset,
                target_column="price" if kind == "derived" else None,
                kind=kind,  # type: ignore[arg-type]
                how="sql",
                transformation=how,  # type: ignore[arg-type]
                task=task,
                cells=(3,),
            )
            for column, kind, how in (("quantity", "derived", "aggregation"), ("customer_id", "influence", "filter"))
        ]
        found.append(TaskLineage(task=task, edges=tuple(edges)))
    return tuple(found)


def _checks() -> list[CheckResult]:
    made = []
    for dataset, rows in ROWS.items():
        if dataset in {"drift", "popular_items"}:
            continue
        size = _check(dataset, "rowCount", operator="mustBeBetween", expected=(1, 10_000_000))
        made.append(CheckResult(check=size, verdict="passed", observed=rows, message="rowCount is between 1 and 10,000,000"))
        columns = ("invoice", "stock_code", "quantity")
        made += [CheckResult(check=_check(dataset, "nullValues", column), verdict="passed", observed=0) for column in columns]
        unique = _check(
            dataset, "duplicateValues", "invoice", operator="mustBeLessThan", expected=1, unit="percent", severity="warn"
        )
        made.append(CheckResult(check=unique, verdict="passed", observed=0.02))
    return made


def _edges() -> tuple[LineageEdge, ...]:
    edges = [LineageEdge(source="file:data/online_retail.csv", target="task:ingest")]
    edges += [LineageEdge(source="file:config/shop.yaml", target="task:train", how="observed")]
    for task, (upstream, dataset, _, _) in FLOW.items():
        edges += [LineageEdge(source=f"dataset:{FLOW[up][1]}", target=f"task:{task}") for up in upstream]
        edges += [LineageEdge(source=f"task:{task}", target=f"dataset:{dataset}", kind="writes")]
    return tuple(edges)


def passing() -> Run:
    tasks = []
    for name, (upstream, dataset, seconds, start) in FLOW.items():
        tasks.append(
            TaskRun(
                name=name,
                kind="notebook",
                status="succeeded",
                source=f"notebooks/{name}.py",
                reasons=(
                    f"{FLOW[upstream[0]][1]} changed." if upstream else "data/online_retail.csv changed.",
                    "Its code changed.",
                ),
                upstream=upstream,
                products={"nb": f"out/{name}.ipynb", "data": f"data/{dataset}.parquet"},
                parameters={"since": "2011-01-01", "until": "2011-12-09", "seed": 7},
                started_at=_clock(start),
                seconds=seconds,
                peak_memory_bytes=int(180e6 + seconds * 9e6),
                attempts=1,
                cells=tuple(
                    CellRun(index=index, seconds=round(seconds / 4, 3), tables=TABLES if index == 3 else ()) for index in range(5)
                ),
                notebook=f"runs/{BASE}/tasks/{name}.ipynb",
                last_success=BASE,
            )
        )
    environment = Environment(
        python="3.11.7",
        platform="Linux x86_64",
        nbops="0.1.0",
        packages={"duckdb": "1.4.2", "implicit": "0.7.3", "pandas": "2.3.3", "pyarrow": "22.0.0"},
        fingerprint="sha256:" + "9c" * 32,
    )
    return Run(
        id=BASE,
        status="succeeded",
        verdict="passed",
        pipeline="online-shop",
        command="ploomber build",
        started_at="2026-11-22T19:41:56Z",
        finished_at="2026-11-22T19:43:17Z",
        seconds=81.2,
        git=GitState(commit="4be1f0a9d2c37c5d8e77aa01bb3f2c9e6d5a4b31", branch="main", dirty=True, changed_files=3),
        environment=environment,
        parameters={"source": "data/online_retail.csv", "since": "2011-01-01", "scale": 1_000_000, "token": "(masked)"},
        tasks=tuple(tasks),
        datasets=tuple(_dataset(dataset, task) for task, (_, dataset, _, _) in FLOW.items()),
        checks=tuple(_checks()),
        lineage=_edges(),
        column_lineage=_traced(),
    )


def _cut_short(run: Run, at: str, status: str, **error: Any) -> Run:
    """Return the run as if ``at`` had not succeeded and everything after it had been held."""
    order = list(FLOW)
    after: set[str] = set()
    for name in order:
        if set(FLOW[name][0]) & (after | {at}):
            after.add(name)
    states = ("succeeded", "succeeded", "succeeded", "failed", "not_run")
    cells = tuple(CellRun(index=number, status=state) for number, state in enumerate(states))
    never = {"started_at": None, "seconds": None, "peak_memory_bytes": None, "attempts": 0, "cells": (), "notebook": None}
    tasks = []
    for task in run.tasks:
        if task.name == at:
            raised = RunError(task=at, **error) if error else None
            tasks.append(replace(task, status=status, error=raised, last_success=None, cells=cells))
        elif task.name in after:
            tasks.append(replace(task, status="held", reasons=(f"{at} did not succeed.",), **never))
        else:
            tasks.append(task)
    gone = {FLOW[name][1] for name in after | {at}}
    datasets = tuple(item for item in run.datasets if item.name not in gone)
    checks = tuple(result for result in run.checks if result.check.dataset not in gone)
    return replace(run, status="failed", verdict="failed", seconds=14.2, tasks=tuple(tasks), datasets=datasets, checks=checks)


TRACE = (
    "\x1b[31m---------------------------------------------------------------------------\x1b[39m\n"
    "\x1b[31mValueError\x1b[39m                                Traceback (most recent call last)\n"
    "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[4]\x1b[39m\x1b[32m, line 2\x1b[39m\n"
    "      1 lines = raw.assign(ordered_at=raw.InvoiceDate)\n"
    "\x1b[32m----> \x1b[39m\x1b[32m2\x1b[39m lines[\x1b[33m'price'\x1b[39m] = lines.UnitPrice.astype(\x1b[33m'float64'\x1b[39m)\n"
    "\x1b[31mValueError\x1b[39m: could not convert string to float: 'POST'"
)


def failing() -> Run:
    run = _cut_short(
        passing(),
        "clean",
        "failed",
        kind="ValueError",
        message="could not convert string to float: 'POST'",
        cell=3,
        cell_source="lines = raw.assign(ordered_at=raw.InvoiceDate)\nlines['price'] = lines.UnitPrice.astype('float64')",
        traceback=TRACE,
        hint="UnitPrice holds text in 12 rows; convert with pd.to_numeric(..., errors='coerce') and quarantine what is left.",
    )
    error = next(task.error for task in run.tasks if task.error)
    notice = Notice(kind="undeclared_output", message="ingest wrote data/tmp.csv, which no product declares.", task="ingest")
    return replace(run, errors=(error,), notices=(notice,))


EXAMPLES = tuple(
    {"invoice": f"5363{n}", "stock_code": "22139", "quantity": -n - 1, "price": 0.55 * n, "customer_id": "(masked)"}
    for n in range(5)
)


def checked() -> Run:
    """A check held publication, another could not be measured, rows are in quarantine, two warnings."""
    run = _cut_short(passing(), "features", "failed", kind="ChecksFailed", message="2 checks of customer_features failed")
    features = replace(_dataset("customer_features", "features"), verdict="failed", published=False)
    failed = CheckResult(
        check=_check("customer_features", "nullValues", "customer_id", operator="mustBeLessThan", expected=5, unit="percent"),
        verdict="failed",
        observed=24.93,
        message="At most 5 % of customer_id may be null, 24.93 % are.",
        failing_rows=135_080,
        examples=EXAMPLES,
    )
    rule = _check("customer_features", "sql", None, operator="mustBe", description="Every customer has at least one order")
    errored = CheckResult(
        check=replace(rule, id="has_orders"), verdict="errored", message='Binder Error: column "orders" is not there'
    )
    warned = CheckResult(
        check=_check("order_lines", "invalidValues", "quantity", severity="warn", quarantine=True),
        verdict="warned",
        observed=10_624,
        failing_rows=10_624,
        message="quantity is at least 1 in every row; 10,624 rows break it.",
        examples=EXAMPLES[:3],
    )
    aside = Quarantine(
        dataset="order_lines",
        task="clean",
        path=f"quarantine/order_lines/{BASE}.parquet",
        rows_in=541_909,
        rows_out=397_924,
        rows=143_985,
        reasons={"customer_id.missingValues": 135_080, "quantity.invalidValues": 10_624, "row.duplicateValues": 5_268},
    )
    datasets = [replace(item, verdict="warned") if item.name == "order_lines" else item for item in run.datasets]
    checks = (*run.checks, *_of_notebooks([*run.checks]), failed, errored, warned)
    return replace(run, datasets=(*datasets, features), checks=checks, quarantine=(aside,))


def _of_notebooks(judged: list[CheckResult]) -> list[CheckResult]:
    """``nbops.check(lines, "order_lines")`` in the task that makes it and in one that reads it; and an expectation."""
    own = [result for result in judged if result.check.dataset == "order_lines" and result.verdict == "passed"]
    made = [noted(replace(one, check=replace(one.check, id=f"notebook.{one.check.id}")), "clean") for one in own]
    later = [noted(replace(one, check=replace(one.check, id=f"notebook.{one.check.id}")), "basket") for one in own[:1]]
    expected = Check(
        id="notebook.every order has a line", dataset="order_lines", metric="expectation", operator="mustBe", expected=True,
        severity="warn", description="every order has a line", origin="notebook",
    )  # fmt: skip
    return [*made, *later, noted(CheckResult(check=expected, verdict="passed", observed=True, message="It holds."), "clean")]


def interrupted() -> Run:
    run = _cut_short(passing(), "train", "interrupted")
    return replace(run, status="interrupted", verdict="errored", seconds=44.0)


def up_to_date() -> Run:
    run = passing()
    why = ("Nothing that it depends on changed.",)
    still = {
        "status": "up_to_date",
        "reasons": why,
        "started_at": None,
        "seconds": None,
        "peak_memory_bytes": None,
        "attempts": 0,
        "cells": (),
    }
    tasks = tuple(replace(task, **still) for task in run.tasks)
    return replace(run, tasks=tasks, seconds=0.4, datasets=tuple(replace(item, changed=False) for item in run.datasets))


MEAN = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "../../etc/passwd",
    "con",
    "Con",
    "a\x00b",
    "\u202egpj.exe",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "\U0001f4a5\U0001f600",
    "x" * 3_000,
    "",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "=HYPERLINK('http://evil.example')",
    "</title></style></textarea><svg/onload=alert(1)>",
    "a/b",
    "a\\b",
    "\u00e9",
    "e\u0301",
    "\ud800x",
    "%2e%2e%2f#x?y",
]
HUGE = "<b>boom</b>\x00" * 900_000


def hostile() -> Run:
    """Every text of the run is one that somebody could have chosen to do harm."""
    run = checked()
    tasks = [
        replace(
            run.tasks[0],
            name=text,
            upstream=(MEAN[number - 1],) if number else ("nowhere",),
            reasons=(text, HUGE if number == 0 else text),
            parameters={text: text, "nested": {text: [text, None, float("nan")]}},
            products={text: text},
            source=text,
            notebook=None if number else f"runs/{BASE}/tasks/hostile.ipynb",
            status="failed",
            error=RunError(
                kind=text,
                message=text if number else HUGE,
                task=text,
                cell=number,
                cell_source=text,
                traceback=f"\x1b[31m{text}",
                hint=text,
            ),
        )
        for number, text in enumerate(MEAN)
    ]
    wide = tuple(Column(name=f"{MEAN[n % len(MEAN)][:200]}{n}", physical_type=MEAN[0], description=MEAN[1]) for n in range(5_000))
    measured = tuple(
        Measurement(metric=metric, column=column.name, value=MEAN[1]) for column in wide for metric in ("nullValues", MEAN[0])
    )
    datasets = [
        replace(
            run.datasets[0],
            name=text,
            task=text,
            columns=wide if not number else (),
            measurements=measured
            if not number
            else (Measurement(metric=text, column=text, arguments=((text, text),), value=text),),
            path=text,
            contract=text,
            owner=text,
            description=text if number else HUGE,
            sla={text: text},
            profile=text,
            error=text,
            content_hash=text,
        )
        for number, text in enumerate(MEAN)
    ]
    checks = [
        CheckResult(
            check=_check(
                text, text or "?", text, operator=text, expected=text, arguments=((text, text),), origin=text, description=text
            ),
            verdict="failed",
            observed=text,
            message=text,
            examples=({text: text, **{f"c{n}": MEAN[n % len(MEAN)] for n in range(100)}},) * 5,
        )
        for text in MEAN
    ]
    return replace(
        run,
        pipeline=MEAN[0],
        command=MEAN[1],
        git=GitState(commit=MEAN[0], branch=MEAN[1], dirty=True),
        environment=Environment(
            python=MEAN[0], platform=MEAN[1], nbops=MEAN[15], packages={MEAN[0]: MEAN[1]}, fingerprint=MEAN[2]
        ),
        parameters=dict.fromkeys(MEAN, MEAN[0]),
        tasks=tuple(tasks),
        datasets=tuple(datasets),
        checks=tuple(checks),
        quarantine=(Quarantine(dataset=MEAN[0], task="t", path=MEAN[1], rows_in=3, rows_out=1, rows=1, reasons={MEAN[1]: 1}),),
        lineage=tuple(LineageEdge(source=f"dataset:{a}", target=f"task:{b}") for a, b in pairwise(MEAN)),
        column_lineage=_hostile_lineage([column.name for column in wide]),
        notices=tuple(Notice(kind=text, message=text, task=text, severity="error") for text in MEAN),
        errors=tuple(RunError(kind=text, message=text) for text in MEAN),
    )


def _hostile_lineage(columns: list[str]) -> tuple[TaskLineage, ...]:
    edges = [
        ColumnEdge(source=b, source_column=b, target=a, target_column=a, kind="derived", how="sql", task=b, cells=(1, 2))
        for a, b in pairwise(MEAN)
    ]
    edges += [
        replace(edges[0], source=MEAN[1], source_column=MEAN[n % 22], target=MEAN[0], target_column=column, task=MEAN[1])
        for n, column in enumerate(columns)
    ]
    return tuple(
        TaskLineage(
            task=text,
            edges=tuple(edge for edge in edges if edge.task == text),
            notes=tuple(LineageNote(message=text, cell=n) for n in range(3)),
        )
        for text in MEAN
    )


def png() -> str:
    """A small real picture, as a kernel sends it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    width, height = 320, 120
    rows = b"".join(b"\0" + bytes(200 if (x // 8 + y // 8) % 2 else 80 for x in range(width)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.encodebytes(data).decode()


FRAME = """<div><style scoped>.dataframe tbody tr th {vertical-align: top;}</style>
    text = f"# {name.title()}\n\nTurns raw rows into **typed** order lines: see the [notes](https://example.com/notes)."
<tbody><tr><th>0</th><td>22423</td><td>164762.19</td></tr><tr><th>1</th><td>85123A</td><td>97894.50</td></tr></tbody></table></div>"""


def code(source: str, *outputs: dict[str, Any], tags: tuple[str, ...] = (), count: int | None = 1) -> dict[str, Any]:
    cell = {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "execution_count": count}
    return {**cell, "outputs": list(outputs)}


def shown(**data: str) -> dict[str, Any]:
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {name.replace("_", "/", 1): text for name, text in data.items()},
    }


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def notebook(cells: list[dict[str, Any]]) -> dict[str, Any]:
    cells = [{**cell, "id": f"cell{number}"} for number, cell in enumerate(cells)]
    info = {"name": "python", "pygments_lexer": "ipython3"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": info}, "cells": cells}


def executed(run: Run, name: str) -> dict[str, Any]:
    task = next(task for task in run.tasks if task.name == name)
    text = f"# {name.title()}\n\nTurns raw rows into **typed** order lines: see the [notes](https://example.com/notes)."
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": text},
        code("since = '2011-01-01'\nseed = 7", tags=("parameters",)),
        code("# Parameters\nsince = '2011-06-01'\nproduct = {'data': 'data/order_lines.parquet'}", tags=("injected-parameters",)),
        code(
            "import pandas as pd\n\nraw = pd.read_csv('data/online_retail.csv')\nprint(len(raw))  # rows",
            stream("541909\n"),
            stream("10%\r100%\n", "stderr"),
        ),
    ]
    if task.error and task.error.cell is not None:
        raised = {"output_type": "error", "ename": "ValueError", "evalue": task.error.message, "traceback": TRACE.split("\n")}
        cells += [code(task.error.cell_source or "", raised), code("lines.head()", count=None)]
    else:
        picture = {
            "output_type": "display_data",
            "metadata": {},
            "data": {"image/png": png(), "text/plain": "<Figure size 640x240>"},
        }
        cells += [
            code("top = lines.groupby('stock_code').revenue.sum()\ntop.head()", shown(text_html=FRAME, text_plain="frame")),
            code("top.plot()", picture),
        ]
    return notebook(cells)


RUNS = {
    "passing": passing,
    "failing": failing,
    "checked": checked,
    "interrupted": interrupted,
    "up_to_date": up_to_date,
    "hostile": hostile,
}


def write_notebooks(run: Run, reports: Path) -> None:
    for task in run.tasks:
        if task.notebook and task.name in FLOW:
            path = reports / task.notebook
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(executed(run, task.name)), encoding="utf-8")


def build(kind: str, reports: Path, *, history: int = 0) -> Path:
    """Render a whole site: the named run as the latest, after ``history`` earlier ones."""
    if kind == "fresh":
        render_index([], latest=None, reports=reports)
        return reports
    if kind == "as_before":
        return build_idle(reports)
    run = RUNS[kind]()
    for name in ("order_lines", "customers"):
        profile = reports / "profiles" / f"{name}.html"
        profile.parent.mkdir(parents=True, exist_ok=True)
        profile.write_text("<!doctype html><html lang=en><title>p</title>", encoding="utf-8")
    write_notebooks(run, reports)
    write_run(reports, run)
    earlier = [_earlier(number) for number in range(history)]
    accepted, previous = comparisons(run, history)
    render_run(run, reports=reports, accepted=accepted, previous=previous, series=courses(run, history))
    known = {item.id: item for item in (run, *earlier)}
    render_index(
        [summarise(item) for item in known.values()],
        latest=run,
        reports=reports,
        accepted=accepted,
        rows=lambda ids: [matrix_row(known[one]) for one in ids],
    )
    return reports


def as_before(since: Run) -> Run:
    """A run after ``since`` in which no task had to run and nothing is another."""
    reasons = ("nothing it depends on changed",)
    tasks = tuple(
        replace(task, status="up_to_date", notebook=None, cells=(), last_success=since.id, reasons=reasons)
        for task in since.tasks
    )
    datasets = tuple(replace(item, changed=False, from_run=since.id) for item in since.datasets)
    checks = tuple(replace(result, from_run=since.id) for result in since.checks)
    again = {"tasks": tasks, "datasets": datasets, "checks": checks, "quarantine": ()}
    return replace(since, id="20261123T060000Z-00000a", started_at="2026-11-23T06:00:00Z", **again)


def build_idle(reports: Path) -> Path:
    """Render a whole site whose latest run had nothing to do."""
    build("passing", reports)
    first, again = passing(), as_before(passing())
    accepted = compare(as_stored(first), as_stored(again))
    write_run(reports, again)
    render_run(again, reports=reports, accepted=accepted)
    render_index(
        [summarise(item) for item in (first, again)],
        latest=again,
        reports=reports,
        accepted=accepted,
        rows=lambda ids: [matrix_row({item.id: item for item in (first, again)}[one]) for one in ids],
    )
    return reports


def comparisons(run: Run, history: int) -> tuple[Comparison | None, Comparison | None]:
    """The run beside the last accepted of ``history`` earlier ones, and beside the one before it when that is another."""
    before = sorted((item for item in map(_earlier, range(history)) if item.id < run.id), key=lambda item: item.id)
    accepted = next((compare(item, as_stored(run)) for item in reversed(before) if is_accepted(item)), None)
    previous = compare(before[-1], as_stored(run)) if before and not is_accepted(before[-1]) else None
    return accepted, previous


def courses(run: Run, history: int) -> dict[str, list[Point]]:
    """What ``history`` earlier runs and this one measured."""
    before = sorted((item for item in map(_earlier, range(history)) if item.id < run.id), key=lambda item: item.id)
    series: dict[str, list[Point]] = {}
    for points in map(points_of, [*before[-19:], as_stored(run)]):
        for name, point in points.items():
            series.setdefault(name, []).append(point)
    return series


def _earlier(number: int) -> Run:
    """One of the runs before, the newest first."""
    made = [passing, failing, passing, checked, passing, up_to_date, interrupted][number % 7]()
    stamp = f"2026{11 - number // 28:02d}{1 + (27 - number) % 28:02d}"
    seconds = round((made.seconds or 0) * (1 + 0.13 * (number % 5)), 1)
    instant = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}T06:00:00Z"
    return replace(made, id=f"{stamp}T060000Z-{number:06x}", started_at=instant, seconds=seconds)


@pytest.fixture(scope="session")
def runs() -> dict[str, Any]:
    """Builders of runs by name."""
    return RUNS


@pytest.fixture(scope="session")
def compared() -> Any:
    """``compared(run, history)``: the comparisons that ``make_site`` renders with."""
    return comparisons


@pytest.fixture(scope="session")
def measured() -> Any:
    """``measured(run, history)``: the series that ``make_site`` renders with."""
    return courses


@pytest.fixture(scope="session")
def make_site() -> Any:
    """``make_site(kind, reports, history=0)`` renders everything of one run."""
    return build


@pytest.fixture(scope="session")
def nb() -> Any:
    """Pieces of notebooks: ``nb.code``, ``nb.shown``, ``nb.stream``, ``nb.notebook``, ``nb.png``."""

    class Pieces:
        pass

    for piece in (code, shown, stream, notebook, png):
        setattr(Pieces, piece.__name__, staticmethod(piece))
    return Pieces
