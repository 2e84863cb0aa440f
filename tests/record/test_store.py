"""Ledgers on disk: whole or not at all, never lost, listed quickly, found by a part of their id."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.errors import LedgerError
from nbops.model import Anomaly, Check, CheckResult, GitState, Quarantine, Run, RunError, TaskRun
from nbops.pages import summaries
from nbops.record import pruning, running, store

NOW = datetime(2026, 11, 22, 19, 41, 56, tzinfo=timezone.utc)


def made(number: int = 0, **changes) -> Run:
    given_ = {
        "id": f"20261122T1941{number:02d}Z-{number:06x}", "status": "succeeded", "verdict": "passed", "pipeline": "shop",
        "command": "ploomber build", "started_at": "2026-11-22T19:41:56Z",
    }  # fmt: skip
    return Run(**{**given_, **changes})


def test_ids_sort_by_time():
    ids = [store.new_run_id(NOW + timedelta(seconds=step)) for step in range(3)]
    assert ids == sorted(ids)
    assert re.fullmatch(r"20261122T194156Z-[0-9a-f]{6}", ids[0])
    assert store.new_run_id(NOW.astimezone(timezone(timedelta(hours=9))))[:16] == ids[0][:16]


def test_write_read_and_list(tmp_path):
    for number in (2, 0, 1):
        path = store.write_run(tmp_path, made(number))
        assert path == tmp_path / "runs" / made(number).id / "run.json"
    assert store.run_ids(tmp_path) == [made(number).id for number in range(3)]
    assert store.latest_run(tmp_path) == made(2)
    assert store.read_run(tmp_path, made(1).id) == made(1)
    store.write_run(tmp_path, made(1, verdict="failed"))
    assert store.read_run(tmp_path, made(1).id).verdict == "failed"
    assert [path.name for path in (tmp_path / "runs" / made(1).id).iterdir()] == ["run.json"]


def test_no_runs(tmp_path):
    assert store.run_ids(tmp_path) == []
    assert store.latest_run(tmp_path) is None
    assert store.load_runs(tmp_path) == ([], [])
    assert summaries.summaries(tmp_path, tmp_path / "cache") == []
    with pytest.raises(LedgerError, match="no runs yet"):
        store.resolve_run_id(tmp_path, "latest")


@given(st.text(max_size=40))
def test_an_id_that_is_none_is_refused(text):
    if re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", text, re.ASCII):
        return
    with pytest.raises(LedgerError):
        store.ledger_path(Path("reports"), text)


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permissions"), (errno.EIO, "written to")],
)
@pytest.mark.parametrize("step", ["fsync", "write"])
def test_a_fault_of_the_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch, number, says, step):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    if step == "fsync":
        monkeypatch.setattr(store.os, "fsync", fail)
    else:
        monkeypatch.setattr(store.tempfile, "mkstemp", lambda **_: fail())
    with pytest.raises(LedgerError, match=says):
        store.write_run(tmp_path / "reports", made())
    assert not (tmp_path / "reports").exists()


def test_a_fault_keeps_the_earlier_ledger(tmp_path, monkeypatch):
    store.write_run(tmp_path, made())

    def fail(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(store.os, "fsync", fail)
    with pytest.raises(LedgerError):
        store.write_run(tmp_path, made(verdict="failed"))
    assert store.read_run(tmp_path, made().id).verdict == "passed"
    assert [path.name for path in (tmp_path / "runs" / made().id).iterdir()] == ["run.json"]


def test_a_file_where_a_folder_is_needed(tmp_path):
    (tmp_path / "reports").write_text("")
    with pytest.raises(LedgerError, match="a file stands"):
        store.write_run(tmp_path / "reports", made())


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\0", b"[]", b'{"schema_version": 99}', b'{"schema_version": 1}', b"\0" * 1000]
)
def test_a_damaged_ledger_is_passed_over_with_a_notice(tmp_path, content):
    store.write_run(tmp_path, made(0))
    store.write_run(tmp_path, made(1)).write_bytes(content)
    runs, notices = store.load_runs(tmp_path)
    assert runs == [made(0)]
    assert [notice.kind for notice in notices] == ["ledger"]
    assert made(1).id in notices[0].message
    assert store.latest_run(tmp_path) == made(0)
    assert [item.id for item in summaries.summaries(tmp_path, tmp_path / "cache")] == [made(0).id]


def test_a_ledger_in_a_renamed_folder_is_said(tmp_path):
    store.write_run(tmp_path, made(0))
    (tmp_path / "runs" / made(0).id).rename(tmp_path / "runs" / made(1).id)
    with pytest.raises(LedgerError, match="renamed"):
        store.read_run(tmp_path, made(1).id)
    (tmp_path / "runs" / "notes").mkdir()
    assert store.run_ids(tmp_path) == [made(1).id]


def test_resolving_ids(tmp_path):
    for number in range(12):
        store.write_run(tmp_path, made(number))
    assert store.resolve_run_id(tmp_path, "latest") == made(11).id
    assert store.resolve_run_id(tmp_path, made(3).id) == made(3).id
    assert store.resolve_run_id(tmp_path, "20261122T194107") == made(7).id
    assert store.resolve_run_id(tmp_path, "000004") == made(4).id
    with pytest.raises(LedgerError, match="12 runs fit"):
        store.resolve_run_id(tmp_path, "2026")
    with pytest.raises(LedgerError, match="Did you mean 'latest'"):
        store.resolve_run_id(tmp_path, "lastest")
    with pytest.raises(LedgerError, match="no such run"):
        store.resolve_run_id(tmp_path, "")


def test_pruning_keeps_ledgers(tmp_path):
    for number in range(3):
        folder = store.write_run(tmp_path, made(number)).parent
        (folder / "tasks").mkdir()
        for name in ("index.html", "tasks/clean.ipynb", "tasks/clean.html", "notes.txt"):
            (folder / name).write_text("x")
    (tmp_path / "index.html").write_text("x")
    old = tmp_path / "runs" / made(0).id
    assert pruning.prune(tmp_path, 3) == []
    removed = pruning.prune(tmp_path, 2)
    assert removed == [old / "index.html", old / "tasks/clean.html", old / "tasks/clean.ipynb"]
    assert sorted(path.name for path in old.iterdir()) == ["notes.txt", "run.json"]
    assert (tmp_path / "index.html").exists()
    assert len(list((tmp_path / "runs").rglob("*.html"))) == 4
    assert pruning.prune(tmp_path, 2) == []
    with pytest.raises(LedgerError, match="at least 1"):
        pruning.prune(tmp_path, 0)


def with_page(reports, number: int) -> Path:
    folder = store.write_run(reports, made(number)).parent
    (folder / "index.html").write_text("x")
    return folder


def pages_in(reports) -> int:
    return len(list((reports / "runs").rglob("*.html")))


@pytest.mark.parametrize(("keep", "every"), [(1, 1), (4, 1), (10, 2), (20, 4), (50, 10)])
def test_pages_go_some_runs_at_a_time_where_many_are_kept(tmp_path, keep, every):
    most = []
    for number in range(keep + 2 * every + 1):
        with_page(tmp_path, number)
        removed = pruning.prune_seldom(tmp_path, keep, cache=tmp_path / "cache")
        assert len(removed) in {0, every}
        assert pages_in(tmp_path) >= min(keep, number + 1)
        most.append(pages_in(tmp_path))
    assert max(most) == max(keep, keep + every - 1)
    assert most[-1] == keep + 1 if every > 1 else most[-1] == keep


def test_a_run_with_nothing_to_do_leaves_old_pages_to_one_that_changes_something(tmp_path):
    cache, step = tmp_path / "cache", 2
    for number in range(10 + step):
        with_page(tmp_path, number)
        assert pruning.prune_seldom(tmp_path, 10, cache=cache, idle=True) == []
    with_page(tmp_path, 10 + step)
    assert len(pruning.prune_seldom(tmp_path, 10, cache=cache)) == step + 1
    gone = 0
    for number in range(11 + step, 11 + step + 20):  # none but such runs: not for ever
        with_page(tmp_path, number)
        gone += len(pruning.prune_seldom(tmp_path, 10, cache=cache, idle=True))
        assert pages_in(tmp_path) <= 10 + 5 * step
    assert gone == 2 * 5 * step


def test_pages_of_old_runs_that_were_made_again_go_no_sooner_than_others(tmp_path):
    cache = tmp_path / "cache"
    for number in range(13):
        with_page(tmp_path, number)
    assert len(pruning.prune_seldom(tmp_path, 10, cache=cache)) == 3
    with_page(tmp_path, 1)  # `nbops render` of an old run
    pruning.forget_pruned(cache)
    with_page(tmp_path, 13)
    assert pruning.prune_seldom(tmp_path, 10, cache=cache) == []
    with_page(tmp_path, 14)
    assert len(pruning.prune_seldom(tmp_path, 10, cache=cache)) == 3
    assert pages_in(tmp_path) == 10


@pytest.mark.parametrize("note", ['{"version": 1, "until": "UNTIL", "there": []}', "[]", "{}", ""])
def test_a_note_of_pruning_by_an_earlier_version_is_read_and_a_damaged_one_done_without(tmp_path, note):
    cache = tmp_path / "cache"
    for number in range(13):
        with_page(tmp_path, number)
    assert len(pruning.prune_seldom(tmp_path, 10, cache=cache)) == 3
    (cache / "pruned.json").write_text(note.replace("UNTIL", made(2).id))
    with_page(tmp_path, 13)
    assert len(pruning.prune_seldom(tmp_path, 10, cache=cache)) == (0 if "UNTIL" in note else 1)


def test_the_summary_says_the_worst():
    def result(verdict, severity):
        check = Check(id=f"{verdict}-{severity}", dataset="orders", metric="rowCount", severity=severity)
        return CheckResult(check=check, verdict=verdict, message=f"{verdict} {severity}")

    checks = (result("passed", "error"), result("warned", "warn"), result("failed", "error"), result("errored", "error"))
    quarantine = Quarantine(dataset="orders", task="clean", path="q", rows_in=10, rows_out=7, rows=3)
    run = made(
        checks=checks,
        quarantine=(quarantine,),
        git=GitState(commit="abc", branch="main"),
    )
    found = summaries.summarise(run)
    assert found.headline == "orders: rowCount failed"
    assert found.checks == {"errored": 1, "failed": 1, "passed": 1, "warned": 1}
    assert (found.rows_quarantined, found.commit, found.branch) == (3, "abc", "main")
    failed = replace(run, errors=(RunError(kind="ValueError", message="boom\n" + "x" * 500, task="clean"),))
    assert summaries.summarise(failed).headline.startswith("Task clean raised ValueError: boom xxx")
    assert len(summaries.summarise(failed).headline) == 200
    assert summaries.summarise(made(quarantine=(quarantine,))).headline == "3 rows of orders quarantined (30 %)"
    odd = (Anomaly(monitor="volume", subject="dataset:orders", message="few", accepted="E"),)
    assert summaries.summarise(made(anomalies=odd)).headline == ""
    assert summaries.summarise(made(anomalies=(*odd, replace(odd[0], accepted=None)))).headline == "orders: few"
    assert summaries.summarise(made(tasks=(TaskRun(name="a", kind="notebook", status="succeeded"),))).headline == ""


def test_summaries_are_cached_and_made_anew_when_a_ledger_changes(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    for number in range(3):
        store.write_run(tmp_path, made(number))
    first = summaries.summaries(tmp_path, cache)
    assert [item.id for item in first] == [made(number).id for number in (2, 1, 0)]
    read = []
    real = summaries.read_run
    monkeypatch.setattr(
        summaries, "read_run", lambda reports, run_id, **more: read.append(run_id) or real(reports, run_id, **more)
    )
    assert summaries.summaries(tmp_path, cache) == first
    assert read == []
    store.write_run(tmp_path, made(3))
    store.write_run(tmp_path, made(1, verdict="failed", status="failed"))
    found = summaries.summaries(tmp_path, cache)
    assert read == [made(3).id, made(1).id]
    assert [item.verdict for item in found] == ["passed", "passed", "failed", "passed"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'{"version": 2, "runs": []}', b'{"version": 2, "runs": {"RUN": 3}}',
        b'{"version": 0, "runs": {}}', b"\xff",
        b'{"version": 2, "runs": {"RUN": {"size": SIZE, "mtime_ns": TIME, "summary": {"id": "RUN"}}}}',
    ],
)  # fmt: skip
def test_a_damaged_cache_is_made_anew(tmp_path, content):
    path = store.write_run(tmp_path, made())
    expected = summaries.summaries(tmp_path, tmp_path / "cache")
    state = path.stat()
    for name, value in (("RUN", made().id), ("SIZE", state.st_size), ("TIME", state.st_mtime_ns)):
        content = content.replace(name.encode(), str(value).encode())
    kept = tmp_path / f"cache/summaries/{made().id[:6]}.json"
    kept.write_bytes(content)
    assert summaries.summaries(tmp_path, tmp_path / "cache") == expected
    assert json.loads(kept.read_bytes())["runs"][made().id]["size"] == state.st_size


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    store.write_run(tmp_path, made())
    (tmp_path / "cache").write_text("")
    assert len(summaries.summaries(tmp_path, tmp_path / "cache")) == 1


def test_a_run_whose_process_is_gone_is_marked(tmp_path):
    reports, state = tmp_path / "reports", tmp_path / ".nbops"
    for number in range(3):
        store.write_run(reports, made(number, status="running", verdict="skipped"))
    store.write_run(reports, made(3))
    running.write_running(state, made(0).id)  # this very process
    gone = running.RunningProcess(run_id=made(1).id, pid=os.getpid(), host=running.socket.gethostname(), process_started=1.0)
    marker = state / "running" / f"{made(1).id}.json"
    marker.write_text(json.dumps({name: getattr(gone, name) for name in ("run_id", "pid", "host", "process_started")}))
    ended = running.recover(reports, running.alive_here(state), state=state)
    assert [run.id for run in ended] == [made(1).id, made(2).id]
    for number in (1, 2):
        found = store.read_run(reports, made(number).id)
        assert (found.status, found.verdict) == ("interrupted", "errored")
        assert found.errors[-1].kind == "Killed"
        assert "killed" in found.errors[-1].message
    assert store.read_run(reports, made(0).id).status == "running"
    assert running.recover(reports, running.alive_here(state)) == []
    running.remove_running(state, made(0).id)
    running.remove_running(state, made(0).id)
    assert [run.id for run in running.recover(reports, running.alive_here(state))] == [made(0).id]
    assert running.mark_interrupted(reports, made(3).id) == made(3)


def test_what_a_killed_build_left_is_swept_away(tmp_path):
    reports, state = tmp_path / "reports", tmp_path / ".nbops"
    alive, torn, whole = made(0).id, made(1).id, made(2).id
    running.write_running(state, alive)  # this very process
    store.write_run(reports, made(2))
    left = [reports / f"runs/{torn}/.run.json.a1_b2c3d.tmp", reports / "profiles/.orders.html.abcdefgh.tmp"]
    kept = [
        reports / "profiles/.notes.tmp",
        reports / "profiles/a.html",
        state / "running/note.json",
        state / f"running/{alive}.json",
    ]
    for path in (*left, *kept[:3]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    running.sweep_killed(reports, state)
    assert all(path.exists() for path in left)  # nobody was killed, so they may be somebody's
    for run_id in (torn, whole):
        gone = {"run_id": run_id, "pid": os.getpid(), "host": running.socket.gethostname(), "process_started": 1.0}
        (state / f"running/{run_id}.json").write_text(json.dumps(gone) if run_id == whole else "{torn")
    running.sweep_killed(reports, state)
    assert not any(path.exists() for path in (*left, left[0].parent))
    assert all(path.exists() for path in kept)
    assert sorted(path.name for path in (state / "running").iterdir()) == sorted([f"{alive}.json", "note.json"])
    assert store.read_run(reports, whole) == made(2)


def test_markers(tmp_path):
    path = running.write_running(tmp_path, made().id)
    marker = running.read_running(tmp_path, made().id)
    assert marker is not None
    assert running.is_alive(marker)
    assert not running.is_alive(replace(marker, host="elsewhere"))
    assert not running.is_alive(replace(marker, pid=2**22 + 12345))
    assert not running.is_alive(replace(marker, process_started=marker.process_started - 60))
    for content in (b"", b"{}", b"[]", b'{"run_id": 1, "pid": "x", "host": "", "process_started": 1}', b"\xff"):
        path.write_bytes(content)
        assert running.read_running(tmp_path, made().id) is None
    with pytest.raises(LedgerError):
        running.write_running(tmp_path, "../x")
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be written"):
        running.write_running(tmp_path / "file", made().id)


def test_a_zombie_is_not_alive(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = psutil.Process(child.pid)
    marker = running.RunningProcess(
        run_id=made().id, pid=child.pid, host=running.socket.gethostname(), process_started=process.create_time()
    )
    assert running.is_alive(marker)
    child.communicate(b"\n")
    assert not running.is_alive(marker)


def test_a_damaged_ledger_stops_no_recovery(tmp_path):
    store.write_run(tmp_path, made(0)).write_text("{")
    store.write_run(tmp_path, made(1, status="running", verdict="failed"))
    ended = running.recover(tmp_path, lambda _: False)
    assert [(run.id, run.verdict) for run in ended] == [(made(1).id, "failed")]


def test_a_run_that_is_asked_for_again_is_that_of_the_file(tmp_path):
    run = made()
    path = store.write_run(tmp_path, run)
    first = store.read_run(tmp_path, run.id)
    assert store.read_run(tmp_path, run.id) is first
    text = path.read_text()
    path.write_text(text.replace('"shop"', '"mart"'))
    assert store.read_run(tmp_path, run.id) != first
    path.write_text("{")
    with pytest.raises(LedgerError):
        store.read_run(tmp_path, run.id)
    with pytest.raises(LedgerError):
        store.read_status(tmp_path, run.id)
    path.write_text(text)
    assert store.read_run(tmp_path, run.id) == first
    assert store.read_status(tmp_path, run.id) == run.status
    late = made(1, tasks=(TaskRun(name="a", kind="script", status="up_to_date", reasons=("so " * 90,)),))
    later = replace(late, id=made(2).id)
    store.write_run(tmp_path, late)
    store.write_run(tmp_path, later)
    assert "as_in" in store.ledger_path(tmp_path, later.id).read_text()
    assert not store.read_run(tmp_path, later.id).notices
    store.ledger_path(tmp_path, late.id).unlink()
    assert store.read_run(tmp_path, later.id).notices, "what it refers to is gone"
    path.unlink()
    with pytest.raises(LedgerError):
        store.read_run(tmp_path, run.id)
