"""Checks made inside a notebook: ``nbops.check`` against a contract, ``nbops.expect`` for anything else.

During a run the results reach the run as well; outside they are only shown.
"""

from __future__ import annotations

import datetime as dt
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.contract.config import load_config
from nbops.contract.odcs import load_contracts
from nbops.contract.own_reads import own_reads
from nbops.contract.yamlcache import DocumentCache
from nbops.errors import ContractError, DataError, did_you_mean
from nbops.model import Check, CheckResult, Severity, Verdict
from nbops.quality.audit import audit
from nbops.quality.notes import write_notes
from nbops.quality.report import CheckReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.records import Contract

__all__ = ["check", "expect"]


def check(data: Any, dataset: str, *, references: Mapping[str, Any] | None = None) -> CheckReport:
    """Check data against the contract of a dataset.

    Args:
        data: A pandas or polars DataFrame, an Arrow table, a DuckDB relation, or the path of a file that holds rows.
        dataset: The dataset's name; its contract is ``contracts/<dataset>.odcs.yaml`` of the project that the notebook is in.
        references: Other datasets that the contract refers to, by name, in any form that ``data`` may have. Relationships to
            datasets that are not given are skipped here.

    Returns:
        The results; shown as a table. ``.passed``, ``.raise_if_failed()``.

    Raises:
        ContractError: There is no such contract, or it is wrong.
        DataError: The data cannot be turned into a table.
        TypeError: The data is of a kind that nbops does not know.
    """
    root = _project_root(Path.cwd())
    with own_reads():  # settings and all contracts: when one of them changes, this is as it was
        contract = _contract(root, dataset)
    (root / contract.path).open("rb").close()  # what is judged by this one is no longer as it was
    with tempfile.TemporaryDirectory(prefix="nbops-", ignore_cleanup_errors=True) as scratch:
        given = {
            name: _as_file(item, Path(scratch) / f"reference{index}")
            for index, (name, item) in enumerate((references or {}).items())
        }
        path = _as_file(data, Path(scratch) / "data")
        found = audit(
            path,
            name=dataset,
            task="",
            final_path=f"{dataset}{''.join(path.suffixes[-2:])}",
            contract=contract,
            references=given,
            now=dt.datetime.now(dt.timezone.utc),
            whole=False,
        )
    results = tuple(_without_reference(result, given, dataset) for result in found.results)
    write_notes(_named(result) for result in results)
    return CheckReport(title=f"check of {dataset}", results=results, rows=found.dataset.rows)


def expect(
    condition: Any, name: str, *, severity: Severity = "error", dataset: str | None = None, message: str = ""
) -> CheckReport:
    """State an expectation, which appears in the run under its name. It does not stop the notebook.

    Args:
        condition: True or false, or a column (or array) of them, all of which must be true. A value that is not there (``None``,
            NaN, ``pandas.NA``) is ``errored``: nothing passes because it was not looked at.
        name: What is expected, in words: "every order has a customer".
        severity: ``error`` holds publication of what the task makes, ``warn`` is reported.
        dataset: The dataset that it is about, if any.
        message: More for the reader.

    Returns:
        A report with this one result.

    Raises:
        TypeError: The condition is neither; compare numbers first, as in ``nbops.expect(total > 0, "...")``.
        ValueError: The severity is not known, or there is no name.

    >>> expect(2 > 1, "numbers are in order").passed
    True
    """
    if severity not in ("warn", "error"):
        raise ValueError(f"severity {severity!r}. {did_you_mean(str(severity), ('warn', 'error'))}")
    if not isinstance(name, str) or not name.strip():
        raise ValueError("an expectation needs a name that says what is expected")
    held, failing = _truth(condition)
    verdict: Verdict = "errored" if held is None else "passed" if held else "failed" if severity == "error" else "warned"
    words = {"passed": "It holds", "errored": "There was no value to judge"}.get(verdict, "It does not hold")
    if failing:
        words += f" ({failing:,} {'value is' if failing == 1 else 'values are'} not true)"
    made = Check(
        id=f"notebook.{name.strip()[:200]}",
        dataset=dataset or "",
        metric="expectation",
        operator="mustBe",
        expected=True,
        severity=severity,
        description=name.strip()[:500],
        origin="notebook",
    )
    result = CheckResult(
        check=made,
        verdict=verdict,
        observed=held,
        failing_rows=failing,
        message=f"{words}.{' ' + message[:500] if message else ''}",
    )
    write_notes([result])
    return CheckReport(title=name.strip()[:200], results=(result,))


def _project_root(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / "pipeline.yaml").is_file() or (folder / "pyproject.toml").is_file():
            return folder
    raise ContractError(
        f"no project around {start.name!r}: neither pipeline.yaml nor pyproject.toml there or above. Change directory."
    )


def _contract(root: Path, dataset: str) -> Contract:
    folder = load_config(root).contracts
    known = DocumentCache(root / ".nbops/cache/contracts.json")  # a build has just read them, and says what their bytes mean
    contracts = load_contracts(root / folder, root=root, cache=known)
    if dataset not in contracts:
        hint = did_you_mean(str(dataset), contracts) if contracts else f"There are no contracts in {folder}/."
        raise ContractError(f"no contract for dataset {str(dataset)[:60]!r}. {hint}")
    return contracts[dataset]


def _as_file(data: Any, target: Path) -> Path:
    if isinstance(data, str | Path):
        return Path(data)
    import pyarrow.parquet as pq  # noqa: PLC0415 - heavy

    path = target.with_suffix(".parquet")
    pq.write_table(_arrow(data), path)
    return path


def _arrow(data: Any) -> Any:
    """Return the data as an Arrow table: what writing it as Parquet would write."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    try:
        if isinstance(data, pa.Table):
            return data
        if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
            return pa.Table.from_pandas(data)
        collected = data.collect() if type(data).__name__ == "LazyFrame" else data
        if hasattr(collected, "to_arrow_table"):
            return collected.to_arrow_table()
        if hasattr(collected, "__arrow_c_stream__"):
            return pa.table(collected)
    except pa.ArrowException as error:
        # Its first part may quote a value, the second names the column.
        where = next((text for text in map(str, error.args[1:]) if text.startswith("Conversion failed")), "a column mixes types")
        raise DataError(f"the data cannot be written as a table: {where}. Give each column one type.") from None
    raise TypeError(
        f"nbops.check takes a DataFrame (pandas, polars), an Arrow table, a DuckDB relation or a path, not {type(data).__name__}"
    )


def _without_reference(result: CheckResult, given: Mapping[str, Path], dataset: str) -> CheckResult:
    other = dict(result.check.arguments).get("dataset") if result.check.metric == "references" else None
    if result.verdict != "errored" or other is None or other == dataset or other in given:
        return result
    return replace(result, verdict="skipped", message=f"Not judged here: give references={{{other!r}: ...}}. The run judges it.")


def _named(result: CheckResult) -> CheckResult:
    """The dataset's own audit has results under the plain ids."""
    return replace(result, check=replace(result.check, id=f"notebook.{result.check.id}"))


def _truth(condition: Any) -> tuple[bool | None, int | None]:
    """Return whether a condition holds (``None``: there is no value), and of a column how many values are not true."""
    value = condition
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if hasattr(value, "as_py"):
        value = value.as_py()
    if isinstance(value, bool):
        return value, None
    if value is None or type(value).__name__ in {"NAType", "NaTType"} or (isinstance(value, float) and math.isnan(value)):
        return None, None
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(value, method):
            value = getattr(value, method)()
            break
    if not isinstance(value, list | tuple):
        raise TypeError(
            f"an expectation is true or false, not {type(condition).__name__}; compare it, as in nbops.expect(total > 0, ...)"
        )
    found = [_truth(item)[0] for item in value]
    if not found or None in found:
        return None, None
    return all(found), found.count(False)
