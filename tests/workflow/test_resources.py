"""Cores and memory within the limits of control groups, as version 1 and 2 of the kernel's interface tell them."""

from __future__ import annotations

import psutil
import pytest

from nbops.contract.config import parse_memory
from nbops.workflow.process import TaskProcess
from nbops.workflow.resources import available_memory, usable_cores
from nbops.workflow.running import RunningLedger
from nbops.workflow.share import Share


@pytest.fixture
def group(tmp_path):
    """Return a function that lays out control groups: path of a file to its text."""

    def lay(membership: str, files: dict[str, str]):
        (tmp_path / "cgroup").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "mount" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return {"membership": tmp_path / "cgroup", "mount": tmp_path / "mount"}

    return lay


def test_without_control_groups_there_is_what_the_system_has(tmp_path):
    nowhere = {"membership": tmp_path / "none", "mount": tmp_path}
    assert usable_cores(**nowhere) >= 1
    assert 0 < available_memory(**nowhere) <= psutil.virtual_memory().total


@pytest.mark.parametrize(("text", "cores"), [("50000 100000", 1), ("100000 100000", 1), ("max 100000", None), ("junk", None)])
def test_a_quota_of_cores(group, text, cores):
    where = group("0::/box\n", {"box/cpu.max": text})
    assert usable_cores(**where) == (cores or usable_cores())


def test_a_quota_further_up_holds_too(group):
    where = group("0::/a/b/c\n", {"a/cpu.max": "20000 100000", "a/b/c/cpu.max": "max 100000"})
    assert usable_cores(**where) == 1


def test_a_quota_of_version_1(group):
    files = {"cpu,cpuacct/x/cpu.cfs_quota_us": "90000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"}
    assert usable_cores(**group("4:cpu,cpuacct:/x\n3:cpuset:/y\n", files)) == 1
    files["cpu,cpuacct/x/cpu.cfs_quota_us"] = "-1"
    assert usable_cores(**group("4:cpu,cpuacct:/x\n", files)) == usable_cores()


def test_a_limit_of_memory_less_what_is_used_but_for_idle_files(group):
    files = {
        "box/memory.max": "1000000",
        "box/memory.current": "700000",
        "box/memory.stat": "anon 1\ninactive_file 200000\nactive_file 5\n",
    }
    assert available_memory(**group("0::/box\n", files)) == 500_000


def test_a_limit_of_memory_of_version_1(group):
    files = {"memory/x/memory.limit_in_bytes": "1000", "memory/x/memory.usage_in_bytes": "1200"}
    assert available_memory(**group("9:memory:/x\n", files)) == 0


def test_measuring_shares_cores_and_memory_with_what_runs():
    share = Share(cores=8)
    assert share.limits("4GB") == (8, "4GB")
    assert share.limits("600MB") == (2, "600MB")
    assert share.limits("1MB") == (1, "1MB")
    share.running = 3
    assert share.limits("4GB") == (2, "4GB")
    share.running = 100
    threads, memory = share.limits(None)
    assert threads == 1
    assert parse_memory(memory) >= 100_000_000


def test_a_share_of_memory_shrinks_with_the_number_of_tasks(monkeypatch):
    monkeypatch.setattr("nbops.workflow.share.available_memory", lambda: 10_000_000_000)
    share = Share(cores=8)
    assert share.limits(None) == (8, "4000MB")
    share.running = 4
    assert share.limits(None) == (2, "1000MB")
    share.running = 8
    assert share.limits(None) == (1, "500MB")


def test_a_process_that_was_forked_before_sees_how_many_run_now(tmp_path):
    share = Share(cores=12)
    go = tmp_path / "go"

    def work() -> int:
        while not go.exists():
            pass
        return share.limits("4GB")[0]

    process = TaskProcess(work, environment={}, log=tmp_path / "log.txt")
    share.running = 4
    go.touch()
    while (outcome := process.poll()) is None:
        pass
    assert outcome.value == 3


def test_the_ledger_is_not_written_for_every_change(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("nbops.workflow.running.time.monotonic", lambda: clock[0])
    written: list[float] = []

    def write() -> None:
        written.append(clock[0])
        clock[0] += 0.5  # it takes this long

    ledger = RunningLedger(write)
    for _ in range(1000):
        ledger.changed()
        ledger.write_if_due()
        clock[0] += 0.1
    assert 3 <= len(written) <= 8
    assert ledger.due < float("inf"), "what changed last is written soon"
    clock[0] = ledger.due
    ledger.write_if_due()
    assert ledger.due == float("inf")
