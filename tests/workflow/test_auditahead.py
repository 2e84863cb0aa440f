"""Audits ahead of a kernel's end: they stand only where nothing was written since."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nbops.model import Check, CheckResult, Dataset
from nbops.quality.audited import Audit
from nbops.workflow.auditahead import AuditAhead
from nbops.workflow.datasets import DatasetPlan


class _Contract:
    def __init__(self, *, quarantine: bool) -> None:
        self.checks = (Check(id="c", dataset="d", metric="nullValues", quarantine=quarantine),)


def _plan(name: str, *, quarantine: bool = False) -> DatasetPlan:
    contract = _Contract(quarantine=quarantine)
    return DatasetPlan(name=name, key=name, contract=contract, final_path=f"output/{name}.csv")  # type: ignore[arg-type]


def _audit(name: str, *, error: str | None = None, verdict: str = "passed") -> Audit:
    check = Check(id="c", dataset=name, metric="nullValues")
    dataset = Dataset(name=name, path=f"output/{name}.csv", task="t", format="csv", error=error)
    return Audit(dataset=dataset, results=(CheckResult(check=check, verdict=verdict),), quarantine=None)  # type: ignore[arg-type]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / f"{name}.csv" for name in ("a", "b")}
    for path in made.values():
        path.write_text("id\n1\n")
    return made


def _ahead(files: dict[str, Path], *plans: DatasetPlan, audit: Callable[[str], Audit] = _audit) -> AuditAhead:
    staged = {plan.key: str(files[plan.name]) for plan in plans}
    return AuditAhead(plans, staged=staged, audits=lambda chosen: tuple(audit(plan.name) for plan in chosen))


def test_an_audit_of_what_stays_as_it_is_stands_once(files: dict[str, Path]) -> None:
    ahead = _ahead(files, _plan("a"), _plan("b"))
    assert ahead.standing() == {}
    ahead.make()
    assert set(ahead.standing()) == {"a", "b"}
    assert ahead.standing() == {}


def _keep_times(path: Path, write: Callable[[Path], object]) -> None:
    stat = path.stat()
    write(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_text("id\n1\n2\n"), id="more"),
        pytest.param(lambda path: _keep_times(path, lambda one: one.write_text("id\n2\n")), id="same length and time"),
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder now"),
        pytest.param(lambda path: (path.rename(path.with_name("x")), path.write_text("id\n1\n")), id="another file, same bytes"),
    ],
)
@pytest.mark.parametrize("which", ["a", "b"])
def test_none_stands_once_one_of_the_files_changed(files: dict[str, Path], change: Callable[[Path], object], which: str) -> None:
    ahead = _ahead(files, _plan("a"), _plan("b"))
    ahead.make()
    change(files[which])
    assert ahead.standing() == {}


def test_what_is_written_while_it_is_audited_is_audited_again(files: dict[str, Path]) -> None:
    def audit(name: str) -> Audit:
        files["a"].write_text("id\n7\n")
        return _audit(name)

    ahead = _ahead(files, _plan("a"), audit=audit)
    ahead.make()
    assert ahead.standing() == {}


@pytest.mark.parametrize(
    "found",
    [
        lambda name: _audit(name, error="cannot be read"),
        lambda name: _audit(name, verdict="errored"),
        lambda name: 1 / 0,
    ],
)
def test_what_went_wrong_is_looked_at_again(files: dict[str, Path], found: Callable[[str], Audit]) -> None:
    ahead = _ahead(files, _plan("a"), audit=found)
    ahead.make()
    assert ahead.standing() == {}


def test_rows_are_taken_out_of_nothing_ahead(files: dict[str, Path]) -> None:
    ahead = _ahead(files, _plan("a"), _plan("b", quarantine=True))
    ahead.make()
    assert set(ahead.standing()) == {"a"}
    after = _ahead(files, _plan("b", quarantine=True), _plan("a"))
    after.make()
    assert after.standing() == {}  # a rule of the second may refer to the first, whose rows are going to be fewer


def test_long_data_waits(files: dict[str, Path]) -> None:
    files["b"].write_bytes(b"0\n" * 3_000_000)
    ahead = _ahead(files, _plan("a"), _plan("b"))
    ahead.make()
    assert ahead.standing() == {}
